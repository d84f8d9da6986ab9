"""Ready vectors: every form they are published in, what they refuse, and pickles that try to run something."""

from __future__ import annotations

import collections
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.encoders import VectorTable, read_vectors
from dnaclip.encoders._vectors.plain_pickle import read_plain_pickle

RNG = np.random.default_rng(3)
VECTORS = RNG.normal(size=(4, 37))
CONVERSIONS = {
    "list": lambda vector: vector.tolist(),
    "tuple": lambda vector: tuple(vector.tolist()),
    "short list": lambda vector: vector[:3].tolist(),
    "float16": lambda vector: vector.astype(np.float16),
    "float32": lambda vector: vector.astype(np.float32),
    "float64": lambda vector: vector,
    "big-endian": lambda vector: vector.astype(">f8"),
    "fortran": lambda vector: np.asfortranarray(vector[:, None]),
    "integers": lambda vector: (100_000 * vector).astype(int).tolist(),
    "scalars": list,
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", CONVERSIONS)
def test_pickles_give_what_unpickling_would(tmp_path: Path, form: str, protocol: int) -> None:
    content = {f"GENE{i}": CONVERSIONS[form](vector) for i, vector in enumerate(VECTORS)}
    content["ALIAS"] = content["GENE0"]
    (tmp_path / "vectors.pickle.").write_bytes(pickle.dumps(content, protocol=protocol))
    table = read_vectors(tmp_path / "vectors.pickle.")
    assert table.ids == list(content)
    expected = np.stack([np.asarray(vector, dtype=np.float32).ravel() for vector in content.values()])
    np.testing.assert_array_equal(table.vectors, expected)
    assert len(table._distinct) == 4, "an alias should share the row of its gene"


def test_a_long_pickle_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnaclip.encoders._vectors.pickle_stream.CHUNK", 100)
    monkeypatch.setattr("dnaclip.encoders._vectors.pickle_stream.LONGEST_RUN", 64)
    content = {f"g{i}": RNG.normal(size=2500).tolist() for i in range(5)}
    (tmp_path / "x").write_bytes(pickle.dumps(content))
    np.testing.assert_array_equal(
        read_vectors(tmp_path / "x").vectors, np.array(list(content.values()), dtype=np.float32)
    )


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.target}",))


def malicious(target: Path) -> dict[str, bytes]:
    command = f"touch {target}".encode()
    return {
        "protocol 2": pickle.dumps({"g": Evil(target)}, protocol=2),
        "protocol 4": pickle.dumps({"g": Evil(target)}, protocol=4),
        "old": b"cos\nsystem\n(S'" + command + b"'\ntR.",
        "global": b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R.",
        "instance": b"\x80\x02(X" + struct.pack("<I", len(command)) + command + b"ios\nsystem\n.",
        "object": b"\x80\x02(cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"o.",
        "builtins": b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        "extension": b"\x80\x02\x82\x01.",
        "persistent": b"\x80\x02X\x01\x00\x00\x00aQ.",
        "new object": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93.",
        "not text": b"\x80\x04K\x01K\x02\x93.",
        "attributes of a function": b"\x80\x02cnumpy\ndtype\n}X\x08\x00\x00\x00__code__K\x01sb.",
        "called array": b"\x80\x02cnumpy\nndarray\nX\x01\x00\x00\x00a\x85R.",
        "objects in an array": pickle.dumps({"g": np.array([Evil(target)], dtype=object)}, protocol=4),
    }


@pytest.mark.parametrize("name", malicious(Path("x")))
def test_nothing_in_a_pickle_runs(tmp_path: Path, name: str) -> None:
    target = tmp_path / "was-here"
    (tmp_path / "bad.pickle").write_bytes(malicious(target)[name])
    with pytest.raises(InputError, match=r"pickle is not read.*Nothing of it was run|cannot be read as vectors"):
        read_vectors(tmp_path / "bad.pickle")
    assert not target.exists()


def test_the_malicious_pickle_would_have_run(tmp_path: Path) -> None:
    target = tmp_path / "was-here"
    pickle.loads(malicious(target)["protocol 4"])
    assert target.exists()


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_pickle_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    data = pickle.dumps({f"g{i}": vector.tolist() for i, vector in enumerate(VECTORS[:, :10])})
    (tmp_path / "x").write_bytes(data[: min(cut, len(data) - 1)] if cut else data[:1])
    with pytest.raises(InputError):
        read_vectors(tmp_path / "x")


def test_damaged_pickles_raise_nothing_but_our_error(tmp_path: Path) -> None:
    data = pickle.dumps({"g": VECTORS[0].astype(np.float32), "h": VECTORS[1].astype(np.float32)}, protocol=4)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        changed = bytearray(data)
        for at in rng.integers(2, len(data), size=rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        (tmp_path / "x").write_bytes(changed)
        try:
            read_vectors(tmp_path / "x")
        except InputError:
            refused += 1
    assert refused > 50


def test_a_size_that_is_made_up_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60))
    with pytest.raises(InputError, match="ends in the middle"):
        read_vectors(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no dictionary from gene to vector"),
        ([1.0, 2.0], "no dictionary from gene to vector"),
        ({"a": [1.0], "b": [1.0, 2.0]}, r"lengths 1, 2; other than the first: 'b'"),
        ({"a": []}, "lengths 0"),
        ({"a": "text"}, "holds for 'a' is no vector"),
        ({"a": [1.0, "text"]}, "holds for 'a' is no vector"),
        ({"a": [[1.0], [2.0]]}, "holds for 'a' is no vector"),
        ({"a": np.ones((2, 2))}, "holds for 'a' is no vector"),
        ({"a": None}, "holds for 'a' is no vector"),
        ({"a": [1.0, float("nan")]}, "NaN or infinite numbers: those of 'a'"),
        ({(1, 2): [1.0]}, "keys other than text"),
        ({"a": collections.OrderedDict()}, "names 'collections.OrderedDict'"),
        ({"a": np.array(["x"])}, "makes a dtype of something other than numbers"),
    ],
)
def test_pickles_of_something_else_are_refused(tmp_path: Path, content: object, message: str) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "x")


TEXTS = {
    "gene2vec": "TP53\t0.5 -1.25 3 \nACTB\t1 2 1e-3 \n",
    "word2vec": "2 3\nTP53 0.5 -1.25 3\nACTB 1 2 1e-3\n",
    "csv": "TP53,0.5,-1.25,3\nACTB,1,2,1e-3\n",
    "csv with names": '\ufeffgene,d1,d2,d3\r\n"TP53",0.5,-1.25,3\r\nACTB,1,2,1e-3\r\n\r\n',
}


@pytest.mark.parametrize("form", TEXTS)
def test_text_with_one_gene_a_line(tmp_path: Path, form: str) -> None:
    (tmp_path / "v.txt").write_text(TEXTS[form], encoding="utf-8", newline="")
    table = read_vectors(tmp_path / "v.txt")
    assert table.ids == ["TP53", "ACTB"]
    np.testing.assert_array_equal(table.vectors, np.array([[0.5, -1.25, 3], [1, 2, 1e-3]], dtype=np.float32))
    assert table.name == "v.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line with a gene"),
        ("gene d1 d2\n", "no line with a gene"),
        ("A 1 2\nB 1\n", r"lengths 1, 2; other than the first: 'B'"),
        ("A 1 2\nB 1 x\n", "line 2 holds something other"),
        ("A 1 2\nA 2 3\n", "more than once: 'A'"),
        ("A 1 inf\n", "NaN or infinite"),
        ("\udcff\udcfe", "neither a pickle, nor an archive, nor text"),
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "v.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v.txt")


def test_a_folder_with_a_list_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "genes.txt").write_text("7157\n60\n")
    (tmp_path / "vectors.csv").write_text("0.5,1\n-1,2\n")
    assert read_vectors(tmp_path).encode(["60"]).tolist() == [[-1.0, 2.0]]
    (tmp_path / "genes.txt").write_text("7157\n")
    with pytest.raises(InputError, match="names 1 genes, vectors.csv holds 2 vectors"):
        read_vectors(tmp_path)
    (tmp_path / "more.txt").touch()
    with pytest.raises(InputError, match="there are 2 and 1"):
        read_vectors(tmp_path)


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/one.pickle.", pickle.dumps({"A": [1.0, 2.0]}))
        archive.writestr("folder/two.txt", "B 1 2\n")
    assert read_vectors(tmp_path / "a.zip", member="one.pickle.", name="mine").name == "mine"
    assert read_vectors(tmp_path / "a.zip", member="folder/two.txt").ids == ["B"]
    for member in (None, "three"):
        with pytest.raises(InputError, match=r"'folder/one.pickle.', 'folder/two.txt'. Name one of them"):
            read_vectors(tmp_path / "a.zip", member=member)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    with pytest.raises(InputError, match="archive is damaged"):
        read_vectors(tmp_path / "cut.zip")
    (tmp_path / "plain").write_text("A 1")
    with pytest.raises(InputError, match="no zip archive"):
        read_vectors(tmp_path / "plain", member="x")
    with pytest.raises(InputError, match="No such file"):
        read_vectors(tmp_path / "nothing")


def test_tables_come_back_from_disk(tmp_path: Path) -> None:
    rows = np.array([0, 1, 0], dtype=np.int32)
    table = VectorTable(["A", "B", "ä"], np.eye(2, 5), rows=rows, name="mine", facts={"a": [1, None]})
    table.save(tmp_path / "t.safetensors")
    again = VectorTable.load(tmp_path / "t.safetensors")
    assert (again.name, again.ids, again.facts) == (table.name, table.ids, table.facts)
    np.testing.assert_array_equal(again.vectors, table.vectors)
    np.testing.assert_array_equal(read_vectors(tmp_path / "t.safetensors").vectors, table.vectors)
    assert repr(again) == "VectorTable('mine', 3 vectors of 5)"
    assert len(again) == 3
    assert "ä" in again
    assert "C" not in again
    assert again.to_frame().to_numpy()[2].tolist() == [1, 0, 0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["t.safetensors"]


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    VectorTable(["A", "B"], np.eye(2)).save(path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    for at in (8 + size, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(InputError, match="damaged"):
            VectorTable.load(path)
    path.write_bytes(data[:-3])
    with pytest.raises(InputError, match="damaged"):
        VectorTable.load(path)
    header = json.loads(data[8 : 8 + size])
    record = json.loads(header["__metadata__"]["dnaclip_vectors"])
    header["__metadata__"]["dnaclip_vectors"] = json.dumps(record | {"format_version": 9})
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + size :])
    with pytest.raises(InputError, match="format version 9; this dnaclip reads 1"):
        VectorTable.load(path)
    with pytest.raises(InputError, match="no table of vectors at"):
        VectorTable.load(tmp_path / "nothing")


def test_looking_up_leaves_nan_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    table = VectorTable(["A", "B"], np.eye(2), name="toy")
    caplog.set_level("INFO")
    assert np.isnan(table.encode(["B", "C", "B"])).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert "1 of 3 identifiers have no vector in toy" in caplog.text
    assert table.encode([]).shape == (0, 2)
    with pytest.raises(InputError, match="None of 2 identifiers.*It has such as 'A', 'B'"):
        table.encode(["C", "D"])


@pytest.mark.parametrize(
    ("ids", "vectors", "rows", "message"),
    [
        (["A"], np.eye(2), None, "1 identifiers do not fit 2 vectors"),
        (["A", "B"], np.ones(2), None, r"one row \(n, d\) each"),
        (["A", "A"], np.eye(2), None, "more than once: 'A'"),
        (["A", ""], np.eye(2), None, "empty, hold a line end"),
        (["A", "B\nC"], np.eye(2), None, "empty, hold a line end"),
        (["A", "B"], np.array([[1.0], [np.nan]]), None, "those of 'B'"),
        (["A", "B"], np.eye(2), [0, 2], "do not fit 2 vectors"),
        (["A", "B"], np.eye(2), [0], "one row"),
    ],
)
def test_tables_that_do_not_fit_are_refused(ids: list[str], vectors: np.ndarray, rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        VectorTable(ids, vectors, rows=rows)


def test_plain_values_are_read_as_they_are(tmp_path: Path) -> None:
    value = {"a": (1, -5, 2**40, True, None, b"x", "ü"), 3: 0.25}
    (tmp_path / "x").write_bytes(pickle.dumps(value, protocol=4))
    with (tmp_path / "x").open("rb") as file:
        assert read_plain_pickle(file) == value
