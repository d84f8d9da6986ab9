"""`tl.genetic_interactions`: which pairs, from which changes, over which genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import metrics, tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENES = [f"g{i}" for i in range(60)]


@pytest.fixture
def cells() -> ad.AnnData:
    """Twenty cells each of control, three singles and three pairs, of which one has a single that was not measured."""
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 60))
    effect = {
        "ctrl": 0 * a,
        "g0+ctrl": a,
        "ctrl+g1": b,
        "g2": c,
        "g1+g0": 2 * (a + b),
        "g0+g2": 0.2 * (a + c),
        "g0+g9": a,
    }
    condition = np.repeat(list(effect), 20)
    x = 6 + np.repeat(np.array([*effect.values()]), 20, axis=0) + 0.1 * rng.normal(size=(140, 60))
    obs = pd.DataFrame({"condition": pd.Categorical(condition)}, index=[f"cell{i}" for i in range(140)])
    return ad.AnnData(sparse.csr_matrix(x), obs=obs, var=pd.DataFrame(index=GENES))


def test_pairs_with_both_singles(cells: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(cells):
        table: Any = tl.genetic_interactions(cells)
    assert table["perturbation"].tolist() == ["g0+g1", "g0+g2"]
    assert table[["first", "second"]].to_numpy().tolist() == [["g0", "g1"], ["g0", "g2"]]
    np.testing.assert_allclose(table[["c1", "c2"]].to_numpy(), np.array([[2.0, 2.0], [0.2, 0.2]]), atol=0.05)
    assert table["n_cells"].tolist() == [20, 20]
    assert table["synergy"].iloc[0] == pytest.approx(1, abs=0.05)
    assert table["suppression"].iloc[1] == pytest.approx(0.8, abs=0.05)


def test_numbers_are_those_of_the_changes_without_targets(cells: ad.AnnData) -> None:
    x, condition = cells.X.toarray(), cells.obs["condition"].astype(str)
    mean = {name: x[(condition == name).to_numpy()].mean(axis=0) for name in condition.unique()}
    keep = slice(2, None)
    changes = [(mean[name] - mean["ctrl"])[keep] for name in ("g0+ctrl", "ctrl+g1", "g1+g0")]
    expected: Any = metrics.interaction(*changes, fit="least_squares")
    found: Any = tl.genetic_interactions(cells, "g1+g0", fit="least_squares").iloc[0]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6)
    with_targets = tl.genetic_interactions(cells, "g1+g0", fit="least_squares", exclude_targets=False).iloc[0]
    assert with_targets["model_fit"] != found["model_fit"]


def test_predictions_have_their_changes_in_a_layer(cells: ad.AnnData) -> None:
    names = ["g0", "g1", "g0+g1"]
    a, b = np.random.default_rng(1).normal(size=(2, 60))
    predicted = ad.AnnData(
        np.zeros((3, 60)), obs={"condition": names}, var=cells.var, layers={"delta": np.array([a, b, a - b])}
    )
    found: Any = tl.genetic_interactions(predicted).iloc[0]
    np.testing.assert_allclose(found[["c1", "c2"]].to_numpy(float), [1, -1], atol=1e-6)
    assert found["n_cells"] == 1


def test_some_genes_only(cells: ad.AnnData) -> None:
    cells.var["variable"] = np.arange(60) < 30
    by_name = tl.genetic_interactions(cells, mask_var="variable")
    pd.testing.assert_frame_equal(by_name, tl.genetic_interactions(cells[:, :30].copy()))
    assert not by_name.equals(tl.genetic_interactions(cells))


def test_each_context_has_its_own_control(cells: ad.AnnData) -> None:
    other = cells.copy()
    other.X = other.X.toarray() * 3
    both = ad.concat({"a": cells, "b": other}, label="line", index_unique="-")
    table: Any = tl.genetic_interactions(both, context_key="line", fit="least_squares")
    assert table[["perturbation", "context"]].to_numpy().tolist() == [
        ["g0+g1", "a"], ["g0+g2", "a"], ["g0+g1", "b"], ["g0+g2", "b"],
    ]  # fmt: skip
    np.testing.assert_allclose(table["c1"][:2], table["c1"][2:], rtol=1e-5)
    wanted = tl.genetic_interactions(both, ["g2+g0"], context_key="line")
    assert wanted["context"].tolist() == ["a", "b"]


def test_backed_cells(cells: ad.AnnData, tmp_path: Path) -> None:
    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        pd.testing.assert_frame_equal(tl.genetic_interactions(backed), tl.genetic_interactions(cells), rtol=1e-6)
    finally:
        backed.file.close()


@pytest.mark.parametrize(
    ("pairs", "options", "error", "message"),
    [
        ("g0+g9", {}, InputError, "1 of 1 pairs are not there with both of their singles: 'g0.g9'. Pairs that are: 'g0.g1'"),
        (["g0"], {}, InputError, "1 of 1 pairs are not there"),
        ([], {}, InputError, "0 of 0 pairs"),
        (None, {"fit": "huber"}, InputError, "fit='huber' is not known"),
        (None, {"perturbation_key": "x"}, MissingKeyError, "'x' is not in adata.obs"),
        (None, {"mask_var": "x"}, MissingKeyError, "'x' is not in adata.var"),
        (None, {"control": "nobody"}, InputError, "No cell is a control"),
    ],
)  # fmt: skip
def test_errors(cells: ad.AnnData, pairs: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tl.genetic_interactions(cells, pairs, **options)


def test_no_pair_at_all(cells: ad.AnnData) -> None:
    kept = cells[cells.obs["condition"].isin(["ctrl", "g0+g9", "g0+ctrl"])].copy()
    with pytest.raises(InputError, match="None of the 1 pairs has both of its singles.*'g0', 'g0.g9'"):
        tl.genetic_interactions(kept)
    with pytest.raises(InputError, match="holds no perturbation, only 'ctrl'"):
        tl.genetic_interactions(cells[:20].copy())
