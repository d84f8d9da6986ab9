"""Tables and figures of a run, for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._files import replacing, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["save_report"]

ABOUT = ["category", "dimension", "ours", "reads_text", "protocol"]


def save_report(result: pd.DataFrame, table: pd.DataFrame, folder: Path) -> list[str]:
    """Write `scores.csv`, `comparison.csv` and a ranking plot for each score that the published embeddings have.

    Parameters
    ----------
    result
        From :func:`dnaclip.benchmark.run`.
    table
        From :func:`dnaclip.benchmark.compare`.
    folder
        Where to; made if need be.

    Returns
    -------
    Lines that say where the embeddings of the run stand.
    """
    from matplotlib.figure import Figure

    from dnaclip.pl import benchmark_ranking

    write_atomic(folder / "scores.csv", result.to_csv(index=False).encode())
    write_atomic(folder / "comparison.csv", table.to_csv().encode())
    lines = []
    for name, row in table[table["ours"]].iterrows():
        lines.append(f"{name} ({row['protocol']}; {result['genes'].iloc[0]} genes)")
        for score in table.columns.difference(ABOUT, sort=False):
            published = table.loc[~table["ours"], score].dropna()
            if len(published):
                rank = 1 + int((published > row[score]).sum())
                best = f"best published: {published.idxmax()} {published.max():.3f}"
                lines.append(f"  {score}: {row[score]:.3f}, rank {rank} among {len(published)} published ({best})")
            else:
                lines.append(f"  {score}: {row[score]:.3f}")
    for score in table.columns.difference(ABOUT, sort=False):
        if table.loc[~table["ours"], score].notna().any():
            figure = Figure(figsize=(6.5, 1.3 + 0.2 * len(table)), layout="constrained")
            benchmark_ranking(table, score, ax=figure.add_subplot())
            with replacing(folder / f"{score}.png") as part:
                figure.savefig(part, dpi=150, format="png")
    lines.append(f"Tables and figures are in {folder}.")
    return lines
