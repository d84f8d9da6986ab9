"""One HTML page that needs no other file and asks no other host."""

from __future__ import annotations

import base64
import platform
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY, EmbeddingKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    import anndata

__all__ = ["report"]

PACKAGES = ("dnaclip", "anndata", "scanpy", "igraph", "umap-learn", "numpy", "scipy", "pandas", "matplotlib")


def report(
    adata: anndata.AnnData,
    images: Mapping[str, bytes],
    programs: pd.DataFrame,
    neighbours: pd.DataFrame,
    *,
    name: str,
    groupby: str,
) -> str:
    """Return the page: `images` are PNG by name, `programs` and `neighbours` the tables of the demo."""
    template = Template(files("dnaclip.demo").joinpath("report.html").read_text(encoding="utf-8"))
    params = adata.uns[DEFAULT_KEY]["params"]
    found = int(adata.var[EmbeddingKeys().found].sum())
    return template.substitute(
        name=escape(name),
        groupby=escape(groupby),
        n_cells=f"{adata.n_obs:,}",
        n_genes=f"{adata.n_vars:,}",
        n_found=f"{found:,}",
        share_found=f"{found / adata.n_vars:.0%}",
        n_programs=len(programs),
        n_groups=adata.obs[groupby].nunique(),
        n_in_programs=f"{adata.var[PROGRAM_KEY].notna().sum():,}",
        model=escape(str(params["model"])),
        program_table=_table(_readable(programs)),
        neighbour_table=_table(neighbours),
        coverage_table=_table(_coverage(adata)),
        group_table=_table(adata.obs[groupby].value_counts().rename_axis(groupby).reset_index(name="cells")),
        version_table=_table(
            pd.DataFrame(
                [("Python", platform.python_version()), *((p, version(p)) for p in PACKAGES)],
                columns=["package", "version"],
            )
        ),
        embedding_params=_table(_params(params)),
        program_params=_table(_params(adata.uns[PROGRAM_KEY]["params"])),
        **{key: f"data:image/png;base64,{base64.b64encode(image).decode()}" for key, image in images.items()},
    )


def _table(table: pd.DataFrame) -> str:
    body = table.to_html(index=False, border=0, justify="left", escape=True)
    return f'<div class="table">{body}</div>'


def _readable(programs: pd.DataFrame) -> pd.DataFrame:
    """Put each coherence and its chance value into one column."""
    table = programs[["program", "genes", "named for", "central genes", "most active in"]].copy()
    table["z"] = programs["z"].map("{:.1f}".format)
    for what, title in (("embedding", "cosine"), ("expression", "correlation")):
        parts = (programs[column] for column in (what, f"{what}_random", f"{what}_z"))
        table[f"{title} (random sets; z)"] = [f"{a:.2f} ({b:.2f}; {c:.1f})" for a, b, c in zip(*parts, strict=True)]
    return table


def _coverage(adata: anndata.AnnData) -> pd.DataFrame:
    """Return how many genes have which side."""
    counts = adata.var[EmbeddingKeys().modalities].value_counts(sort=False)
    share = (counts / adata.n_vars).map("{:.1%}".format)
    return pd.DataFrame({"made from": counts.index.astype(str), "genes": counts.to_numpy(), "share": share.to_numpy()})


def _params(params: Mapping[str, object]) -> pd.DataFrame:
    rows = [(key, "" if value is None else str(value)) for key, value in params.items()]
    return pd.DataFrame(rows, columns=["parameter", "value"])
