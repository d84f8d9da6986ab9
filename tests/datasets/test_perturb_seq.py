"""Perturbation screens: fetched from a local server, named in one form, and never more in memory than asked for."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy import sparse

from dnaclip import datasets
from dnaclip._errors import DownloadError, InputError, MissingKeyError
from dnaclip.datasets import _hct116, _registry, _screens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What the files say, and the condition that is meant (None: not known, left out).
SCREENS: dict[str, tuple[str, str, dict[Any, str | None]]] = {
    "norman2019": ("norman2019", "perturbation", {"control": "ctrl", "KLF1": "KLF1+ctrl", "SET_KLF1": "KLF1+SET"}),
    "adamson2016": (
        "adamson2016-upr",
        "perturbation",
        {"63(mod)_pBA580": "ctrl", "Gal4-4(mod)_pBA582": "ctrl", "OST4_pDS353": "OST4+ctrl", "*": None, "<NA>": None},
    ),
    "dixit2016": (
        "dixit2016",
        "perturbation",
        {
            "p_INTERGENIC393453 + p_INTERGENIC216151": "ctrl",
            "p_sgELF1_5 + p_sgELF1_2": "ELF1+ctrl",
            "p_sgNR2C2_5 + p_sgELF1_2": "ELF1+NR2C2",
            "p_sgYY1_3 + p_INTERGENIC393453": "YY1+ctrl",
            "control": None,
        },
    ),
    "papalexi2021": (
        "papalexi2021",
        "perturbation",
        {"control": "ctrl", "NTg2": "ctrl", "IFNGR2g3": "IFNGR2+ctrl", "IFNGR2g1": "IFNGR2+ctrl"},
    ),
    "replogle2022_k562": ("replogle2022-k562", "gene", {"non-targeting": "ctrl", "HLA-A": "HLA-A+ctrl"}),
    "replogle2022_rpe1": ("replogle2022-rpe1", "gene", {"control": "ctrl", "RPL3": "RPL3+ctrl"}),
    "virtual_cell_challenge": (
        "virtual-cell-challenge-h1",
        "target_gene",
        {"non-targeting": "ctrl", "TMSB4X": "TMSB4X+ctrl"},
    ),
}
CELL_TYPES = {"papalexi2021": "THP-1", "replogle2022_rpe1": "RPE1", "virtual_cell_challenge": "H1"}
EACH = 6


def screen(column: str, labels: dict[Any, str | None], n_genes: int = 5) -> ad.AnnData:
    names = np.repeat(np.array(list(labels), dtype=object), EACH)
    counts = np.random.default_rng(0).poisson(3, (len(names), n_genes)).astype(np.float32)
    obs = pd.DataFrame({column: pd.Categorical(names)}, index=[f"cell{i}" for i in range(len(names))])
    return ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(n_genes)]))


def written(adata: ad.AnnData, path: Path) -> bytes:
    adata.write_h5ad(path)
    return path.read_bytes()


@pytest.fixture
def register(tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts files on the server, and into a registry with whatever is known of them."""
    entries: list[dict[str, Any]] = []
    monkeypatch.setattr(_registry, "REGISTRY_FILE", tmp_path / "registry.yaml")

    def add(name: str, body: bytes, *, file: str = "", **known: Any) -> None:
        file = file or f"{name}.h5ad"
        entry = {
            "name": name,
            "file": file,
            "kind": "dataset",
            "licence": "unknown",
            "url": server.put(f"/{file}", body),
        }
        entries.append(entry | known)
        (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"base_url": None, "assets": entries}))
        _registry._load.cache_clear()

    yield add
    _registry._load.cache_clear()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


# -- one call for each data set --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCREENS)
def test_one_call_gives_conditions(name: str, register: Callable[..., None], tmp_path: Path) -> None:
    asset, column, labels = SCREENS[name]
    made = screen(column, labels)
    body = written(made, tmp_path / "made.h5ad")
    register(asset, body, md5=md5(body), bytes=len(body))
    adata = getattr(datasets, name)(progress=False)
    expected = made.obs[column].astype(object).map(labels)
    kept = expected.notna().to_numpy()
    assert adata.obs["condition"].tolist() == expected[kept].tolist()
    np.testing.assert_array_equal(adata.X.toarray(), made.X[kept].toarray())
    assert not adata.isbacked
    assert set(adata.obs["cell_type"]) == {CELL_TYPES.get(name, "K562")}
    assert adata.uns["dataset"]["checksum"] == f"md5:{md5(body)}"
    assert adata.uns["dataset"]["licence"] == "unknown"
    adata.write_h5ad(tmp_path / "again.h5ad")


def test_other_experiments_of_adamson(register: Callable[..., None], tmp_path: Path) -> None:
    labels: dict[Any, str | None] = {
        "3x_neg_ctrl_pMJ144-1": "ctrl",
        "PERK_only_pMJ146": "EIF2AK3+ctrl",
        "ATF6_PERK_IRE1_pMJ158": "ATF6+EIF2AK3+ERN1",
    }
    body = written(screen("perturbation", labels), tmp_path / "made.h5ad")
    register("adamson2016-epistasis", body, md5=md5(body))
    adata = datasets.adamson2016("epistasis", progress=False)
    assert adata.obs["condition"].unique().tolist() == list(labels.values())
    with pytest.raises(InputError, match="experiment='all' is not known. Use one of: 'upr', 'epistasis', 'pilot'"):
        datasets.adamson2016("all")


@pytest.fixture
def norman(register: Callable[..., None], tmp_path: Path) -> ad.AnnData:
    made = screen("perturbation", SCREENS["norman2019"][2] | {"*": None})
    made.var_names = ["g0", "g1", "g1", "g2", "g3"]
    body = written(made, tmp_path / "made.h5ad")
    register("norman2019", body, md5=md5(body), bytes=len(body))
    return made


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_log_normalised_where_asked(norman: ad.AnnData) -> None:
    adata = datasets.norman2019(normalize=True, progress=False)
    counts = norman.X[: adata.n_obs].toarray()
    np.testing.assert_allclose(adata.X.toarray(), np.log1p(1e4 * counts / counts.sum(1, keepdims=True)), rtol=1e-5)
    assert adata.var_names.tolist() == ["g0", "g1", "g1-1", "g2", "g3"]


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_a_part_of_the_cells(norman: ad.AnnData) -> None:
    first, again, other = (datasets.norman2019(max_cells=2, rng=rng, progress=False) for rng in (0, 0, 1))
    assert first.obs["condition"].value_counts().to_dict() == {"ctrl": EACH, "KLF1+ctrl": 2, "KLF1+SET": 2}
    assert first.obs_names.equals(again.obs_names)
    assert not first.obs_names.equals(other.obs_names)
    assert first.obs_names.tolist() == sorted(first.obs_names, key=lambda name: int(name[4:])), "in the file's order"
    np.testing.assert_array_equal(first.X.toarray(), norman[first.obs_names].X.toarray())


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_backed(norman: ad.AnnData, caplog: pytest.LogCaptureFixture) -> None:
    adata = datasets.norman2019(backed=True, progress=False)
    try:
        assert adata.isbacked
        assert adata.n_obs == norman.n_obs
        assert adata.obs["condition"].isna().sum() == EACH
        assert f"The condition of {EACH} cells is not known (NaN)" in caplog.text
    finally:
        adata.file.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backed": True, "normalize": True}, "cannot go with normalize=True or max_cells"),
        ({"backed": True, "max_cells": 5}, "cannot go with normalize=True or max_cells"),
        ({"max_cells": 0}, "max_cells must be a whole number of at least 1"),
        ({"rng": "one"}, "rng must be an int"),
    ],
)
def test_options_are_checked_before_fetching(options: dict[str, Any], message: str, server: Any) -> None:
    with pytest.raises(InputError, match=message):
        datasets.norman2019(**options)
    assert not server.gets


def test_expression_that_is_no_counts(register: Callable[..., None], tmp_path: Path) -> None:
    made = screen("perturbation", SCREENS["norman2019"][2])
    made.X = made.X / 3
    register("norman2019", written(made, tmp_path / "made.h5ad"))
    with pytest.raises(InputError, match="does not hold counts, so it is not log-normalised again"):
        datasets.norman2019(normalize=True, progress=False)


def test_file_that_is_no_h5ad(register: Callable[..., None]) -> None:
    register("norman2019", b"not at all")
    with pytest.raises(InputError, match=r"norman2019.h5ad' cannot be read as an h5ad file"):
        datasets.norman2019(progress=False)


# -- checksums -------------------------------------------------------------------------------------------------------


def test_md5_is_checked(
    register: Callable[..., None], server: Any, cache: Path, left: Callable[..., list[str]]
) -> None:
    body = b"right" * 100
    register("norman2019", body, md5=md5(body))
    server.put("/norman2019.h5ad", b"wrong" * 100)
    with pytest.raises(DownloadError, match=rf"its checksum is md5 \w+ instead of {md5(body)}") as caught:
        datasets.fetch("norman2019", progress=False)
    assert "(size not known, md5 " in str(caught.value)
    assert left(cache) == []
    server.put("/norman2019.h5ad", body)
    assert datasets.fetch("norman2019", progress=False).read_bytes() == body
    assert left(cache) == ["norman2019.h5ad"], "nothing is recorded when a checksum is known"


def test_sha256_comes_before_md5(register: Callable[..., None]) -> None:
    body = b"right"
    register("norman2019", body, md5="0" * 32, sha256=hashlib.sha256(body).hexdigest())
    assert datasets.fetch("norman2019", progress=False).read_bytes() == body


@pytest.mark.parametrize("fault", ["404", "cut", "web page", "empty", "size"])
def test_faults_without_a_checksum(
    fault: str, register: Callable[..., None], server: Any, cache: Path, left: Callable[..., list[str]]
) -> None:
    body = b"right" * 1000
    register("norman2019", body, **({"bytes": len(body)} if fault in ("size", "web page") else {}))
    answers = {
        "404": (server.status(404), "404 Not Found"),
        "cut": (server.cut(body, 900), "the connection broke off"),
        "web page": (server.good(b"<!DOCTYPE html>login"), "a web page came instead of the file"),
        "empty": (server.good(b""), "it is empty"),
        "size": (server.good(body[:-1]), "it has 4999 bytes instead of 5000 bytes"),
    }
    server.put("/norman2019.h5ad", answers[fault][0])
    with pytest.raises(DownloadError, match=answers[fault][1]):
        datasets.fetch("norman2019", progress=False)
    assert left(cache) == []


def test_first_copy_is_trusted_and_later_ones_compared(
    register: Callable[..., None],
    server: Any,
    cache: Path,
    left: Callable[..., list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = b"first" * 100
    checksum = hashlib.sha256(body).hexdigest()
    register("norman2019", body)
    path = datasets.fetch("norman2019", progress=False)
    assert f"this first copy is trusted. Its SHA-256 is {checksum}" in caplog.text
    record = cache / "norman2019.h5ad.sha256"
    assert record.read_text() == f"{checksum}  norman2019.h5ad\n"
    assert left(cache) == ["norman2019.h5ad", "norman2019.h5ad.sha256"]

    caplog.clear()
    assert datasets.fetch("norman2019") == path
    assert server.gets["/norman2019.h5ad"] == 1
    assert caplog.text == ""

    # A damaged copy is mended from the same source.
    path.write_bytes(b"damaged")
    assert datasets.fetch("norman2019", progress=False).read_bytes() == body

    # Another file under the same address is refused, and the advice works.
    path.write_bytes(b"damaged")
    server.put("/norman2019.h5ad", b"other" * 100)
    with pytest.raises(DownloadError, match="compared with the first copy that came to this machine") as caught:
        datasets.fetch("norman2019", progress=False)
    assert f"delete {str(record)!r}" in str(caught.value)
    record.unlink()
    path.unlink()
    assert datasets.fetch("norman2019", progress=False).read_bytes() == b"other" * 100


def test_unreadable_record(register: Callable[..., None], cache: Path) -> None:
    register("norman2019", b"body")
    cache.mkdir()
    (cache / "norman2019.h5ad.sha256").write_text("no checksum")
    with pytest.raises(DownloadError, match="should hold the SHA-256 of a file and its name, and does not"):
        datasets.fetch("norman2019")


def test_first_use_from_a_mirror_folder(
    register: Callable[..., None], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("norman2019", b"of the server")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "norman2019.h5ad").write_bytes(b"of the mirror")
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    assert datasets.fetch("norman2019").read_bytes() == b"of the mirror"
    assert (cache / "norman2019.h5ad.sha256").is_file()


def test_first_use_by_several_processes(
    register: Callable[..., None], server: Any, tmp_path: Path, cache: Path, left: Callable[..., list[str]]
) -> None:
    body = b"first" * 100
    register("norman2019", body)
    server.put("/norman2019.h5ad", server.good(body, after=0.5))
    code = (
        "import sys\nfrom pathlib import Path\nfrom dnaclip.datasets import _registry, fetch\n"
        "_registry.REGISTRY_FILE = Path(sys.argv[1])\nprint(fetch('norman2019', progress=False).read_bytes() == b'first' * 100)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "registry.yaml")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["True\n"] * 2
    assert server.gets["/norman2019.h5ad"] == 1
    assert left(cache) == ["norman2019.h5ad", "norman2019.h5ad.sha256"]


# -- large files -----------------------------------------------------------------------------------------------------


def test_large_file_is_fetched_only_when_confirmed(
    register: Callable[..., None], tmp_path: Path, server: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, column, labels = SCREENS["virtual_cell_challenge"]
    body = written(screen(column, labels), tmp_path / "made.h5ad")
    register("virtual-cell-challenge-h1", body, bytes=len(body), md5=md5(body))
    monkeypatch.setattr(_screens, "LARGE", len(body) - 1)
    with pytest.raises(InputError, match=r"GB and would be written to .* Pass confirm_large=True"):
        datasets.virtual_cell_challenge(progress=False)
    assert not server.gets
    assert not cache.exists()
    assert datasets.virtual_cell_challenge(confirm_large=True, progress=False).n_obs == 2 * EACH
    assert datasets.virtual_cell_challenge(progress=False).n_obs == 2 * EACH, "once here, nobody asks again"


def test_shipped_entries() -> None:
    table = datasets.list_assets()
    table = table[table["kind"] == "dataset"]
    assert {asset for asset, *_ in SCREENS.values()} | {_hct116.GENES} <= set(table.index)
    assert table["url"].str.startswith("https://").all()
    assert (table["licence"] != "").all()
    assert table.loc["norman2019", "md5"] == "c870e6967d91c017d9da827bab183cd6"
    with pytest.raises(InputError, match="'virtual-cell-challenge-h1' is 15.5 GB"):
        datasets.virtual_cell_challenge()


def test_all_does_not_mean_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from dnaclip.cli import app

    fetched: list[str] = []
    monkeypatch.setattr(datasets, "fetch", lambda name, **_: fetched.append(name))
    assert CliRunner().invoke(app, ["fetch", "all"]).exit_code == 0
    kinds = datasets.list_assets().loc[fetched, "kind"]
    assert len(kinds)
    assert "dataset" not in set(kinds)


# -- X-Atlas/Orion ---------------------------------------------------------------------------------------------------

CELLS = [
    # gene numbers, counts, target, passed the filter
    ([3, 10], [1, 2], "Non-Targeting", 1),
    ([7], [5], "ST14", 1),
    ([], [], "ST14", 1),
    ([3, 7, 10], [4, 5, 6], "SIGLEC5", 1),
    ([3], [9], "SIGLEC5", 0),
]


def batch(path: Path, cells: list[Any] = CELLS, **dropped: Any) -> Path:
    ids, counts, targets, passed = zip(*cells, strict=True)
    table = {
        "gene_token_id": pa.array(ids, pa.list_(pa.int64())),
        "gene_expression": pa.array(counts, pa.list_(pa.int64())),
        "cell_barcode": [f"{path.stem}-{i}" for i in range(len(cells))],
        "sample": ["HCT116_Batch1"] * len(cells),
        "guide_target": [f"{target}_P1P2" for target in targets],
        "gene_target": list(targets),
        "pass_guide_filter": list(passed),
    }
    pq.write_table(pa.table({name: column for name, column in table.items() if name not in dropped}), path)
    return path


@pytest.fixture
def atlas(register: Callable[..., None], tmp_path: Path, server: Any) -> Path:
    """Two batches and the list of genes on the server; returns the file of the first batch."""
    genes = pa.table(
        {"gene_token_id": [10, 3, 7], "gene_name": ["GAPDH", "ACTB", "ACTB"], "ensembl_id": ["E10", "E3", "E7"]}
    )
    pq.write_table(genes, tmp_path / "genes.parquet")
    body = (tmp_path / "genes.parquet").read_bytes()
    url = server.put("/atlas/metadata/gene_metadata.parquet", body)
    register(_hct116.GENES, body, file="genes.parquet", sha256=hashlib.sha256(body).hexdigest(), url=url)
    for i in (1, 2):
        server.put(f"/atlas/data/HCT116_Batch{i}.parquet", batch(tmp_path / f"HCT116_Batch{i}.parquet").read_bytes())
    return tmp_path / "HCT116_Batch1.parquet"


def test_hct116_by_batches(atlas: Path, server: Any, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    adata = datasets.hct116(batches=[1, 2], progress=False)
    assert adata.obs["condition"].tolist() == ["ctrl", "ST14+ctrl", "ST14+ctrl", "SIGLEC5+ctrl"] * 2
    assert adata.var_names.tolist() == ["ACTB", "ACTB-1", "GAPDH"]
    assert adata.var["ensembl_id"].tolist() == ["E3", "E7", "E10"]
    np.testing.assert_array_equal(adata[:4].X.toarray(), [[1, 0, 2], [0, 5, 0], [0, 0, 0], [4, 5, 6]])
    assert sparse.issparse(adata.X)
    assert set(adata.obs["cell_type"]) == {"HCT116"}
    assert caplog.text.count("this first copy is trusted") == 2
    assert (cache / "X-Atlas-Orion_HCT116_Batch2.parquet.sha256").is_file()
    datasets.hct116(batches=[1], progress=False)
    assert server.gets["/atlas/data/HCT116_Batch1.parquet"] == 1


def test_hct116_of_some_targets_in_pieces(atlas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip.datasets import _x_atlas

    monkeypatch.setattr(_x_atlas, "CELLS_AT_ONCE", 2)
    adata = datasets.hct116(targets=["SIGLEC5"], progress=False)
    assert adata.obs["condition"].tolist() == ["ctrl", "SIGLEC5+ctrl"]
    np.testing.assert_array_equal(adata.X.toarray(), [[1, 0, 2], [4, 5, 6]])


def test_hct116_from_a_file(atlas: Path, tmp_path: Path) -> None:
    adata = datasets.hct116(path=atlas, normalize=False, progress=False)
    assert adata.n_obs == 4
    made = screen("gene_target", {"Non-Targeting": "ctrl", "ST14": "ST14+ctrl"})
    made.write_h5ad(tmp_path / "HCT116.h5ad")
    adata = datasets.hct116(path=tmp_path / "HCT116.h5ad", normalize=True)
    assert adata.obs["condition"].value_counts().to_dict() == {"ctrl": EACH, "ST14+ctrl": EACH}
    assert adata.X.max() > 5
    backed = datasets.hct116(path=tmp_path / "HCT116.h5ad", backed=True)
    assert backed.isbacked
    backed.file.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": []}, "batches must be numbers from 1 to 109, got none"),
        ({"batches": [110]}, "batches must be numbers from 1 to 109, got 110"),
        ({"batches": ["one"]}, "A batch must be a whole number"),
        ({"batches": range(1, 30)}, "'hct116' is 12.4 GB and would be written"),
        ({"targets": "ST14"}, r"targets is a single string. Pass a list: \['ST14'\]"),
        ({"backed": True}, "backed=True is for an h5ad file"),
        ({"path": "cells.h5ad", "targets": ["ST14"]}, "targets is for Parquet files"),
        ({"path": "cells.h5ad"}, "cannot be read as an h5ad file"),
    ],
)
def test_hct116_is_checked(
    options: dict[str, Any], message: str, atlas: Path, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        datasets.hct116(**options)
    assert not server.gets


def test_hct116_bad_files(atlas: Path, tmp_path: Path) -> None:
    (tmp_path / "page.parquet").write_text("a page")
    with pytest.raises(InputError, match=r"page.parquet' cannot be read as a Parquet file"):
        datasets.hct116(path=tmp_path / "page.parquet", progress=False)
    short = batch(tmp_path / "short.parquet", gene_target=True)
    with pytest.raises(MissingKeyError, match=r"short.parquet' has no column 'gene_target'. Present: 'gene_token_id'"):
        datasets.hct116(path=short, progress=False)
    odd = batch(tmp_path / "odd.parquet", [([4, 11], [1, 1], "ST14", 1)])
    with pytest.raises(InputError, match="2 numbers of genes are not in the list of genes: 4, 11"):
        datasets.hct116(path=odd, progress=False)
    none = batch(tmp_path / "none.parquet", [([3], [1], "ST14", 1)])
    with pytest.raises(InputError, match=r"No cell of .*none.parquet' has one of the targets"):
        datasets.hct116(path=none, targets=["KLF1"], progress=False)


# -- names of other tools --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convention", "column", "labels"),
    [
        ("gears", "condition", {"ctrl": "ctrl", "ctrl+A": "A+ctrl", "A+ctrl": "A+ctrl", "B+A": "A+B", "B": "B+ctrl"}),
        ("scperturb", "perturbation", {"control": "ctrl", "A": "A+ctrl", "B_A_C": "A+B+C", "nan": None, None: None}),
        ("pertpy", "perturbation_name", {"control": "ctrl", "A+B": "A+B", "B": "B+ctrl"}),
        ("replogle", "gene", {"non-targeting": "ctrl", "A": "A+ctrl"}),
        ("virtual-cell-challenge", "target_gene", {"non-targeting": "ctrl", "A": "A+ctrl"}),
        ("x-atlas", "gene_target", {"Non-Targeting": "ctrl", "A": "A+ctrl"}),
    ],
)
def test_conversion(convention: str, column: str, labels: dict[Any, str | None]) -> None:
    adata = ad.AnnData(np.zeros((len(labels), 1)), obs=pd.DataFrame({column: list(labels)}).rename(index=str))
    datasets.convert_conditions(adata, convention)
    found = adata.obs["condition"].astype(object)
    assert found.where(found.notna(), None).tolist() == list(labels.values())


def test_conversion_of_another_column() -> None:
    adata = ad.AnnData(np.zeros((2, 1)), obs=pd.DataFrame({"guide": ["control", "A_B"]}, index=["0", "1"]))
    datasets.convert_conditions(adata, "scperturb", column="guide", key_added="what")
    assert adata.obs["what"].tolist() == ["ctrl", "A+B"]


def test_conversion_is_checked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    adata = ad.AnnData(np.zeros((3, 1)), obs=pd.DataFrame({"perturbation": ["A_", "A_A", "B"]}, index=list("012")))
    before = adata.obs.copy()
    with pytest.raises(
        InputError, match=r"2 of 3 names .* not of the convention 'scperturb': 'A_', 'A_A'. Use the right"
    ):
        datasets.convert_conditions(adata, "scperturb")
    with pytest.raises(InputError, match="convention='seurat' is not known"):
        datasets.convert_conditions(adata, "seurat")
    with pytest.raises(MissingKeyError, match="'gene' is not in adata.obs. Present: 'perturbation'. The convention"):
        datasets.convert_conditions(adata, "replogle")
    pd.testing.assert_frame_equal(adata.obs, before)
    datasets.convert_conditions(adata, "replogle", column="perturbation")
    assert "No cell of adata.obs['perturbation'] is a control by the convention 'replogle'" in caplog.text


@pytest.mark.parametrize(
    ("table", "convention", "n_conditions", "some"),
    [
        (
            "edist_NormanWeissman2019_filtered",
            "scperturb",
            237,
            {"ctrl", "AHR+ctrl", "BAK1+BCL2L11", "C19orf26+TGFBR2"},
        ),
        ("edist_DixitRegev2016", "dixit", 14, {"ctrl", "ELF1+ctrl", "ELK1+NR2C2"}),
    ],
)
def test_names_of_published_screens(
    table: str, convention: str, n_conditions: int, some: set[str], shared_data: Path
) -> None:
    names = pd.read_csv(shared_data / "tables" / f"{table}.csv.gz", index_col=0).columns
    adata = ad.AnnData(np.zeros((len(names), 1)), obs=pd.DataFrame({"perturbation": names}, index=names))
    datasets.convert_conditions(adata, convention)
    assert adata.obs["condition"].nunique() == n_conditions
    assert some <= set(adata.obs["condition"])
