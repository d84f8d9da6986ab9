"""Atlases of blood cells: fetched from a local server, summed by blocks, never in memory as a whole."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
import yaml
from scipy import sparse

from dnaclip import datasets, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.datasets import _registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def atlas(tmp_path: Path) -> tuple[ad.AnnData, Path]:
    """Sixty cells with counts in raw and something else in X, as CELLxGENE has them."""
    rng = np.random.default_rng(0)
    adata = ad.AnnData(sparse.csr_matrix(rng.poisson(1.0, (60, 8)).astype(np.float32)))
    adata.var_names = [f"ENSG{i:011}" for i in range(8)]
    adata.obs["cell_type"] = np.repeat(["B cell", "T cell", "rare"], [25, 30, 5])
    adata.obs["donor_id"] = np.tile(["a", "b"], 30)
    adata.raw = adata.copy()
    adata.X = adata.X.log1p()
    path = tmp_path / "atlas.h5ad"
    adata.write_h5ad(path)
    return adata, path


@pytest.fixture
def registered(
    atlas: tuple[ad.AnnData, Path], tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bytes]:
    body = atlas[1].read_bytes()
    known = {"kind": "dataset", "licence": "unknown"}
    entries = [
        known
        | {
            "name": "onek1k",
            "file": "onek1k.h5ad",
            "md5": hashlib.md5(body).hexdigest(),
            "url": server.put("/one", body),
        },
        known | {"name": "aida-v2", "file": "aida-v2.h5ad", "bytes": len(body), "url": server.put("/aida", body)},
    ]
    monkeypatch.setattr(_registry, "REGISTRY_FILE", tmp_path / "registry.yaml")
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"base_url": None, "assets": entries}))
    _registry._load.cache_clear()
    yield body
    _registry._load.cache_clear()


def test_one_call_gives_profiles_of_the_counts_in_raw(registered: bytes, atlas: tuple[ad.AnnData, Path]) -> None:
    bulk = datasets.onek1k(progress=False)
    expected = tl.pseudobulk(atlas[0].raw.to_adata(), "cell_type", min_cells=10)
    np.testing.assert_array_equal(bulk.X, expected.X)
    np.testing.assert_array_equal(bulk.layers["sum"], expected.layers["sum"])
    assert bulk.obs_names.tolist() == ["B cell", "T cell"]
    assert bulk.uns["dataset"]["checksum"] == f"md5:{hashlib.md5(registered).hexdigest()}"
    assert not bulk.isbacked


def test_donors_and_a_first_copy_without_checksum(registered: bytes, caplog: pytest.LogCaptureFixture) -> None:
    bulk = datasets.aida("cell_type", "donor_id", min_cells=3, progress=False)
    assert "No checksum of aida-v2.h5ad is published, so this first copy is trusted." in caplog.text
    assert bulk.obs["n_cells"].tolist() == [13, 12, 15, 15, 3]
    assert bulk.obs_names[0] == "B cell|a"


def test_cells_are_read_in_blocks(atlas: tuple[ad.AnnData, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip import _matrix

    whole = datasets.onek1k(path=atlas[1])
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", 56)  # seven cells
    seen = []
    real = _matrix.blocks

    def counted(x: Any) -> Iterator[Any]:
        for part in real(x):
            seen.append(part[2].shape[0])
            yield part

    monkeypatch.setattr(_matrix, "blocks", counted)
    np.testing.assert_array_equal(datasets.onek1k(path=atlas[1]).X, whole.X)
    assert max(seen) == 7


def test_a_large_file_is_fetched_only_when_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'aida-v2' is 14.2 GB and would be written to"):
        datasets.aida()
    with pytest.raises(InputError, match="cannot be read as an h5ad file"):
        datasets.onek1k(path=tmp_path / "nothing.h5ad")


def test_bad_requests(atlas: tuple[ad.AnnData, Path], tmp_path: Path) -> None:
    adata, path = atlas
    with pytest.raises(MissingKeyError, match="'tissue' is not in adata.obs"):
        datasets.onek1k("tissue", path=path)
    with pytest.raises(InputError, match="No group of cell_type has 99 cells"):
        datasets.onek1k(path=path, min_cells=99)
    del adata.raw
    adata.write_h5ad(tmp_path / "log.h5ad")
    with pytest.raises(InputError, match="holds no counts"):
        datasets.onek1k(path=tmp_path / "log.h5ad")
