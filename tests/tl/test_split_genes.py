"""Splits of genes: whole families, whole chromosomes, and a report that can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from dnaclip import tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def adata() -> ad.AnnData:
    """Two hundred genes in families of two, on ten chromosomes."""
    rng = np.random.default_rng(0)
    made = ad.AnnData(np.zeros((1, 200), np.float32))
    made.var_names = [f"g{i}" for i in range(200)]
    vectors = np.repeat(rng.normal(size=(100, 16)), 2, axis=0) + 0.01 * rng.normal(size=(200, 16))
    made.varm["dnaclip"] = vectors.astype(np.float32)
    made.var["chromosome"] = [f"chr{i % 10 + 1}" for i in range(200)]
    made.var["family"] = [f"f{i // 2}" for i in range(200)]
    return made


def shared(adata: ad.AnnData) -> int:
    """Families that stand in more than one part."""
    return int((adata.var["split"].groupby(adata.var["family"]).nunique() > 1).sum())


@pytest.mark.parametrize("options", [{}, {"family_key": "family"}])
def test_families_stay_whole(options: dict[str, Any], adata: ad.AnnData) -> None:
    tl.split_genes(adata, "family", **options)
    assert shared(adata) == 0
    assert adata.var["split"].value_counts().to_dict() == {"train": 160, "validation": 20, "test": 20}
    leaks = adata.uns["split"]["leaks"]
    assert leaks["n_in_shared_families"].tolist() == [0, 0]
    assert leaks["n_alike"].tolist() == [0, 0]


def test_sequences_make_families(adata: ad.AnnData) -> None:
    rng = np.random.default_rng(1)
    sequences = {f"g{i}": "".join(np.random.default_rng(i // 2).choice(list("ACGT"), 200)) for i in range(200)}
    adata.varm["dnaclip"] = rng.normal(size=(200, 16))
    tl.split_genes(adata, "family", sequences=sequences)
    assert shared(adata) == 0
    assert adata.uns["split"]["params"]["families"] == "sequences"


def test_a_random_split_leaks_and_says_so(adata: ad.AnnData) -> None:
    tl.split_genes(adata, fractions=(0.5, 0.25, 0.25))
    assert shared(adata) > 20
    leaks = adata.uns["split"]["leaks"]
    units = adata.varm["dnaclip"] / np.linalg.norm(adata.varm["dnaclip"], axis=1, keepdims=True)
    train, test = ((adata.var["split"] == part).to_numpy() for part in ("train", "test"))
    assert leaks.loc["test", "n_alike"] == ((units[test] @ units[train].T).max(axis=1) >= 0.9).sum()
    assert leaks.loc["test", "share_alike"] == pytest.approx(leaks.loc["test", "share_expected"], abs=0.15)


def test_chromosomes(adata: ad.AnnData, unchanged: Callable[..., Any]) -> None:
    tl.split_genes(adata, "chromosome", chromosome_key="chromosome")
    assert set(adata.var["chromosome"][adata.var["split"] == "test"]) == {"chr8", "chr9"}
    assert set(adata.var["chromosome"][adata.var["split"] == "validation"]) == {"chr7", "chr10"}
    adata.var["chromosome"] = adata.var["chromosome"].where(adata.var["chromosome"] != "chr1")
    tl.split_genes(adata, "chromosome", chromosome_key="chromosome")
    assert adata.var["split"].isna().sum() == 20
    with unchanged(adata), pytest.raises(InputError, match="No gene lies on the chromosomes 'X'"):
        tl.split_genes(adata, "chromosome", chromosome_key="chromosome", test_chromosomes=["X"])


def test_chromosomes_are_looked_up() -> None:
    adata = ad.AnnData(np.zeros((1, 4), np.float32))
    adata.var_names = ["TP53", "MYC", "EGFR", "not-a-gene"]  # on 17, 8 and 7
    tl.split_genes(adata, "chromosome", test_chromosomes=["8"], validation_chromosomes=["7"])
    assert adata.var["split"].astype(object).where(adata.var["split"].notna(), "").tolist() == [
        "train",
        "test",
        "validation",
        "",
    ]
    assert "n_alike" not in adata.uns["split"]["leaks"]


def test_same_seed_same_split_and_it_can_be_written(adata: ad.AnnData, tmp_path: Path) -> None:
    other = adata.copy()
    tl.split_genes(adata, "family", rng=3)
    tl.split_genes(other, "family", rng=3)
    pd.testing.assert_frame_equal(adata.var, other.var)
    tl.split_genes(other, "family", rng=4)
    assert (adata.var["split"] != other.var["split"]).any()
    adata.write_h5ad(tmp_path / "split.h5ad")
    again = ad.read_h5ad(tmp_path / "split.h5ad")
    pd.testing.assert_frame_equal(again.uns["split"]["leaks"], adata.uns["split"]["leaks"], check_names=False)


def test_large_families_train(adata: ad.AnnData) -> None:
    adata.var["family"] = ["big"] * 60 + [f"f{i}" for i in range(140)]
    tl.split_genes(adata, "family", family_key="family")
    assert (adata.var["split"][:60] == "train").all()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"method": "sequence"}, InputError, "method='sequence' is not known"),
        ({"fractions": (0.5, 0.6, 0.1)}, InputError, "sum to 1"),
        ({"similarity": 2}, InputError, "similarity must be a number from 0 to 1"),
        ({"method": "family", "family_key": "no"}, MissingKeyError, "'no' is not in adata.var"),
        ({"method": "family", "use_rep": None}, InputError, "needs family_key, sequences or use_rep"),
        ({"method": "family", "sequences": {"x": "ACGT"}}, InputError, "names none of the 200 genes"),
        ({"method": "chromosome", "test_chromosomes": "8"}, InputError, "must be a list of names"),
        ({"method": "chromosome", "test_chromosomes": ["7"]}, InputError, "both in test_chromosomes"),
        ({"method": "family", "similarity": 0.0}, InputError, "Nothing is left for validation and test"),
        ({"key_added": "a/b"}, InputError, "without '/'"),
    ],
)
def test_bad_input(
    change: dict[str, Any], error: type[Exception], said: str, adata: ad.AnnData, unchanged: Callable[..., Any]
) -> None:
    with unchanged(adata), pytest.raises(error, match=said):
        tl.split_genes(adata, **change)
