"""Encoding a FASTA file: the same vectors whoever does it in however many goes, and no mix of two jobs."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dnaclip._errors import InputError
from dnaclip.cli import app
from dnaclip.encoders import CompositionEncoder, VectorTable, encode_fasta

if TYPE_CHECKING:
    from collections.abc import Sequence

module = sys.modules["dnaclip.encoders._encode.encode_fasta"]  # the function of its name hides it
RNG = np.random.default_rng(2)
RECORDS = {f"gene{i}": "".join(RNG.choice(list("ACGT"), n)) for i, n in enumerate(RNG.integers(3, 60, size=23))}


class Counter:
    """Counts of the letters; writes down what it is given."""

    def __init__(self, name: str = "counter", *, scale: float = 1.0, **settings: Any) -> None:
        self.name, self.dimension, self.settings, self.seen = name, 4, settings, list[str]()
        self._weights = np.array([1, scale, 1, 1])

    def check(self, sequences: Sequence[str]) -> None:
        if any("J" in sequence for sequence in sequences):
            msg = "There is no letter J."
            raise InputError(msg)

    def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
        self.seen += sequences
        counts = np.array([[sequence.count(base) for base in "ACGT"] for sequence in sequences], dtype=np.float32)
        return (counts * self._weights).astype(np.float32)


EXPECTED = Counter().encode(list(RECORDS.values()))


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "genes.fa"
    path.write_text("".join(f">{name} a gene\n{s[:20]}\n{s[20:]}\n" for name, s in RECORDS.items()))
    return path


def check(out: Path, folder: Path) -> None:
    table = VectorTable.load(out)
    assert table.ids == list(RECORDS)
    np.testing.assert_array_equal(table.vectors, EXPECTED)
    assert sorted(path.name for path in folder.iterdir()) == ["genes.fa", out.name]


@pytest.mark.parametrize("letters_per_part", [1, 100, 1 << 20])
def test_vectors_in_the_order_of_the_records(fasta: Path, tmp_path: Path, letters_per_part: int) -> None:
    out = encode_fasta(fasta, Counter(layer=3), tmp_path / "t.safetensors", letters_per_part=letters_per_part)
    check(out, tmp_path)
    table = VectorTable.load(out)
    assert table.name == "counter"
    assert (table.facts["fasta"], table.facts["records"]) == ("genes.fa", 23)
    assert table.facts["job"]["settings"] == {"layer": 3}
    # Done is done.
    again = Counter(layer=3)
    encode_fasta(fasta, again, out, letters_per_part=letters_per_part)
    assert len(again.seen) == 1  # a probe


def test_packed_files_with_other_line_ends_are_the_same_job(fasta: Path, tmp_path: Path) -> None:
    encode_fasta(fasta, Counter(), tmp_path / "t")
    data = "\n".join(f">{name}\r\n{s}\r" for name, s in RECORDS.items())
    (tmp_path / "genes.fa.gz").write_bytes(gzip.compress(data.encode()))
    other = Counter()
    encode_fasta(tmp_path / "genes.fa.gz", other, tmp_path / "t")
    assert len(other.seen) == 1


class Stopped(BaseException):
    """As a kill, it passes by every `except Exception`."""


@pytest.mark.parametrize("step", ["write_atomic", "save", "remove"])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_goes_on_after_a_stop_at_any_step(
    fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    place = {
        "write_atomic": "dnaclip.encoders._encode.job.write_atomic",
        "save": "dnaclip.encoders._vectors.table.VectorTable.save",
        "remove": "dnaclip.encoders._encode.job.Job.remove",
    }[step]
    calls = 0

    def stop(*_: Any) -> Path:
        nonlocal calls
        calls += 1
        if calls > after or step != "write_atomic":
            raise Stopped
        return original(*_)

    from dnaclip._files import write_atomic as original

    out = tmp_path / "t"
    with monkeypatch.context() as patch:
        patch.setattr(place, stop)
        with pytest.raises(Stopped):
            encode_fasta(fasta, Counter(), out, letters_per_part=100)
    assert out.exists() == (step == "remove")
    encoder = Counter()
    encode_fasta(fasta, encoder, out, letters_per_part=100)
    check(out, tmp_path)
    if step != "write_atomic":
        assert len(encoder.seen) == 1  # nothing is encoded twice


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_encode_fasta import Counter
from dnaclip.encoders import encode_fasta
class Slow(Counter):
    def encode(self, sequences, *, progress=False):
        time.sleep(0.02)
        return super().encode(sequences)
encode_fasta(sys.argv[2], Slow(), sys.argv[3], letters_per_part=1)
"""


def test_goes_on_after_a_kill(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "t"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(Path(__file__).parent), str(fasta), str(out)])
    until = time.monotonic() + 60
    while len(list((tmp_path / "t.parts").glob("part-*"))) < 4 and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    done = len(list((tmp_path / "t.parts").glob("part-*.safetensors")))
    assert 4 <= done < 23
    encoder = Counter()
    encode_fasta(fasta, encoder, out, letters_per_part=1)
    assert len(encoder.seen) == 1 + 23 - done
    check(out, tmp_path)


def test_a_part_that_is_broken_is_made_again(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "t"
    with monkeypatch.context() as patch:
        patch.setattr(VectorTable, "save", lambda *_: (_ for _ in ()).throw(Stopped()))
        with pytest.raises(Stopped):
            encode_fasta(fasta, Counter(), out, letters_per_part=100)
    parts = sorted((tmp_path / "t.parts").glob("part-*"))
    parts[0].write_bytes(parts[0].read_bytes()[:-5])
    parts[1].write_bytes(parts[2].read_bytes()[:20])
    encode_fasta(fasta, Counter(), out, letters_per_part=100)
    check(out, tmp_path)


CHANGES: dict[str, tuple[Counter, dict[str, int], str]] = {
    "weights": (Counter(scale=3.0), {}, "other weights of the encoder 'counter'"),
    "name": (Counter("another"), {}, "the encoder 'counter', not 'another'"),
    "settings": (Counter(layer=1), {}, r"the settings \{\}, not \{'layer': 1\}"),
    "parts": (Counter(), {"letters_per_part": 50}, "letters_per_part=100, not 50"),
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("change", [*CHANGES, "sequences", "order"])
def test_refuses_to_go_on_with_another_job(
    fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, *, finished: bool
) -> None:
    out = tmp_path / "t"
    with monkeypatch.context() as patch:
        if not finished:
            patch.setattr(VectorTable, "save", lambda *_: (_ for _ in ()).throw(Stopped()))
        try:
            encode_fasta(fasta, Counter(), out, letters_per_part=100)
        except Stopped:
            assert not finished
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != fasta}
    encoder, options, message = CHANGES.get(change, (Counter(), {}, "other sequences"))
    if change == "sequences":
        fasta.write_text(fasta.read_text().replace("A", "C", 1))
    if change == "order":
        fasta.write_text("".join(f">{name}\n{s}\n" for name, s in reversed(RECORDS.items())))
    with pytest.raises(InputError, match=f"with {message}.*[Gg]ive another file"):
        encode_fasta(fasta, encoder, out, letters_per_part=options.get("letters_per_part", 100))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != fasta} == before


@pytest.mark.parametrize("content", [b"", b"something", b"\x10\0\0\0\0\0\0\0{}"])
def test_a_file_of_something_else_is_left_alone(fasta: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(InputError, match="is there already, with something else"):
        encode_fasta(fasta, Counter(), tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == content


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_processes_share_the_work(
    fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: list[int]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "3")
    seen = []
    for rank in order:
        assert not (tmp_path / "t").exists()
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        encoder = Counter()
        encode_fasta(fasta, encoder, tmp_path / "t", letters_per_part=30)
        seen.append(len(encoder.seen) - 1)
    assert sum(seen) == 23
    assert min(seen) > 3
    check(tmp_path / "t", tmp_path)
    # One more that comes late finds nothing to do.
    encode_fasta(fasta, Counter(), tmp_path / "t", letters_per_part=30)
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(InputError, match="RANK=3 does not fit WORLD_SIZE=3"):
        encode_fasta(fasta, Counter(), tmp_path / "t")
    monkeypatch.delenv("RANK")
    with pytest.raises(InputError, match="torchrun should set RANK"):
        encode_fasta(fasta, Counter(), tmp_path / "t")


def test_each_process_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from dnaclip.encoders._encode.processes import Place

    assert Place(0, 4, 0).device() is None or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [Place(rank, 4, rank).device() for rank in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert Place().device() is None
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "load_encoder", lambda name, **options: given.append(options))
    module._load("hyenadna-tiny-1k", Place(1, 2, 1), {})
    module._load("hyenadna-tiny-1k", Place(1, 2, 1), {"device": "cpu"})
    module._load("composition", Place(1, 2, 1), {})
    assert given == [{"device": "cuda:1"}, {"device": "cpu"}, {}]


def test_a_quick_encoder_is_given_more_at_once(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched(Counter):
        def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
            sizes.append(len(sequences))
            return super().encode(sequences)

    encode_fasta(fasta, Watched(), tmp_path / "t", letters_per_part=1)
    assert sizes == [1, 1, 2, 4, 8, 8]  # a probe, then twice as many each time
    sizes.clear()
    monkeypatch.setattr(module, "QUICK", 0.0)
    monkeypatch.setattr(module, "SLOW", -1.0)
    encode_fasta(fasta, Watched(), tmp_path / "u", letters_per_part=1)
    assert sizes == [1] * 24


BAD = {
    "no file": (None, "No such file"),
    "nothing": ("", "it holds no record"),
    "no header": ("ACGT\n", r"line 1 comes before any header: b'ACGT"),
    "header without a name": (">a\nAC\n> \nAC\n", "line 3 is a header without a name"),
    "no sequence": (">a\nACGT\n>b\n>c\nA\n", "record 'b' has no sequence"),
    "no sequence at the end": (">a\nACGT\n>b\n", "record 'b' has no sequence"),
    "twice": (">a\nACGT\n>b\nA\n>a\nC\n", "1 records have a name that came before: 'a'"),
    "a gap": (">a\nAC-GT 1\n", r"record 'a' holds ' ', '-', '1', which are no bases"),
    "not ASCII": (">a\nACÄ\n", "record 'a' holds letters that are not ASCII"),
    "refused by the encoder": (">a\nACGT\n>b\nACGJ\n", "record 'b' cannot be encoded. There is no letter J."),
    "cut off": (gzip.compress(b">a\n" + b"ACGT" * 1000)[:-10], "cut off or damaged.*gzip -t"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = tmp_path / "bad.fa"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        encode_fasta(path, Counter(), tmp_path / "t")
    assert [p.name for p in tmp_path.iterdir()] == ([] if content is None else ["bad.fa"])


def test_vectors_that_are_not_finite_are_refused(fasta: Path, tmp_path: Path) -> None:
    class Broken(Counter):
        def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
            vectors = super().encode(sequences)
            vectors[[sequence == RECORDS["gene7"] for sequence in sequences]] = np.nan
            return vectors

    with pytest.raises(InputError, match="'counter' gives vectors with NaN or infinite numbers for 'gene7'"):
        encode_fasta(fasta, Broken(), tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_an_error_of_the_encoder_says_where(fasta: Path, tmp_path: Path) -> None:
    class Failing(Counter):
        def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
            if len(sequences) > 1:
                msg = "Too long."
                raise InputError(msg)
            return super().encode(sequences)

    with pytest.raises(InputError, match="Between the records 'gene0' and 'gene22': Too long."):
        encode_fasta(fasta, Failing(), tmp_path / "t")


def test_a_file_that_changes_meanwhile_is_noticed(fasta: Path, tmp_path: Path) -> None:
    class Meddler(Counter):
        def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
            fasta.write_text(">gene0\nA\n")
            return super().encode(sequences)

    with pytest.raises(InputError, match="has changed since it was first read"):
        encode_fasta(fasta, Meddler(), tmp_path / "t", letters_per_part=1)


def test_other_arguments_are_refused(fasta: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="letters_per_part must be a whole number of at least 1"):
        encode_fasta(fasta, Counter(), tmp_path / "t", letters_per_part=0)
    with pytest.raises(InputError, match="options 'layer' are for an encoder given by name"):
        encode_fasta(fasta, Counter(), tmp_path / "t", layer=1)
    with pytest.raises(InputError, match="'vectors' looks up vectors by name"):
        encode_fasta(fasta, VectorTable(["A"], np.eye(1)), tmp_path / "t")
    with pytest.raises(InputError, match="CompositionEncoder has no such option: 'layer'"):
        encode_fasta(fasta, "composition", tmp_path / "t", layer=1)


def test_command(fasta: Path, tmp_path: Path) -> None:
    run = CliRunner()
    line = ["encode", "--fasta", str(fasta), "--encoder", "composition", "--out", str(tmp_path / "t"), "--no-progress"]
    result = run.invoke(app, line)
    assert result.output == "VectorTable('composition', 23 vectors of 831)\n"
    expected = CompositionEncoder().encode(list(RECORDS.values()))
    np.testing.assert_array_equal(VectorTable.load(tmp_path / "t").vectors, expected)
    result = run.invoke(app, [*line, "--option", "layer=1"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: CompositionEncoder has no such option: 'layer'")
    result = run.invoke(app, [*line, "--option", "layer"])
    assert result.exit_code == 2
    assert "must be name=value" in result.output
    result = run.invoke(app, ["encode", "--list"])
    assert result.exit_code == 0
    assert "hyenadna-large-1m" in result.output


def test_command_says_when_others_are_at_work(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    line = ["encode", "--fasta", str(fasta), "--encoder", "composition", "--out", str(tmp_path / "t"), "--no-progress"]
    result = CliRunner().invoke(app, [*line, "--letters-per-part", "100"])
    assert result.output == "This process has done its share.\n"
    record = json.loads((tmp_path / "t.parts" / "job.json").read_text())
    assert record["encoder"] == "composition"


def test_options_of_the_command_reach_the_encoder(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def load(name: str, **options: Any) -> Counter:
        given.update(options)
        return Counter()

    monkeypatch.setattr(module, "load_encoder", load)
    line = ["encode", "--fasta", str(fasta), "--encoder", "hyenadna-tiny-1k", "--out", str(tmp_path / "t")]
    options = ["--option", "piece_length=64", "--option", "special_tokens=sep"]
    assert CliRunner().invoke(app, [*line, *options, "--device", "cpu"]).exit_code == 0
    assert given == {"piece_length": 64, "special_tokens": "sep", "device": "cpu"}
    # Another device goes on with the same job, other options do not.
    assert CliRunner().invoke(app, [*line, *options, "--device", "auto"]).exit_code == 0
    result = CliRunner().invoke(app, [*line, "--device", "cpu"])
    assert result.exit_code == 1
    assert "with the settings {'piece_length': 64, 'special_tokens': 'sep'}, not {}" in result.stderr
