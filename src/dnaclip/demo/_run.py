"""The steps of the demo, from cells to a report."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm.auto import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from dnaclip import tl
from dnaclip._errors import InputError, examples
from dnaclip._files import replacing, write_atomic
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import os

    import anndata
    import numpy as np

__all__ = ["run_demo"]

logger = logging.getLogger(__name__)

# Columns that usually hold cell types, and then clusters.
USUAL_GROUPS = ("bulk_labels", "cell_type", "celltype", "cell_types", "leiden", "louvain")


def run_demo(
    out: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    organism: str = "human",
    groupby: str | None = None,
    rng: int | np.random.Generator | None = 0,
) -> Path:
    """Go the whole way on a data set: embeddings, gene programs, scores per cell type, and a report about them.

    Parameters
    ----------
    out
        Folder for the results; made when absent, and files of an earlier run are replaced.
    data
        File of annotated data (h5ad) with log-normalised expression in `.raw`, or else in `X`. `None` is the 700 blood
        cells that come with scanpy, so that nothing is downloaded.
    organism
        Species of the genes.
    groupby
        Column of `adata.obs` with the groups to compare; `None` is the first of the usual names that is there.
    rng
        Seed for programs, maps and random gene sets.

    Returns
    -------
    Path of `report.html`, one file that needs no other. Beside it stand the figures (PNG) and the annotated data
    (h5ad), each written whole or not at all.

    Raises
    ------
    InputError
        `data` is no h5ad file, or there is no column to group the cells by.
    MissingKeyError
        `groupby` is not in `adata.obs`.

    Examples
    --------
    >>> from dnaclip.demo import run_demo
    >>> run_demo("demo-output").name  # doctest: +SKIP
    'report.html'
    """
    import scanpy as sc

    from dnaclip.demo._figures import coherence_figure, heatmap_figure, map_figure, sides_figure, to_png
    from dnaclip.demo._report import report
    from dnaclip.demo._summary import neighbour_table, program_table

    out = Path(out)
    with logging_redirect_tqdm(), tqdm(total=7, unit="step") as bar:
        _begin(bar, "reading cells")
        name = "pbmc68k" if data is None else Path(data).stem
        adata = sc.datasets.pbmc68k_reduced() if data is None else _read(Path(data))
        adata = adata if adata.raw is None else adata.raw.to_adata()
        groupby = _find_groups(adata, groupby)

        _begin(bar, "embedding genes")
        tl.embed(adata, organism=organism)
        sides = [side for side in ("dna", "text") if _embed_side(adata, side, organism)]

        _begin(bar, "finding programs")
        tl.gene_programs(adata, rng=rng)
        tl.describe(adata, organism=organism)

        _begin(bar, "scoring programs")
        tl.score_programs(adata)
        programs = program_table(adata, groupby)
        neighbours = neighbour_table(adata, programs)

        _begin(bar, "drawing genes")
        images = {
            "gene_map": to_png(map_figure(adata, rng)),
            "sides": to_png(sides_figure(adata, sides, rng)),
        }

        _begin(bar, "drawing programs")
        images["program_heatmap"] = to_png(heatmap_figure(adata, groupby))
        images["coherence"] = to_png(coherence_figure(programs))
        page = report(adata, images, programs, neighbours, name=name, groupby=groupby)

        _begin(bar, "writing")
        for key, image in images.items():
            write_atomic(out / f"{key}.png", image)
        with replacing(out / f"{name}_dnaclip.h5ad") as part:
            adata.write_h5ad(part, compression="gzip")
        return write_atomic(out / "report.html", page.encode())


def _begin(bar: tqdm, step: str) -> None:
    bar.set_description(step)
    bar.update()


def _read(path: Path) -> anndata.AnnData:
    import anndata

    if not path.is_file():
        msg = f"There is no file {str(path)!r}. Give an h5ad file with log-normalised expression."
        raise InputError(msg)
    try:
        return anndata.read_h5ad(path)
    # A damaged file fails in many ways: h5py, anndata and NumPy each have exceptions of their own.
    except Exception as error:
        msg = f"{str(path)!r} cannot be read as an h5ad file: {error}"
        raise InputError(msg) from error


def _find_groups(adata: anndata.AnnData, groupby: str | None) -> str:
    """Return the column to group the cells by, which must have two groups or more."""
    if groupby is None:
        groupby = next((name for name in USUAL_GROUPS if name in adata.obs), None)
    if groupby is None:
        msg = (
            f"None of the usual columns with cell types ({', '.join(USUAL_GROUPS)}) is in adata.obs. "
            f"Name one with groupby: {examples(adata.obs.columns, 10) or 'there is none'}."
        )
        raise InputError(msg)
    check_key(groupby, adata.obs.columns, where="adata.obs")
    if adata.obs[groupby].nunique() < 2:
        msg = f"adata.obs[{groupby!r}] has fewer than two groups to compare."
        raise InputError(msg)
    return groupby


def _embed_side(adata: anndata.AnnData, side: Literal["dna", "text"], organism: str) -> bool:
    """Embed the genes from one side alone; return whether any gene has it."""
    try:
        tl.embed(adata, modality=side, organism=organism, key_added=f"{DEFAULT_KEY}_{side}")
    except InputError as error:
        logger.info("No map of the %s side alone: %s", side, error)
        return False
    return True
