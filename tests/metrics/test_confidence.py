"""Reliability tables, and retrieval by part."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import reliability, retrieval_both, retrieval_by


def test_bins_hold_their_own_and_the_interval_holds_the_share() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(5000)
    right = rng.random(5000) < confidence
    table = reliability(confidence, right)
    assert table["n"].sum() == 5000
    assert ((table["lower"] <= table["accuracy"]) & (table["accuracy"] <= table["upper"])).all()
    assert table["confidence"].between(table["low"], table["high"]).all()
    assert table.attrs["ece"] < 0.03
    top = confidence >= 0.8
    assert table.loc[table["low"].round(6) == 0.8, "accuracy_above"].item() == pytest.approx(right[top].mean())


def test_overconfidence_shows() -> None:
    assert reliability(np.full(10, 0.9), [1, 0] * 5).attrs["ece"] == pytest.approx(0.4)


def test_confidence_of_one_falls_into_the_last_bin() -> None:
    assert reliability([1.0, 0.0], [True, False]).set_index("low")["n"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("confidence", "right", "match"),
    [
        ([0.5], [1, 0], "same length"),
        ([], [], "same length"),
        ([1.2, 0.1], [1, 0], "rows 0"),
        ([np.nan], [1], "rows 0"),
        ([0.5], [2], "truth values"),
    ],
)
def test_what_is_no_confidence_is_refused(confidence: list[float], right: list[int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        reliability(confidence, right)


@pytest.fixture(scope="module")
def genes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(30, 8))
    groups = rng.integers(30, size=60)
    dna = texts[groups] + rng.normal(size=(60, 8))
    return dna, texts[groups], groups, np.array(["fly", "mouse", "mouse"])[np.arange(60) % 3]


def test_the_part_all_is_the_whole_and_parts_average_to_it(genes: tuple[np.ndarray, ...]) -> None:
    dna, text, groups, species = genes
    table = retrieval_by(dna, text, species, groups=groups).set_index(["part", "direction"])
    whole = retrieval_both(dna, text, groups=groups)
    for direction in ("dna->text", "text->dna"):
        rows = table.xs(direction, level="direction")
        for column in map(str, whole):
            assert rows.loc["all", column] == pytest.approx(whole.loc[direction, column])
        parts = rows.drop("all")
        mean = np.average(parts["accuracy@5"], weights=parts["n_queries"])
        assert mean == pytest.approx(rows.loc["all", "accuracy@5"])


def test_among_part_scores_each_part_alone(genes: tuple[np.ndarray, ...]) -> None:
    dna, text, groups, species = genes
    table = retrieval_by(dna, text, species, groups=groups, among="part").set_index(["part", "direction"])
    fly = species == "fly"
    alone = retrieval_both(dna[fly], text[fly], groups=groups[fly])
    assert table.loc[("fly", "dna->text"), "accuracy@1"] == pytest.approx(alone.loc["dna->text", "accuracy@1"])
    assert "all" not in table.index.get_level_values("part")


def test_mistakes_in_by() -> None:
    with pytest.raises(InputError, match="by must name the part"):
        retrieval_by(np.eye(3), np.eye(3), ["a"])
    with pytest.raises(InputError, match="among='x'"):
        retrieval_by(np.eye(3), np.eye(3), ["a"] * 3, among="x")  # type: ignore[arg-type]
