"""`datasets.gene_sets`: every form of source, what is mended, what is refused, and that nothing is fetched unasked."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING, Any

import gseapy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip.datasets import gene_sets, list_assets
from dnaclip.errors import DnaclipError, DownloadError, InputError, MissingKeyError

if TYPE_CHECKING:
    from pathlib import Path

GMT = "TCR\thttp://x\tCD3D\tCD3E\nBCR\t\tCD79A\n"
SETS = {"TCR": ["CD3D", "CD3E"], "BCR": ["CD79A"]}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every attempt to reach Enrichr an error of the test."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(gseapy, "get_library", refuse)


@pytest.mark.parametrize(
    "data",
    [
        GMT.encode(),
        GMT.replace("\n", "\r\n").encode(),
        GMT.replace("\n", "\r").encode(),
        GMT.rstrip("\n").encode(),
        b"\xef\xbb\xbf" + GMT.encode(),
        gzip.compress(GMT.encode(), mtime=0),
        GMT.replace("CD3E", "CD3E\tCD3E\t\t CD3D ").encode(),
        GMT.replace("CD3D", "CD3D,0.5").replace("CD79A", "CD79A,-1e-3").encode(),
        GMT.replace("\n", "\n\n  \n").encode(),
    ],
    ids=["plain", "windows", "old mac", "no end", "mark", "gzip", "repeated genes", "weights", "blank lines"],
)
@pytest.mark.usefixtures("no_network")
def test_gmt_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sets.gmt"
    path.write_bytes(data)
    assert gene_sets(path) == SETS
    assert gene_sets(str(path)) == SETS


def test_names_with_commas_that_are_no_weights_stay(tmp_path: Path) -> None:
    (tmp_path / "a.gmt").write_text("S\t\tA,B\tHLA-A\tTRBV6-2,alt\n")
    assert gene_sets(tmp_path / "a.gmt") == {"S": ["A,B", "HLA-A", "TRBV6-2,alt"]}


def test_a_repeated_name_adds_its_genes_and_empty_sets_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.gmt").write_text("S\td\tA\tB\nT\td\nS\td\tB\tC\n")
    with caplog.at_level(logging.INFO, "dnaclip"):
        assert gene_sets(tmp_path / "a.gmt") == {"S": ["A", "B", "C"]}
    assert "1 names of gene sets occur more than once" in caplog.text
    assert "1 gene sets" in caplog.text
    assert "are empty" in caplog.text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "There is no gene set in .*it is empty"),
        (b"\n \n", "it is empty"),
        (b"S\td\nT\td\t\t\n", "all 2 sets are without genes"),
        (b"TP53\nACTB\n", r"is not a GMT file: 2 of 2 lines have no tab \('TP53', 'ACTB'\)"),
        (b"S\t\t\xff\xfe\n", "cannot be read as a GMT file"),
        (gzip.compress(GMT.encode(), mtime=0)[:-9], "cannot be read as a GMT file"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "bad.gmt").write_bytes(data)
    with pytest.raises(InputError, match=message):
        gene_sets(tmp_path / "bad.gmt")


@pytest.mark.usefixtures("no_network")
def test_a_file_that_is_not_there_is_not_taken_for_a_library(tmp_path: Path) -> None:
    for source in (tmp_path / "no.gmt", "no.gmt", str(tmp_path / "no"), "no.gmt.gz"):
        with pytest.raises(InputError, match="There is no GMT file"):
            gene_sets(source)
    with pytest.raises(InputError, match="cannot be read"):
        gene_sets(tmp_path)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.text(alphabet="AB\t\n\r,1", max_size=80).map(str.encode))
def test_any_bytes_give_sets_or_one_kind_of_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.gmt"
    path.write_bytes(data)
    try:
        sets = gene_sets(path)
    except DnaclipError:
        return
    assert sets
    assert all(genes and len(set(genes)) == len(genes) and "" not in genes for genes in sets.values())


def test_dictionaries_are_copied_and_cleaned() -> None:
    given_sets = {"S": ("A", " B ", None, np.nan, "", "A"), 7: {"C"}}
    assert gene_sets(given_sets) == {"S": ["A", "B"], "7": ["C"]}
    assert given_sets["S"] == ("A", " B ", None, np.nan, "", "A")
    with pytest.raises(InputError, match="The gene set 'S' must be a list of gene names, got 'TP53'"):
        gene_sets({"S": "TP53"})
    with pytest.raises(InputError, match="There is no gene set in the dictionary: it is empty"):
        gene_sets({})


def test_long_tables() -> None:
    table = pd.DataFrame(
        {
            "source": pd.Categorical(["T", "S", "S", None, "S"], categories=["S", "T", "never"]),
            "target": ["C", "A", "B", "D", None],
            "weight": [1.0, -1, 2, 3, 4],
        }
    )
    assert gene_sets(table) == {"T": ["C"], "S": ["A", "B"]}
    entrez = pd.DataFrame({"source": ["S", "S", "S"], "target": [7157, np.nan, 60]})
    assert gene_sets(entrez) == {"S": ["7157", "60"]}
    with pytest.raises(MissingKeyError, match="'source' and 'target'|'source' .* and 'target'") as caught:
        gene_sets(table.rename(columns={"source": "geneset", "target": "genesymbol"}))
    assert "'geneset', 'genesymbol', 'weight'" in str(caught.value)
    with pytest.raises(InputError, match="There is no gene set in the table"):
        gene_sets(table[:0])
    with pytest.raises(InputError, match="must be a GMT file, a dictionary, a table or a name, got list"):
        gene_sets(["A"])


def test_a_library_is_downloaded_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DNACLIP_OFFLINE", raising=False)
    asked: dict[str, str] = {}

    def library(name: str, organism: str, **_: Any) -> dict[str, list[str]]:
        asked.update(name=name, organism=organism)
        return {"S": ["A", "B"]}

    monkeypatch.setattr(gseapy, "get_library", library)
    assert gene_sets("Reactome_2022", organism="mouse") == {"S": ["A", "B"]}
    assert asked == {"name": "Reactome_2022", "organism": "mouse"}
    assert "Downloading the gene sets 'Reactome_2022' (mouse) from Enrichr" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("Sorry"), InputError, "'Nothing_2022' is neither a file nor an Enrichr library for human"),
        (ConnectionError("refused"), DownloadError, "could not be downloaded from Enrichr: refused"),
    ],
)
def test_a_library_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], message: str
) -> None:
    monkeypatch.delenv("DNACLIP_OFFLINE", raising=False)

    def library(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(gseapy, "get_library", library)
    with pytest.raises(kind, match=message) as caught:
        gene_sets("Nothing_2022")
    assert "hallmark-7.0" in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_offline_a_library_is_refused_before_any_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    with pytest.raises(DownloadError, match="DNACLIP_OFFLINE forbids to ask Enrichr"):
        gene_sets("Reactome_2022")


@pytest.mark.usefixtures("no_network")
def test_registered_sets_come_from_a_mirror_checked(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The folder holds the same files by other names.
    names = {
        "hallmark-7.0": ("msigdb_h.all.v7.0.symbols.gmt", 50),
        "reactome-7.0": ("msigdb_c2.cp.reactome.v7.0.symbols.gmt", 1499),
        "go-cc-7.0": ("msigdb_c5.cc.v7.0.symbols.gmt", 1001),
        "go-mf-7.0": ("msigdb_c5.mf.v7.0.symbols.gmt", 1645),
        "go-bp-2021": ("enrichr_GO_Biological_Process_2021.gmt", 6036),
    }
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("DNACLIP_MIRROR", str(mirror))
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    assets = list_assets()
    assert set(assets.index[assets["kind"] == "gene-sets"]) == set(names)
    for name, (file, n_sets) in names.items():
        (mirror / str(assets.loc[name, "file"])).write_bytes((shared_data / "genesets" / file).read_bytes())
        sets = gene_sets(name)
        assert len(sets) == n_sets
        assert min(map(len, sets.values())) >= 1
    assert "TNFAIP3" in gene_sets("hallmark-7.0")["HALLMARK_TNFA_SIGNALING_VIA_NFKB"]


@pytest.mark.usefixtures("no_network")
def test_a_registered_set_that_is_not_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "h.all.v7.0.symbols.gmt").write_text(GMT)
    monkeypatch.setenv("DNACLIP_MIRROR", str(mirror))
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    with pytest.raises(DownloadError, match="h.all.v7.0.symbols.gmt"):
        gene_sets("hallmark-7.0")
