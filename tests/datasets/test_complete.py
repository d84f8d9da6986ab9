"""Completing a table from a local server laid out like Ensembl's."""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from dnaclip._errors import DownloadError, InputError, MissingKeyError
from dnaclip.cli import app
from dnaclip.datasets import EmbeddingTable, _fetch, _registry, complete_table, load_table
from dnaclip.datasets._expected import BsdSum

CDS = """\
>ENST01.2 cds chromosome:GRCh38:7:10:99:1 gene:ENSG01.4 gene_biotype:protein_coding gene_symbol:ONE description:Gene one [Source:X]
ACGT
ACGTAC
>ENST02.1 cds chromosome:GRCh38:7:10:99:1 gene:ENSG01.4 gene_biotype:protein_coding gene_symbol:ONE
ACG
>ENST03.1 cds chromosome:GRCh38:X:1:9:-1 gene:ENSG03.1 gene_biotype:protein_coding gene_symbol:THREE description:Third gene
TTTTTTTTTG
>ENST04.1 cds scaffold:GRCh38:KI270711.1:1:9:1 gene:ENSG04.1 gene_biotype:protein_coding
ggcc
"""
NCRNA = """\
>ENST05.1 ncrna chromosome:GRCh38:MT:1:9:1 gene:ENSG05.2 gene_biotype:Mt_tRNA gene_symbol:FIVE
GATTACA
>ENST06.1 ncrna chromosome:GRCh38:7:10:99:1 gene:ENSG01.4 gene_biotype:protein_coding gene_symbol:ONE
CCCCCCCCCCCCCCCCCCCCCCCCCCCC
"""
PLACE = "release-113/fasta/homo_sapiens"
FILES = {
    "cds/Homo_sapiens.GRCh38.cds.all.fa.gz": CDS,
    "ncrna/Homo_sapiens.GRCh38.ncrna.fa.gz": NCRNA,
    "cdna/Homo_sapiens.GRCh38.cdna.all.fa.gz": CDS.replace("TTTTTTTTTG", "TTTTTTTTTGAAA").replace(" cds ", " cdna "),
}


class Toy:
    """Counts letters: same sequence, same vector."""

    def __init__(self, name: str = "toy", weights: str = "a" * 64) -> None:
        self.config = {"name": name, "weights_sha256": weights}
        self.seen: list[str] = []

    def encode_dna(self, sequences: list[str]) -> np.ndarray:
        self.seen += sequences
        counts = [[sequence.upper().count(letter) for letter in "ACGT"] + [1] for sequence in sequences]
        vectors = np.array(counts, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def line(name: str, content: bytes) -> str:
    digest = BsdSum()
    digest.update(content)
    return f"{digest.hexdigest()} {-(-len(content) // 1024)} {name}\n"


@pytest.fixture
def ensembl(server):
    """Address of the server; content by path below it."""
    content = {}
    for file, text in FILES.items():
        folder, name = file.split("/")
        body = gzip.compress(text.encode(), mtime=0)
        content[f"{PLACE}/{file}"] = body
        content[f"{PLACE}/{folder}/CHECKSUMS"] = (line("README", b"read me") + line(name, body)).encode()
    for path, body in content.items():
        server.put(f"/pub/{path}", body)
    return f"{server.url}/pub", content


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A registry with a table of the model 'toy' in which one gene has a DNA vector and one has only a text."""
    genes = pd.DataFrame({"ensembl_id": ["ENSG01", "ENSG02", "", "ENSG03"], "symbol": ["ONE", "TWO", "NOID", "THREE"]})
    genes = genes.reindex(
        columns=["ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype", "chromosome"], fill_value=""
    )
    nothing = [np.nan] * 5
    sides = {
        "dna": np.array([nothing, [1, 0, 0, 0, 0], nothing, [0, 0, 0, 0, 1]]),
        "text": np.array([[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], nothing]),
    }
    table = EmbeddingTable(genes, sides, species="human", taxon_id=9606, model="toy", model_sha256="a" * 64)
    path = table.save(tmp_path / "bundled/toy-human.safetensors")
    asset = {
        "name": "toy-human", "file": path.name, "bytes": path.stat().st_size, "kind": "embeddings", "licence": "MIT",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "species": "human", "model": "toy", "dimension": 5,
    }  # fmt: skip
    registry = tmp_path / "registry.yaml"
    registry.write_text(yaml.safe_dump({"base_url": None, "assets": [asset]}))
    monkeypatch.setattr(_registry, "REGISTRY_FILE", registry)
    monkeypatch.setattr(_fetch, "BUNDLED", path.parent)
    _registry._load.cache_clear()
    yield EmbeddingTable.load(path)
    _registry._load.cache_clear()


def test_fills_adds_and_keeps(ensembl, shipped, cache, left, caplog):
    caplog.set_level(logging.INFO)
    toy = Toy()
    table = complete_table(base_url=ensembl[0], model=toy, progress=False)
    # The longest coding sequence, not the RNA of the same gene; ENSG03 has a vector already.
    assert toy.seen == ["ACGTACGTAC", "ggcc", "GATTACA"]
    assert table.genes["ensembl_id"].tolist() == ["ENSG01", "ENSG02", "", "ENSG03", "ENSG04", "ENSG05"]
    assert table.has("dna").tolist() == [True, True, False, True, True, True]
    assert table.has("text").tolist() == [True, True, True, False, False, False]
    vectors = table.vectors("dna")
    np.testing.assert_allclose(vectors[[0, 4, 5]], toy.encode_dna(["ACGTACGTAC", "ggcc", "GATTACA"]), atol=0.05)
    np.testing.assert_array_equal(vectors[[1, 3]], shipped.vectors("dna")[[1, 3]])
    np.testing.assert_array_equal(table.vectors("text")[:3], shipped.vectors("text")[:3])
    added = table.genes.iloc[4:]
    assert added["symbol"].tolist() == ["", "FIVE"]
    assert added["chromosome"].tolist() == ["KI270711.1", "MT"]
    assert added["biotype"].tolist() == ["protein_coding", "Mt_tRNA"]
    assert (table.species, table.taxon_id, table.model, table.model_sha256) == ("human", 9606, "toy", "a" * 64)
    assert "4 genes have a sequence: 1 DNA vectors kept, 1 filled in, 2 genes added." in caplog.text
    assert shipped.has("dna").tolist() == [False, True, False, True]
    (completed,) = (cache / "completed").iterdir()
    assert re.fullmatch(r"toy-human-[0-9a-f]{12}\.safetensors", completed.name)
    assert left(cache / "ensembl") == [
        f"{PLACE}/cds/CHECKSUMS",
        f"{PLACE}/cds/Homo_sapiens.GRCh38.cds.all.fa.gz",
        f"{PLACE}/ncrna/CHECKSUMS",
        f"{PLACE}/ncrna/Homo_sapiens.GRCh38.ncrna.fa.gz",
    ]


def test_load_table_prefers_the_completed_one(ensembl, shipped, cache, caplog):
    caplog.set_level(logging.INFO)
    assert len(load_table("human", model="toy")) == 4
    completed = complete_table("Homo sapiens", base_url=ensembl[0], model=Toy(), progress=False)
    again = load_table("human", model="toy")
    np.testing.assert_array_equal(again.vectors(), completed.vectors())
    assert "Using the table completed on this machine" in caplog.text
    # A second run finds everything there, downloads nothing and encodes nothing.
    toy = Toy()
    twice = complete_table(base_url=ensembl[0], model=toy, progress=False)
    assert toy.seen == []
    np.testing.assert_array_equal(twice.vectors(), completed.vectors())


def test_completed_table_of_an_older_version_is_not_used(ensembl, shipped, cache):
    complete_table(base_url=ensembl[0], model=Toy(), progress=False)
    registry = yaml.safe_load(_registry.REGISTRY_FILE.read_text())
    newer = shipped.save(_fetch.BUNDLED / "toy-human.safetensors").read_bytes() + b"\0"
    (_fetch.BUNDLED / "toy-human.safetensors").write_bytes(newer)
    registry["assets"][0] |= {"sha256": hashlib.sha256(newer).hexdigest(), "bytes": len(newer)}
    _registry.REGISTRY_FILE.write_text(yaml.safe_dump(registry))
    _registry._load.cache_clear()
    # The new file is looked at (and refused here), not the table completed from the old one.
    with pytest.raises(InputError, match=r"toy-human\.safetensors is not an embedding table"):
        load_table(model="toy")


def test_damaged_completed_table_is_refused(ensembl, shipped, cache):
    complete_table(base_url=ensembl[0], model=Toy(), progress=False)
    (completed,) = (cache / "completed").iterdir()
    body = bytearray(completed.read_bytes())
    body[-10] ^= 4
    completed.write_bytes(body)
    with pytest.raises(InputError, match="is damaged: .* Delete it"):
        load_table(model="toy")


def test_overwrite(ensembl, shipped):
    toy = Toy()
    table = complete_table(base_url=ensembl[0], model=toy, overwrite=True, progress=False)
    assert toy.seen == ["ACGTACGTAC", "TTTTTTTTTG", "ggcc", "GATTACA"]
    np.testing.assert_allclose(table.vectors("dna")[3], toy.encode_dna(["TTTTTTTTTG"])[0], atol=0.05)
    np.testing.assert_array_equal(table.vectors("dna")[1], shipped.vectors("dna")[1])


def test_other_features(ensembl, shipped, server, tmp_path):
    toy = Toy()
    out = tmp_path / "new folder/table.safetensors"
    complete_table(base_url=ensembl[0], model=toy, feature="cds", out=out, progress=False)
    assert toy.seen == ["ACGTACGTAC", "ggcc"]
    assert EmbeddingTable.load(out).genes["ensembl_id"].tolist()[-1] == "ENSG04"
    toy = Toy()
    complete_table(base_url=ensembl[0], model=toy, feature="cdna", overwrite=True, out=out, progress=False)
    assert "TTTTTTTTTGAAA" in toy.seen
    assert not any("ncrna" in path for path in server.gets)


def test_own_table(ensembl, shipped, tmp_path, cache):
    out = tmp_path / "mine.safetensors"
    table = complete_table(base_url=ensembl[0], model=Toy(), table=shipped, out=out, progress=False)
    assert len(table) == 6
    assert not (cache / "completed").exists()
    assert len(load_table(model="toy")) == 4


def test_species_without_a_table_and_unknown_assembly(server, shipped, tmp_path):
    body = gzip.compress(
        b">T1 cds reftig:CSAV 2.0:reftig_1:1:9:1 gene:ENSCSAVG01 gene_biotype:protein_coding\nACGTT\n", mtime=0
    )
    place = "/release-113/fasta/ciona_savignyi/cds"
    server.put(f"{place}/Ciona_savignyi.CSAV2.0.cds.all.fa.gz", body)
    server.put(f"{place}/CHECKSUMS", line("Ciona_savignyi.CSAV2.0.cds.all.fa.gz", body).replace(" ", "\t").encode())
    options: dict[str, Any] = {"base_url": server.url, "model": Toy(), "feature": "cds", "progress": False}
    with pytest.raises(InputError, match=r"'toy', which is not in dnaclip's registry.* Say with out="):
        complete_table("ciona_savignyi", **options)
    assert not server.gets
    table = complete_table("Ciona savignyi", **options, out=tmp_path / "ciona.safetensors")
    assert table.genes["ensembl_id"].tolist() == ["ENSCSAVG01"]
    assert (table.species, table.taxon_id, table.model, table.model_sha256) == ("ciona_savignyi", 0, "toy", "a" * 64)
    with pytest.raises(MissingKeyError, match=r"There are: 'human \(toy\)'\. A table can be made from Ensembl's"):
        load_table("ciona_savignyi", model="toy")


# What goes wrong at the server, and what the error says.
def _broken(server, content, fault):
    path = f"{PLACE}/cds/Homo_sapiens.GRCh38.cds.all.fa.gz"
    listing = f"{PLACE}/cds/CHECKSUMS"
    good = content[path]
    changed = good[:-1] + bytes([good[-1] ^ 1])
    faults = {
        "wrong checksum": (path, [changed], r"its checksum is sum -r \d{5} instead of \d{5}"),
        "wrong size": (path, [good + b"\0" * 2000], "it is longer than the 1024 bytes it may have"),
        "missing file": (path, [server.status(404)], r"cds\.all\.fa\.gz' \(1 blocks .* answered 404 Not Found"),
        "missing species": (listing, [server.status(404)], "404 .* Does Ensembl release 113 have 'homo_sapiens'"),
        "interrupted": (path, [server.cut(good, 50)], "the connection broke off"),
        "server error": (path, [server.status(500)], "500 Internal Server Error"),
        "page for list": (listing, [b"<html>login</html>"], "CHECKSUMS in .* it lists 0 files: none"),
        "not in the list": (listing, [line("README", b"").encode()], "but names none; it lists 1 files: 'README'"),
        "twice in the list": (
            listing,
            [b"1 1 A.v1.cds.all.fa.gz\n2 2 A.v2.cds.all.fa.gz\n"],
            "must name one file that ends in '.cds.all.fa.gz', but names 'A.v1.cds.all.fa.gz', 'A.v2.cds.all.fa.gz'",
        ),
        "unsafe list": (listing, [b"1 1 ..cds.all.fa.gz\n"], "'..cds.all.fa.gz' cannot be the name of a sequence file"),
        "huge list": (listing, [b" " * (17 << 20)], "it is longer than the 16777216 bytes it may have"),
        "not gzip": (path, None, "is not a whole FASTA file packed with gzip"),
    }
    path, answers, message = faults[fault]
    if answers is None:
        answers = [CDS.encode()]
        server.put(f"/pub/{listing}", line("Homo_sapiens.GRCh38.cds.all.fa.gz", CDS.encode()).encode())
    server.put(f"/pub/{path}", *answers)
    return message


@pytest.mark.parametrize("fault", [
    "wrong checksum", "wrong size", "missing file", "missing species", "interrupted", "server error", "page for list",
    "not in the list", "twice in the list", "unsafe list", "huge list", "not gzip",
])  # fmt: skip
def test_faults_leave_no_table(ensembl, shipped, server, cache, left, tmp_path, fault):
    base, content = ensembl
    message = _broken(server, content, fault)
    out = tmp_path / "out/table.safetensors"
    toy = Toy()
    with pytest.raises((DownloadError, InputError), match=message):
        complete_table(base_url=base, model=toy, out=out, progress=False)
    assert toy.seen == []
    assert not out.parent.exists()
    assert not (cache / "completed").exists()
    assert not [name for name in left(cache) if name.endswith(".part")]
    # Once the server is mended, the same call works: nothing wrong was kept.
    for path, body in content.items():
        server.put(f"/pub/{path}", body)
    assert len(complete_table(base_url=base, model=toy, out=out, progress=False)) == 6


def test_interrupted_download_is_tried_again(ensembl, shipped, server):
    base, content = ensembl
    path = f"{PLACE}/cds/Homo_sapiens.GRCh38.cds.all.fa.gz"
    server.put(f"/pub/{path}", server.cut(content[path], 50), server.good(content[path]))
    assert len(complete_table(base_url=base, model=Toy(), progress=False)) == 6
    assert server.gets[f"/pub/{path}"] == 2


def test_offline_uses_what_was_fetched(ensembl, shipped, server, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"'CHECKSUMS' is needed and DNACLIP_OFFLINE forbids to fetch it from http"):
        complete_table(base_url=ensembl[0], model=Toy(), progress=False)
    monkeypatch.delenv("DNACLIP_OFFLINE")
    complete_table(base_url=ensembl[0], model=Toy(), out=tmp_path / "a", progress=False)
    gets = dict(server.gets)
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    complete_table(base_url=ensembl[0], model=Toy(), out=tmp_path / "b", progress=False)
    assert server.gets == gets
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("way", ["mirror folder", "mirror address", "folder as base_url"])
def test_other_sources(ensembl, shipped, server, tmp_path, monkeypatch, way):
    for path, body in ensembl[1].items():
        file = tmp_path / "mirror/ensembl" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        server.put(f"/mirror/ensembl/{path}", body)
    base = tmp_path / "mirror/ensembl" if way == "folder as base_url" else None
    if way == "mirror address":
        monkeypatch.setenv("DNACLIP_MIRROR", f"{server.url}/mirror")
    else:
        monkeypatch.setenv("DNACLIP_OFFLINE", "1")
        if way == "mirror folder":
            monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path / "mirror"))
    assert len(complete_table(base_url=base, model=Toy(), progress=False)) == 6
    assert all(path.startswith("/mirror/") for path in server.gets)


def test_unusable_arguments(ensembl, shipped, server, cache, tmp_path):
    good: dict[str, Any] = {"base_url": ensembl[0], "model": Toy(), "progress": False}
    (tmp_path / "a file").touch()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"species": "martian"}, "species='martian' is not known"),
        ({"release": 0}, "release=0 must be the number of an Ensembl release"),
        ({"release": "113"}, "release='113' must be"),
        ({"release": True}, "release=True must be"),
        ({"feature": "introns"}, "feature='introns' is not known. Use one of: 'cds+ncrna', 'cds', 'cdna'"),
        ({"base_url": "ftp://ftp.ensembl.org/pub"}, "base_url must be an http(s) address or an existing folder"),
        ({"model": 3}, "model must be a name, or have a method encode_dna; got int"),
        ({"model": Toy("other"), "out": tmp_path / "x", "table": shipped}, "Vectors of two models cannot be compared"),
        ({"model": Toy(weights="b" * 64)}, "with weights aaaaaaaaaaaa, but the model given is 'toy' with weights bbbb"),
        ({"species": "mouse", "table": shipped, "out": tmp_path / "x"}, "The table is of 'human'"),
        ({"table": shipped}, "With a table of your own, the result is not put where load_table finds it"),
        ({"out": tmp_path}, "cannot be written: give the name of a file"),
        ({"out": tmp_path / "a file/x"}, "cannot be written: give the name of a file"),
    ]
    for change, message in refused:
        with pytest.raises(InputError, match=re.escape(message)):
            complete_table(**(good | change))
    # All of this was noticed before anything was fetched.
    assert not server.gets
    assert not cache.exists()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (lambda n: np.ones((n, 3)), r"gave vectors of shape \(3, 3\), the table needs \(3, 5\)"),
        (lambda n: np.ones((n + 1, 5)), r"gave vectors of shape \(4, 5\)"),
        (lambda n: np.full((n, 5), np.nan), "no finite vector for 3 genes: 'ENSG01', 'ENSG04', 'ENSG05'"),
        (lambda n: np.zeros((n, 5)), r"sides\['dna'\] has 3 rows that are zero"),
    ],
)
def test_model_that_gives_nonsense(ensembl, shipped, cache, monkeypatch, vectors, message):
    toy = Toy()
    monkeypatch.setattr(toy, "encode_dna", lambda sequences: vectors(len(sequences)))
    with pytest.raises(InputError, match=message):
        complete_table(base_url=ensembl[0], model=toy, progress=False)
    assert not (cache / "completed").exists()


def test_batches_do_not_matter(ensembl, shipped, tmp_path, monkeypatch, capsys):
    complete_table(base_url=ensembl[0], model=Toy(), out=tmp_path / "a", progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("dnaclip.datasets._fill.BATCH", 1)
    complete_table(base_url=ensembl[0], model=Toy(), out=tmp_path / "b")
    assert "encoding: 100%" in capsys.readouterr().err
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_old_table_survives_a_failure(ensembl, shipped, server, tmp_path):
    out = tmp_path / "table.safetensors"
    complete_table(base_url=ensembl[0], model=Toy(), out=out, progress=False)
    before = out.read_bytes()

    class Stops(Toy):
        def encode_dna(self, sequences: list[str]) -> np.ndarray:
            msg = "stopped"
            raise InputError(msg)

    with pytest.raises(InputError, match="stopped"):
        complete_table(base_url=ensembl[0], model=Stops(), out=out, progress=False)
    assert out.read_bytes() == before
    assert not list(tmp_path.glob(".table*"))


def test_command_complete_table(ensembl, shipped, tmp_path, monkeypatch):
    monkeypatch.setattr("dnaclip.models.load_pretrained", lambda name: Toy(name), raising=False)
    out = tmp_path / "table.safetensors"
    arguments = ["complete-table", "--model", "toy", "--base-url", ensembl[0], "--out", str(out), "--no-progress"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "EmbeddingTable(human, model toy, 6 genes" in result.stdout
    assert Path(out).is_file()
    result = CliRunner().invoke(app, [*arguments, "--release", "99"])
    assert result.exit_code == 1
    assert "Error: 'CHECKSUMS' could not be fetched" in result.stderr
    assert result.stderr.count("\n") == 2, "what is wrong, and where to look"


def test_commands_fetch(files, server, cache):
    runner = CliRunner()
    result = runner.invoke(app, ["fetch", "--list"])
    assert result.exit_code == 0
    assert "model.config.json" in result.stdout
    assert not server.gets
    result = runner.invoke(app, ["fetch", "one.bin", "--no-progress"])
    assert (result.exit_code, result.stdout) == (0, f"{cache / 'one.bin'}\n")
    result = runner.invoke(app, ["fetch", "model", "--no-progress"])
    assert (result.exit_code, result.stdout) == (0, f"{cache / 'model'}\n")
    result = runner.invoke(app, ["fetch", "all", "--no-progress"])
    assert len(result.stdout.splitlines()) == 3
    assert sum(server.gets.values()) == 3
    result = runner.invoke(app, ["fetch", "one.bim"])
    assert result.exit_code == 1
    assert "Error: There is no asset 'one.bim'. Near names: 'one.bin'." in result.stderr
    result = runner.invoke(app, ["fetch"])
    assert result.exit_code == 2
    assert "Say what to fetch" in result.stderr
