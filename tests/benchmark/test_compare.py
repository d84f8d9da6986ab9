"""Our rows beside the published, on a plot and from the command line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from typer.testing import CliRunner

import dnaclip
from dnaclip import benchmark
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.cli import app


@pytest.fixture(scope="module")
def result(vectors, labels):
    return benchmark.run(
        vectors, ("go", "omim", "sl"), mode="fast", data=labels, progress=False, name="mine", reads_text=True
    )


@pytest.fixture(scope="module")
def table(result, labels):
    return benchmark.compare(result, data=labels)


def test_rows_stand_in_the_published_table(result, table):
    assert sorted(table.index) == ["BEST", "PARTIAL", "WORST", "mine (fast (linear))"]
    mine = table[table["ours"]].iloc[0]
    go = result[(result["task"] == "go") & (result["metric"] == "auroc")]["value"].mean()
    assert mine["go"] == go
    assert table["go"].dropna().is_monotonic_decreasing
    assert table.loc["BEST", ["go", "omim", "sl_sum", "sl_sum_auprc"]].tolist() == [0.999, 0.9, 0.9, 0.5]
    assert table.loc["BEST", "dimension"] == 3072
    assert table["reads_text"].to_dict() == {
        "BEST": True, "PARTIAL": False, "WORST": False, "mine (fast (linear))": True
    }  # fmt: skip


def test_intersect_results_stand_beside_intersect_numbers(vectors, labels):
    found = benchmark.run(vectors, "go", mode="fast", genes="intersect", data=labels, progress=False)
    assert benchmark.compare(found, data=labels).loc["WORST", "go"] == 0.3


def test_what_is_no_result_is_refused(result, labels):
    with pytest.raises(MissingKeyError, match="benchmark.run"):
        benchmark.compare(result.drop(columns="metric"), data=labels)
    mixed = pd.concat([result, result.assign(genes="intersect")])
    with pytest.raises(InputError, match="same choice of genes"):
        benchmark.compare(mixed, data=labels)
    with pytest.raises(InputError, match="no rows"):
        benchmark.compare(result.iloc[:0], data=labels)


def test_ranking_plot_shows_ours_among_the_others(table):
    ax = dnaclip.pl.benchmark_ranking(table, "sl_sum")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 3  # one has no such score
    bold = [label.get_text() for label in ax.get_yticklabels() if label.get_fontweight() == "bold"]
    assert len(bold) == 1
    assert bold[0].endswith("mine (fast (linear))")
    assert {to_hex(label.get_color()) for label in ax.get_yticklabels()} == {"#000000", "#cc6677"}


def test_ranking_plot_keeps_ours_below_the_top(table):
    low = table.assign(go=np.where(table["ours"], 0.1, table["go"]))
    names = [label.get_text() for label in dnaclip.pl.benchmark_ranking(low, "go", n_top=1).get_yticklabels()]
    assert names == ["1  BEST", "4  mine (fast (linear))"]


def test_ranking_plot_refuses_what_it_cannot_draw(table):
    with pytest.raises(MissingKeyError, match="'ggi'"):
        dnaclip.pl.benchmark_ranking(table, "ggi")
    with pytest.raises(InputError, match="No embedding has the score 'go'"):
        dnaclip.pl.benchmark_ranking(table.assign(go=np.nan), "go")


def test_command_line(vectors, labels, tmp_path):
    vectors.to_parquet(tmp_path / "mine.parquet")
    line = ["benchmark", "--embedding", str(tmp_path / "mine.parquet"), "--tasks", "go,sl", "--mode", "fast"]
    line += ["--data", str(labels), "--out", str(tmp_path / "out"), "--no-progress"]
    shown = CliRunner().invoke(app, line)
    assert shown.exit_code == 0, shown.output
    assert "mine (fast (linear)) (fast (linear), not the published protocol; all genes)" in shown.output
    assert "rank 2 among 3 published (best published: BEST 0.999)" in shown.output or "rank 1 among 3" in shown.output
    assert {"scores.csv", "comparison.csv", "go.png", "sl_sum.png", "sl_sum_auprc.png"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    again = CliRunner().invoke(app, line)
    assert again.exit_code == 1
    assert "resume" in again.output
    assert CliRunner().invoke(app, [*line, "--resume"]).exit_code == 0
