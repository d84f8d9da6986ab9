"""Plots of perturbations: what is drawn, asserted on the artists, that names do not overlap, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from scipy import sparse

from dnaclip import pl, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pl import _generated_cells, _perturbation_map
from dnaclip.pl._colors import PALETTE
from dnaclip.pl._labels import write_labels
from dnaclip.pl._umap import umap_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


NAMES = ["g0", "g1", "g0+g1", "g2", "g3", "g4"]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def observed() -> ad.AnnData:
    """Thirty cells each of control and six perturbations, 50 genes."""
    rng = np.random.default_rng(0)
    effect = np.vstack([np.zeros(50), rng.normal(size=(6, 50))])
    x = 4 + np.repeat(effect, 30, axis=0) + 0.5 * rng.normal(size=(210, 50))
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(np.repeat(["ctrl", "g0+ctrl", "ctrl+g1", "g1+g0", "g2", "g3", "g4"], 30)),
            "line": np.tile(["a", "b"], 105),
        },
        index=[f"cell{i}" for i in range(210)],
    )
    return ad.AnnData(sparse.csr_matrix(x), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(50)]))


@pytest.fixture
def predicted(observed: ad.AnnData) -> ad.AnnData:
    x = observed.X.toarray().reshape(7, 30, 50).mean(axis=1)[1:]
    return ad.AnnData(0.5 * x + 2, obs=pd.DataFrame({"condition": NAMES}, index=NAMES), var=observed.var)


def first_two(vectors: np.ndarray, *_: Any, **__: Any) -> np.ndarray:
    """Stand in for UMAP, which takes long to compile."""
    return vectors[:, :2]


def texts_overlap(ax: Any) -> bool:
    ax.figure.draw_without_rendering()
    from matplotlib.text import Text

    boxes = [Text.get_window_extent(text) for text in ax.texts]
    return any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


class TestDelta:
    def test_changes_and_score_are_those_of_the_evaluation(
        self, predicted: ad.AnnData, observed: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]
    ) -> None:
        with unchanged(predicted), unchanged(observed):
            ax: Any = pl.perturbation_delta(predicted, observed, "g1+g0", n_labels=5)
        rest, top, targets = (np.asarray(dots.get_offsets()) for dots in ax.collections)
        assert (len(rest), len(top), len(targets)) == (48, 5, 2)
        table: Any = tl.evaluate_perturbations(predicted, observed, conditions=["g0+g1"]).set_index("metric")
        assert table.loc["pcc_delta", "value"] == pytest.approx(np.corrcoef(rest.T)[0, 1])
        assert f"r = {table.loc['pcc_delta', 'value']:.2f}, 48 genes" in [text.get_text() for text in ax.texts]
        assert ax.get_title() == "g0+g1"
        assert np.abs(top[:, 0]).min() >= np.sort(np.abs(rest[:, 0]))[-5]

    def test_targets_and_top_genes_are_named(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        ax: Any = pl.perturbation_delta(predicted, observed, "g0", n_labels=8)
        names = [text.get_text() for text in ax.texts if not text.get_text().startswith("r = ")]
        assert names[0] == "g0"
        assert len(set(names)) == 9
        assert not texts_overlap(ax)
        targets: Any = ax.collections[2]
        assert to_hex(targets.get_facecolor()[0]) == PALETTE[1].lower()

    def test_one_scale_for_both_axes(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        ax: Any = pl.perturbation_delta(predicted, observed, "g2")
        assert ax.get_xlim() == ax.get_ylim()
        assert ax.get_aspect() == 1
        drawn = np.vstack([np.asarray(dots.get_offsets()) for dots in ax.collections])
        assert ax.get_xlim()[0] < drawn.min()
        assert drawn.max() < ax.get_xlim()[1]

    def test_no_predicted_change(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        predicted.layers["delta"] = np.zeros((6, 50))
        ax: Any = pl.perturbation_delta(predicted, observed, "g2", n_labels=0)
        assert "r undefined, 49 genes" in [text.get_text() for text in ax.texts]

    def test_one_of_several_contexts(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        both = ad.concat({"a": predicted, "b": predicted}, label="line", index_unique="-")
        ax: Any = pl.perturbation_delta(both, observed, "g2", context_key="line", context="b")
        assert ax.get_title() == "g2, b"
        with pytest.raises(InputError, match="'g2' was observed in 2 contexts: 'a', 'b'. Name one as context"):
            pl.perturbation_delta(both, observed, "g2", context_key="line")
        with pytest.raises(InputError, match="It is not in 'c'"):
            pl.perturbation_delta(both, observed, "g2", context_key="line", context="c")

    def test_errors_leave_no_figure(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        with pytest.raises(InputError, match="'g9'"):
            pl.perturbation_delta(predicted, observed, "g9")
        with pytest.raises(InputError, match="'g2' is not among the predictions"):
            pl.perturbation_delta(predicted[:2].copy(), observed, "g2")
        with pytest.raises(InputError, match="n_labels must be"):
            pl.perturbation_delta(predicted, observed, "g2", n_labels=-1)
        assert plt.get_fignums() == []

    def test_it_draws_on_the_axes_given(self, predicted: ad.AnnData, observed: ad.AnnData) -> None:
        figure, ax = plt.subplots()
        assert pl.perturbation_delta(predicted, observed, "g2", ax=ax) is ax
        assert plt.get_fignums() == [figure.number]


class TestScores:
    @pytest.fixture
    def table(self) -> pd.DataFrame:
        table: Any = pd.DataFrame(
            {
                "method": np.repeat(["worst", "best", "silent"], 4),
                "perturbation": list("wxyz") * 3,
                "group": ["single", "double"] * 6,
                "fold": [0, 0, 1, 1] * 3,
                "metric": "pcc_delta",
                "value": [0.1, 0.2, 0.3, np.nan, 0.5, 0.6, 0.7, 0.8, *[np.nan] * 4],
                "ceiling": 0.9,
                "baseline": 0.15,
            }
        )
        return pd.concat([table, table.assign(metric="mse")])

    def test_methods_means_and_lines(self, table: pd.DataFrame) -> None:
        ax: Any = pl.perturbation_scores(table)
        assert [label.get_text() for label in ax.get_yticklabels()] == ["best (4)", "worst (3)", "silent (0)"]
        assert ax.yaxis_inverted()
        dots, means = ax.collections[0], ax.collections[-1]
        assert len(dots.get_offsets()) == 7
        np.testing.assert_allclose(np.asarray(means.get_offsets())[:2], [[0.65, 0], [0.2, 1]])
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend == ["ceiling (0.9)", "baseline (0.15)"]
        assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [("undefined", 2)]
        assert ax.get_xlabel() == "pcc delta (higher is better)"

    def test_lower_is_better_for_errors(self, table: pd.DataFrame) -> None:
        ax: Any = pl.perturbation_scores(table, "mse")
        assert ax.get_yticklabels()[0].get_text() == "worst (3)"
        assert ax.get_xlabel() == "mse (lower is better)"

    def test_a_dot_may_be_a_fold(self, table: pd.DataFrame) -> None:
        ax: Any = pl.perturbation_scores(table, points="fold", sort=False)
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels == ["worst (2)", "best (2)", "silent (0)"]
        np.testing.assert_allclose(np.asarray(ax.collections[0].get_offsets())[:, 0], [0.15, 0.3, 0.55, 0.75])

    def test_colours_by_group(self, table: pd.DataFrame) -> None:
        ax: Any = pl.perturbation_scores(table.drop(columns=["ceiling", "baseline"]), color="group")
        legend: Any = ax.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == ["single", "double"]
        assert [to_hex(dots.get_facecolor()[0]) for dots in ax.collections[:2]] == [c.lower() for c in PALETTE[:2]]
        ax = pl.perturbation_scores(table, groupby="group", color="group")
        assert len(ax.get_yticks()) == 2

    def test_the_same_table_gives_the_same_plot(self, table: pd.DataFrame) -> None:
        first, again = (np.asarray(pl.perturbation_scores(table).collections[0].get_offsets()) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_errors_leave_no_figure(self, table: pd.DataFrame) -> None:
        with pytest.raises(InputError, match="no value of 'r2'. Its metrics: 'pcc_delta', 'mse'"):
            pl.perturbation_scores(table, "r2")
        with pytest.raises(MissingKeyError, match="'tool' is not in the table of scores"):
            pl.perturbation_scores(table, groupby="tool")
        assert plt.get_fignums() == []


class TestMap:
    def test_heatmap_shows_correlations(self, observed: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
        with unchanged(observed):
            ax: Any = pl.perturbation_map(observed, exclude_targets=False)
        names = [label.get_text() for label in ax.get_yticklabels()]
        assert sorted(names) == sorted(NAMES)
        x = observed.X.toarray()
        means = {name: x[30 * i + 30 : 30 * i + 60].mean(axis=0) - x[:30].mean(axis=0) for i, name in enumerate(NAMES)}
        expected = np.corrcoef([means[name] for name in names])
        np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), expected, atol=1e-6)

    def test_like_stands_beside_like(self, predicted: ad.AnnData) -> None:
        rng = np.random.default_rng(1)
        base = rng.normal(size=(2, 50))[[0, 1, 0, 1, 0, 1]] + 0.1 * rng.normal(size=(6, 50))
        predicted.layers["delta"] = base
        names = [label.get_text() for label in pl.perturbation_map(predicted).get_xticklabels()]
        assert {frozenset(names[:3]), frozenset(names[3:])} == {frozenset(NAMES[::2]), frozenset(NAMES[1::2])}

    def test_targets_do_not_count(self, predicted: ad.AnnData) -> None:
        delta = np.random.default_rng(2).normal(size=(6, 50))
        predicted.layers["delta"] = delta.copy()
        before = np.asarray(pl.perturbation_map(predicted).images[0].get_array())
        predicted.layers["delta"][0, 0] = 99
        np.testing.assert_array_equal(np.asarray(pl.perturbation_map(predicted).images[0].get_array()), before)

    def test_contexts_are_part_of_the_name(self, observed: ad.AnnData) -> None:
        ax: Any = pl.perturbation_map(observed, context_key="line")
        assert "g0+g1, b" in [label.get_text() for label in ax.get_yticklabels()]

    def test_a_hundred_rows_are_not_named(self) -> None:
        delta = np.random.default_rng(3).normal(size=(100, 20))
        names = [f"p{i}" for i in range(100)]
        many = ad.AnnData(delta, obs=pd.DataFrame({"condition": names}, index=names))
        ax: Any = pl.perturbation_map(many, control=None)
        assert len(ax.get_yticks()) == 0
        assert ax.get_ylabel() == "100 perturbations"

    def test_umap_names_and_groups(self, observed: ad.AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_perturbation_map, "umap_points", first_two)
        groups = {"ctrl+g0": "one", "g1": "one", "g1+g0": "two"}
        ax: Any = pl.perturbation_map(observed, kind="umap", n_neighbors=3, groups=groups, n_labels=4)
        assert len(ax.texts) == 4
        assert not texts_overlap(ax)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one (2)", "two (1)", "none (3)"]

    def test_errors_leave_no_figure(self, observed: ad.AnnData) -> None:
        with pytest.raises(InputError, match="A heatmap of perturbations needs 2 or more, adata has 1"):
            pl.perturbation_map(observed[:60].copy())
        with pytest.raises(InputError, match="A umap of perturbations needs 5 or more, adata has 2"):
            pl.perturbation_map(observed[:90].copy(), kind="umap")
        with pytest.raises(InputError, match="kind='tsne' is not known"):
            pl.perturbation_map(observed, kind="tsne")  # type: ignore[arg-type]
        assert plt.get_fignums() == []


class TestGenerated:
    @pytest.fixture(autouse=True)
    def _no_umap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_generated_cells, "umap_points", first_two)

    def test_each_kind_has_its_mark(self, observed: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
        generated = observed[60:120:2].copy()
        with unchanged(observed), unchanged(generated):
            ax: Any = pl.generated_cells(generated, observed, n_neighbors=5, max_cells=20)
        sizes = [len(dots.get_offsets()) for dots in ax.collections]
        assert sizes == [20, 20, 15, 20, 15]  # control; then observed and generated of two conditions
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "ctrl",
            "g0+g1",
            "g1",
            "observed",
            "generated",
        ]
        assert to_hex(ax.collections[1].get_facecolor()[0]) == to_hex(ax.collections[2].get_edgecolor()[0])

    def test_components_are_those_of_the_observed_cells(self, observed: ad.AnnData) -> None:
        # Genes that are constant among observed cells must not part generated from observed ones.
        flat = observed.copy()
        flat.X = flat.X.toarray()
        flat.X[:, 40:] = 1
        generated = flat[30:120].copy()
        generated.X[:, 40:] = 50
        ax: Any = pl.generated_cells(generated, flat, n_neighbors=10, n_components=5)
        for real, made in zip(ax.collections[1::2], ax.collections[2::2], strict=True):
            np.testing.assert_allclose(np.asarray(real.get_offsets()), np.asarray(made.get_offsets()), atol=1e-4)

    def test_conditions_in_any_spelling(self, observed: ad.AnnData) -> None:
        ax: Any = pl.generated_cells(observed, observed, ["ctrl+g2", "g1+g0"], n_neighbors=5)
        assert [text.get_text() for text in ax.get_legend().get_texts()][1:3] == ["g2", "g0+g1"]

    def test_errors_leave_no_figure(self, observed: ad.AnnData) -> None:
        with pytest.raises(InputError, match="No generated perturbation was observed. Generated: 'g0'. Observed: 'g1'"):
            pl.generated_cells(observed[30:60].copy(), observed[60:90].copy())
        with pytest.raises(InputError, match="got 1, of which 1 were not: 'g9'. Known are 'g0'"):
            pl.generated_cells(observed, observed, "g9")
        with pytest.raises(InputError, match="max_cells must be"):
            pl.generated_cells(observed, observed, max_cells=1)
        assert plt.get_fignums() == []


@pytest.mark.slow
def test_umap_keeps_groups_together_and_is_repeatable() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 5)) + 20 * np.eye(2, 5)[np.arange(40) % 2]
    for metric in ("cosine", "euclidean"):
        points, again = (umap_points(vectors, 5, 0.3, seed=1, metric=metric) for _ in range(2))
        np.testing.assert_array_equal(points, again)
        first, second = points[::2], points[1::2]
        assert np.linalg.norm(first - first.mean(axis=0), axis=1).max() < np.linalg.norm(first.mean(0) - second.mean(0))


def test_names_in_a_crowd_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 2))
    _, ax = plt.subplots(figsize=(6, 6))
    ax.scatter(*points.T)
    labels = write_labels(ax, points[:25], [f"NAME{i}" for i in range(25)], points, colors=["black"] * 25)
    assert len(labels) == 25
    assert not texts_overlap(ax)
    frame = ax.get_window_extent()
    from matplotlib.text import Text

    assert all(frame.contains(*corner) for text in labels for corner in Text.get_window_extent(text).get_points())
