"""DepMap: from the tables of the portal to lines x genes, and what is refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from dnaclip import datasets
from dnaclip._errors import DownloadError, InputError
from dnaclip.datasets import _registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = {
    "effect": ",TP53 (7157),MYC (4609),A1BG (1)\nACH-1,-0.1,-1.5,0.0\nACH-2,0.2,,0.1\n",
    "expression": ",MYC (4609),TP53 (7157),ACTB (60)\nACH-2,5.5,3.25,11\nACH-9,1,2,3\n",
    "copy-number": ",A1BG (1),TP53 (7157),MYC (4609)\nACH-1,1,0.5,2\nACH-2,1,1,1\n",
    "lines": "ModelID,CellLineName,OncotreeLineage\nACH-9,X,Skin\nACH-1,HEL,Myeloid\nACH-2,,Bowel\n",
}


@pytest.fixture
def register(tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts the files on the server, some of them changed, and into a registry."""
    monkeypatch.setattr(_registry, "REGISTRY_FILE", tmp_path / "registry.yaml")

    def add(**changed: str) -> None:
        entries = []
        for name, text in (FILES | changed).items():
            body, file = text.encode(), f"{name}.csv"
            entry = {"name": f"depmap-24q4-{name}", "file": file, "kind": "dataset", "licence": "CC-BY-4.0"}
            entries.append(entry | {"url": server.put(f"/{file}", body), "md5": hashlib.md5(body).hexdigest()})
        (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"base_url": None, "assets": entries}))
        _registry._load.cache_clear()

    yield add
    _registry._load.cache_clear()


def test_lines_by_genes_with_what_is_known_of_them(register: Callable[..., None], tmp_path: Path) -> None:
    register()
    adata = datasets.depmap(copy_number=True, progress=False)
    assert adata.var_names.tolist() == ["TP53", "MYC", "A1BG"]
    assert adata.var["entrez_id"].tolist() == ["7157", "4609", "1"]
    assert adata.obs["OncotreeLineage"].tolist() == ["Myeloid", "Bowel"]
    assert adata.obs["has_expression"].tolist() == [False, True]
    np.testing.assert_allclose(adata.X, np.array([[-0.1, -1.5, 0.0], [0.2, np.nan, 0.1]]), atol=1e-7)
    np.testing.assert_allclose(adata.obsm["expr"], np.array([[np.nan, np.nan, np.nan], [5.5, 3.25, 11]]))
    np.testing.assert_allclose(adata.varm["expression"], np.array([[3.25], [5.5], [np.nan]]))
    np.testing.assert_allclose(adata.layers["copy_number"], np.array([[0.5, 2, 1], [1, 1, 1]]))
    assert adata.uns["dataset"]["expr_genes"].tolist() == ["MYC", "TP53", "ACTB"]
    assert adata.uns["dataset"]["licence"] == "CC-BY-4.0"
    adata.write_h5ad(tmp_path / "again.h5ad")


def test_viability_alone(register: Callable[..., None]) -> None:
    register()
    adata = datasets.depmap(expression=False, progress=False)
    assert not adata.obsm
    assert adata.shape == (2, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"effect": ",TP53,MYC (4609)\nACH-1,0,0\n"}, r"1 columns that are not like 'TP53 \(7157\)': 'TP53'"),
        ({"effect": ",TP53 (7157)\nACH-1,high\n"}, "not a table of numbers"),
        ({"expression": ",TP53 (7157)\nACH-7,1\n"}, "none of the 2 lines"),
        ({"lines": "Model,Name\nACH-1,HEL\n"}, "no column 'ModelID'"),
    ],
)
def test_files_of_something_else(register: Callable[..., None], changed: dict[str, str], message: str) -> None:
    register(**changed)
    with pytest.raises(InputError, match=message):
        datasets.depmap(progress=False)


def test_a_page_in_place_of_the_file(register: Callable[..., None], server: Any) -> None:
    register()
    server.put("/effect.csv", b"<html>Please wait</html>")
    with pytest.raises(DownloadError, match="effect.csv"):
        datasets.depmap(progress=False)


def test_the_registry_knows_the_release() -> None:
    assets = datasets.list_assets()
    names = [f"depmap-24q4-{name}" for name in (*FILES, "dependency")]
    assert set(names) <= set(assets.index)
    assert (assets.loc[names, "licence"] == "CC-BY-4.0").all()
    assert assets.loc["depmap-24q4-effect", "bytes"] == 428_678_699
