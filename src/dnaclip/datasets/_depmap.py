"""The knock-out screens of DepMap 24Q4: viability of cell lines, their expression, and what they are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_choice
from dnaclip.datasets._fetch import fetch
from dnaclip.datasets._registry import get_asset
from dnaclip.datasets._screens import source_of

if TYPE_CHECKING:
    from pathlib import Path

    import anndata

__all__ = ["depmap"]

logger = logging.getLogger(__name__)

EFFECTS = {"effect": "depmap-24q4-effect", "dependency": "depmap-24q4-dependency"}
EXPRESSION, COPY_NUMBER, LINES = "depmap-24q4-expression", "depmap-24q4-copy-number", "depmap-24q4-lines"


def depmap(
    value: str = "effect", *, expression: bool = True, copy_number: bool = False, progress: bool = True
) -> anndata.AnnData:
    """Viability of some 1,200 cancer cell lines after the knock-out of each of some 18,000 genes :cite:p:`Tsherniak2017`.

    The files of release 24Q4: 0.43 GB of viability and 0.51 GB of expression, about 1 GB in memory.

    Parameters
    ----------
    value
        `"effect"`: gene effect of Chronos, 0 for no effect and -1 for the median of genes that all cells need.
        `"dependency"`: the probability that a line depends on the gene.
    expression
        Also read the expression of the lines.
    copy_number
        Also read the copy number of the genes. No checksum of this file is published: the first copy is trusted.
    progress
        Whether to show progress bars.

    Returns
    -------
    Lines x genes, float32, NaN where a gene was not screened, with

    `obs`
        The columns of DepMap's table of models, such as `CellLineName` and `OncotreeLineage`; `has_expression`.
    `var`
        `entrez_id`; the index are symbols.
    `obsm["expr"]`
        log2(TPM + 1) of the lines, NaN rows for lines without; the genes are in `uns["dataset"]["expr_genes"]`.
    `varm["expression"]`
        The same by gene, over the lines that have it: a profile of each perturbed gene. NaN for genes that are not in it.
    `layers["copy_number"]`
        Relative copy number.

    Raises
    ------
    DownloadError
        A file cannot be fetched, or is not what the registry promises.
    InputError
        `value` is not known, or a file does not hold what it should.

    Examples
    --------
    >>> from dnaclip.datasets import depmap
    >>> depmap("viability")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: value='viability' is not known. Use one of: 'effect', 'dependency'.
    """
    import anndata as ad

    check_choice("value", value, EFFECTS)
    names = [EFFECTS[value], LINES, *([EXPRESSION] if expression else []), *([COPY_NUMBER] if copy_number else [])]
    paths = {name: fetch(name, progress=progress) for name in names}
    effects = _read_matrix(paths[EFFECTS[value]])
    genes, entrez = _gene_names(effects.columns, paths[EFFECTS[value]])
    models = pd.read_csv(paths[LINES], dtype=str, keep_default_na=False)
    if "ModelID" not in models:
        msg = f"{str(paths[LINES])!r} has no column 'ModelID'; it has {examples(models.columns)}."
        raise InputError(msg)
    obs = models.drop_duplicates("ModelID").set_index("ModelID").reindex(effects.index).fillna("")
    obs.index.name = None
    adata = ad.AnnData(effects.to_numpy(), obs=obs, var=pd.DataFrame({"entrez_id": entrez}, index=genes))
    source: dict[str, Any] = dict(source_of(get_asset(EFFECTS[value])))
    if not adata.var_names.is_unique:
        logger.info("%d symbols stand more than once; the later ones get a number.", adata.var_names.duplicated().sum())
        adata.var_names_make_unique()
    if expression:
        source["expr_genes"] = _add_expression(adata, paths[EXPRESSION])
    if copy_number:
        table = _read_matrix(paths[COPY_NUMBER])
        table.columns = _gene_names(table.columns, paths[COPY_NUMBER])[0]
        table = table.loc[:, ~table.columns.duplicated()]
        adata.layers["copy_number"] = table.reindex(index=adata.obs_names, columns=adata.var_names).to_numpy(np.float32)
    adata.uns["dataset"] = source
    return adata


def _add_expression(adata: anndata.AnnData, path: Path) -> np.ndarray:
    """Write the expression of lines and of genes, and return the genes that were measured."""
    table = _read_matrix(path)
    genes, _ = _gene_names(table.columns, path)
    table.columns = genes
    table = table.loc[:, ~table.columns.duplicated()]
    known = adata.obs_names.isin(table.index)
    if not known.any():
        msg = f"{str(path)!r} has none of the {adata.n_obs} lines, such as {examples(adata.obs_names, 2)}."
        raise InputError(msg)
    adata.obs["has_expression"] = known
    adata.obsm["expr"] = table.reindex(adata.obs_names).to_numpy(np.float32)
    adata.varm["expression"] = table.loc[adata.obs_names[known]].T.reindex(adata.var_names).to_numpy(np.float32)
    return table.columns.to_numpy(dtype=str)


def _read_matrix(path: Path) -> pd.DataFrame:
    """Read a table with a line per row and a gene per column, float32, each line once."""
    try:
        table = pd.read_csv(path, index_col=0, low_memory=False).astype(np.float32)
    except (ValueError, OSError) as error:
        msg = f"{str(path)!r} is not a table of numbers with one row per cell line: {error}"
        raise InputError(msg) from error
    table.index = table.index.astype(str)
    return table[~table.index.duplicated()]


def _gene_names(columns: pd.Index, path: Path) -> tuple[pd.Index, pd.Index]:
    """Split names such as `TP53 (7157)` into symbols and Entrez ids."""
    parts = columns.astype(str).str.extract(r"^(.+?) \((\d+|nan|Unknown)\)$")
    bad = parts[0].isna().to_numpy()
    if bad.any():
        msg = f"{str(path)!r} has {bad.sum()} columns that are not like 'TP53 (7157)': {examples(columns[bad])}."
        raise InputError(msg)
    return pd.Index(parts[0].to_numpy(dtype=object)), pd.Index(parts[1].to_numpy(dtype=object))
