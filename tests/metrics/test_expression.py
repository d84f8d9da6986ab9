"""Scores of predicted expression, against NumPy and against constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import expression

if TYPE_CHECKING:
    import pandas as pd

RNG = np.random.default_rng(0)
OBSERVED = RNG.normal(size=(4, 30)) + np.arange(4.0)[:, None]
PREDICTED = OBSERVED + RNG.normal(size=(4, 30))
MEAN = np.arange(4.0)


def overall(table: pd.DataFrame) -> Any:
    return table[table["group"] == "all"].set_index("metric")


def test_against_numpy() -> None:
    table = overall(expression(PREDICTED, OBSERVED, mean=MEAN))
    cell = np.mean([np.corrcoef(p, o)[0, 1] for p, o in zip(PREDICTED, OBSERVED, strict=True)])
    gene = np.mean([np.corrcoef(p, o)[0, 1] for p, o in zip(PREDICTED.T, OBSERVED.T, strict=True)])
    pairs = zip(PREDICTED.T - MEAN, OBSERVED.T - MEAN, strict=True)
    centred = np.mean([np.corrcoef(p, o)[0, 1] for p, o in pairs])
    expected = [cell, gene, centred, np.corrcoef(PREDICTED.ravel(), OBSERVED.ravel())[0, 1]]
    found = table.loc[["cell_pcc", "gene_pcc", "gene_pcc_centred", "whole_pcc"], "value"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert table.loc["mse", "value"] == pytest.approx(((PREDICTED - OBSERVED) ** 2).mean())


def test_a_constant_games_the_gene_correlation_only() -> None:
    constant = np.repeat(MEAN[:, None], 30, axis=1).astype(np.float32)
    table = overall(expression(constant, OBSERVED, mean=MEAN))
    assert table.loc["gene_pcc", "value"] > 0.7
    for metric in ("cell_pcc", "gene_pcc_centred"):
        assert table.loc[metric, "status"] == "undefined"
        assert table.loc[metric, "reason"] == "the predicted or observed expression does not vary"
        assert np.isnan(table.loc[metric, "value"])


def test_constant_genes_are_left_out() -> None:
    observed = OBSERVED.copy()
    observed[:, :5] = 1.0
    table = overall(expression(PREDICTED, observed))
    assert table.loc["gene_pcc", "n"] == 25
    assert table.loc["gene_pcc_centred", "status"] == "unavailable"


def test_one_group_has_no_gene_correlation() -> None:
    table = overall(expression(PREDICTED[:1], OBSERVED[:1]))
    assert table.loc["gene_pcc", "status"] == "undefined"
    assert table.loc["cell_pcc", "status"] == "ok"


def test_coverage() -> None:
    table = expression(PREDICTED, OBSERVED, groups=list("abcd"), lower=np.full((4, 30), -np.inf), upper=PREDICTED)
    inside = table[table["metric"] == "coverage"].set_index("group")["value"]
    assert inside["a"] == (OBSERVED[0] <= PREDICTED[0]).mean()
    assert inside["all"] == pytest.approx((OBSERVED <= PREDICTED).mean())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"predicted": PREDICTED[:2]}, "same shape"),
        ({"predicted": np.where(OBSERVED > 3, np.nan, PREDICTED)}, "predicted holds NaN"),
        ({"observed": np.full((4, 30), np.inf)}, "observed holds NaN or infinite values for 30 of 30"),
        ({"groups": ["a"]}, "groups must name each of the 4"),
        ({"mean": [1.0]}, "mean must be finite"),
        ({"lower": np.zeros((2, 2)), "upper": PREDICTED}, "lower and upper must have the shape"),
    ],
)
def test_bad_input(change: dict, said: str) -> None:
    given = {"predicted": PREDICTED, "observed": OBSERVED} | change
    with pytest.raises(InputError, match=said):
        expression(given.pop("predicted"), given.pop("observed"), **given)
