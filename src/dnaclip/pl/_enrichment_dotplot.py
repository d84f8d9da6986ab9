"""The gene sets that programs are enriched in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import check_count
from dnaclip.pl._axes import axes_or_new
from dnaclip.tl._adata import check_adata
from dnaclip.tl._programs.enrich import ENRICHMENT_KEY, enrichment_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata
    from matplotlib.axes import Axes

__all__ = ["enrichment_dotplot", "short_term"]

# Area of the largest dot, in square points, and the longest name of a term, in letters.
LARGEST = 160.0
LONGEST = 48
# Beyond this nobody tells values apart, and one extreme program would leave the others pale.
HIGHEST = 20.0


def enrichment_dotplot(
    data: anndata.AnnData | pd.DataFrame,
    *,
    n_terms: int = 2,
    programs: Sequence[str] | None = None,
    program_key: str = PROGRAM_KEY,
    enrichment_key: str = ENRICHMENT_KEY,
    ax: Axes | None = None,
) -> Axes:
    """Draw the best terms of each gene program, and where else they are enriched.

    Parameters
    ----------
    data
        Annotated data after :func:`dnaclip.tl.enrich`, or the table that it returned. Nothing is written.
    n_terms
        Terms of each program to show, by p-value. A term of several programs has one row.
    programs
        Programs to show; `None` takes all that have a term.
    program_key, enrichment_key
        Names under which the table was written.
    ax
        Axes to draw on; `None` makes a new figure that fits the terms.

    Returns
    -------
    The axes, terms as rows and programs as columns. The area of a dot is the share of the program's genes that are in
    the term (of `method="prerank"`: the share of the term's genes in the leading edge), its colour the false discovery
    rate as -log10, at most 20.

    Raises
    ------
    MissingKeyError
        There is no enrichment under these names.
    InputError
        There is no enriched term to draw.

    Examples
    --------
    >>> import dnaclip
    >>> programs, sets = {"P1": ["A", "B", "C"]}, {"first": ["A", "B"], "second": ["C", "D"]}
    >>> table = dnaclip.tl.enrich(programs, sets, background=list("ABCDEFGH"), min_size=2, max_fdr=1)
    >>> ax = dnaclip.pl.enrichment_dotplot(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['first', 'second']
    """
    check_count("n_terms", n_terms)
    if not isinstance(data, pd.DataFrame):
        check_adata(data)
        data = enrichment_table(data, program_key, enrichment_key)
    # In the order of the table, which is that of the programs.
    present = list(dict.fromkeys(data["program"].astype(str)))
    shown = present if programs is None else [str(name) for name in programs if str(name) in present]
    if not shown:
        asked = "" if programs is None else f" for {examples(programs)}"
        msg = f"There is no enriched term to draw{asked}. Programs with terms: {examples(present) or 'none'}."
        raise InputError(msg)
    table = data[data["program"].astype(str).isin(shown)]
    best = table.groupby(table["program"].astype(str), sort=False).head(n_terms)
    best = best.assign(place=best["program"].astype(str).map(shown.index)).sort_values("place", kind="stable")
    terms = list(dict.fromkeys(best["term"].astype(str)))
    table = table[table["term"].astype(str).isin(terms)]

    names = [short_term(term) for term in terms]
    # Of the program, or of the term when genes were ranked and programs have no size.
    whole = "n_program" if "n_program" in table else "n_term"
    share = (table["n_overlap"] / table[whole]).to_numpy(dtype=float)
    ax = axes_or_new(ax, (2.2 + 0.075 * max(map(len, names)) + 0.28 * len(shown), max(2.4, 1 + 0.22 * len(terms))))
    # A rate of 0 is one below the smallest number.
    strength = -np.log10(np.maximum(table["fdr"].to_numpy(dtype=float), 10**-HIGHEST))
    dots = ax.scatter(
        table["program"].astype(str).map(shown.index),
        table["term"].astype(str).map(terms.index),
        s=LARGEST * share / share.max(),
        c=strength,
        cmap="viridis_r",
        vmin=0,
        vmax=max(float(strength.max()), 1.0),
        edgecolors="black",
        linewidths=0.3,
    )
    ax.set_xticks(range(len(shown)), shown, rotation=90)
    ax.set_yticks(range(len(terms)), names)
    ax.set(xlim=(-0.7, len(shown) - 0.3), ylim=(len(terms) - 0.4, -0.6), xlabel=program_key.replace("_", " "))
    ax.grid(color="#EEEEEE", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    steps = share.max() * np.array([0.25, 0.5, 1])
    sizes = [ax.scatter([], [], s=LARGEST * part / share.max(), c="#888888", label=f"{part:.0%}") for part in steps]
    ax.legend(
        handles=sizes,
        title=f"share of {whole[2:]}",
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
    )
    ax.figure.colorbar(dots, ax=ax, label="-log10 FDR", fraction=0.06, shrink=0.5, aspect=15, anchor=(0, 0))
    return ax


def short_term(term: str) -> str:
    """Return the name of a term as people write it: without its accession, prefix and underscores, and cut if it is long."""
    name = re.sub(r"\s*\((?:GO|HP|MP):\d+\)$|\s+R-[A-Z]{3}-\d+$", "", term)
    if name.isupper() and "_" in name:
        name = re.sub(r"^(?:HALLMARK|REACTOME|GO(?:BP|CC|MF)?|KEGG|BIOCARTA|WP)_", "", name).replace("_", " ").lower()
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip()}…"
