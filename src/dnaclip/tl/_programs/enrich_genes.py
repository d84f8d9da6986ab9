"""The genes that an enrichment compares: of programs, of the background, and of the gene sets."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key
from dnaclip.pp._identify import as_names, ensembl_prefix

if TYPE_CHECKING:
    import anndata

__all__ = [
    "gene_names",
    "membership",
    "program_genes",
    "same_names",
    "sets_to_test",
    "background_genes",
    "unified_names",
]

logger = logging.getLogger(__name__)


def gene_names(adata: anndata.AnnData, gene_symbols: str | None, organism: str | None) -> pd.Series:
    """Return the name of each gene of `adata`, as the gene sets may have it; None for a gene without one."""
    if gene_symbols is None:
        names = adata.var_names.to_series()
    else:
        check_key(gene_symbols, adata.var.columns, where="adata.var")
        names = adata.var[gene_symbols]
    return unified_names(names, organism)


def program_genes(data: Any, program_key: str, gene_symbols: str | None, organism: str | None) -> dict[str, list[str]]:
    """Return the genes of each program of an AnnData object, a dictionary of lists, or one list."""
    if hasattr(data, "uns"):
        check_key(program_key, data.var.columns, where="data.var", hint="Run dnaclip.tl.gene_programs(adata) first.")
        names = gene_names(data, gene_symbols, organism)
        member = data.var[program_key].astype("category").cat.remove_unused_categories()
        codes = member.cat.codes.to_numpy()
        groups = {str(name): names[codes == i] for i, name in enumerate(member.cat.categories)}
    else:
        given = data if isinstance(data, Mapping) else {"genes": data}
        listed = {str(name): list(_listed(f"program {name!r}", genes)) for name, genes in given.items()}
        # All at once: to look names up, a table has to be read.
        names = unified_names(list(chain.from_iterable(listed.values())), organism)
        of_program = np.repeat(np.arange(len(listed)), [len(genes) for genes in listed.values()])
        groups = {name: names[of_program == i] for i, name in enumerate(listed)}
    programs = {name: genes.dropna().unique().tolist() for name, genes in groups.items()}
    if not any(programs.values()):
        where = f"adata.var[{program_key!r}] holds nothing but NaN" if hasattr(data, "uns") else "every list is empty"
        msg = f"No gene is in a program: {where}."
        raise InputError(msg)
    return programs


def background_genes(
    adata: anndata.AnnData | None,
    background: Iterable[Any] | str | None,
    gene_symbols: str | None,
    organism: str | None,
) -> pd.Index:
    """Return the distinct genes of the background."""
    if adata is not None and (background is None or isinstance(background, str)):
        names = gene_names(adata, gene_symbols, organism)
        if background is not None:
            check_key(background, adata.var.columns, where="adata.var")
            mask = adata.var[background]
            if not pd.api.types.is_bool_dtype(mask.dtype) or mask.isna().any():
                msg = f"background={background!r}: adata.var[{background!r}] must hold booleans, got {mask.dtype}."
                raise InputError(msg)
            names = names[mask.to_numpy(dtype=bool)]
    elif background is None:
        msg = (
            "Lists of genes need a background: the genes that could have been in them, such as those measured. "
            "Use background=adata.var_names or another list of gene names."
        )
        raise InputError(msg)
    else:
        names = unified_names(_listed("background", background), organism)
    genes = pd.Index(names.dropna().unique(), dtype=object)
    if not len(genes):
        msg = "The background holds no gene."
        raise InputError(msg)
    return genes


def same_names(sets: Mapping[str, list[str]], genes: Collection[str], organism: str | None) -> dict[str, list[str]]:
    """Return the sets with names as `organism` has them; raise when genes and sets are named in different ways.

    Names of mouse and human genes differ by upper and lower case only, so that ignoring case would make a mouse
    experiment match human sets without a word.
    """
    if organism is not None:
        names = pd.Series(list(dict.fromkeys(chain.from_iterable(sets.values()))), dtype=object)
        symbol = dict(zip(names, unified_names(names, organism), strict=True))
        sets = {term: [symbol[gene] for gene in members if symbol[gene] is not None] for term, members in sets.items()}
    known = set(chain.from_iterable(sets.values()))
    here = set(genes)
    exact = here & known
    folded = {name.upper() for name in here} & {name.upper() for name in known}
    logger.info("%d of the %d genes are in at least one of the %d gene sets.", len(exact), len(here), len(sets))
    if len(folded) > 2 * len(exact):
        pairs = sorted(here - known, key=lambda name: (name.upper() not in folded, name))
        shown = next(name for name in sorted(known) if name.upper() == pairs[0].upper())
        msg = (
            f"{len(exact)} of {len(here)} genes are in the gene sets, but {len(folded)} when upper and lower case are "
            f"ignored: the data have {pairs[0]!r}, the gene sets {shown!r}. They are probably of two species (mouse and rat "
            "write Actb, human ACTB). Use gene sets of the species of your data, or put the symbols of the orthologs into a "
            "column of adata.var and name it with gene_symbols=."
        )
        raise InputError(msg)
    if not exact:
        ensembl = any(ensembl_prefix(name) for name in list(here)[:100])
        hint = (
            "The genes look like Ensembl ids: name the column of adata.var that holds symbols with gene_symbols=, or "
            "have the names of both translated with organism=, such as 'human'."
            if ensembl
            else "Check that both use the same kind of names and the same species; organism= translates ids and aliases."
        )
        msg = f"None of the {len(here)} genes ({examples(sorted(here))}) is in the gene sets ({examples(sorted(known))}). {hint}"
        raise InputError(msg)
    return dict(sets)


def membership(groups: Mapping[str, list[str]], genes: pd.Index, *, what: str | None = None) -> sparse.csr_array:
    """Return which of `genes` are in each group, sparse bool (n_groups, n_genes); with `what`, warn about genes left out."""
    sizes = [len(members) for members in groups.values()]
    names = np.array(list(chain.from_iterable(groups.values())), dtype=object)
    rows, columns = np.repeat(np.arange(len(sizes)), sizes), genes.get_indexer(pd.Index(names))
    absent = columns < 0
    if what is not None and absent.any():
        left_out = list(dict.fromkeys(names[absent]))
        msg = f"{len(left_out)} genes of {what} are not in the background and are left out: {examples(left_out)}."
        warnings.warn(msg, UserWarning, stacklevel=3)
    ones = np.ones(int((~absent).sum()), dtype=bool)
    return sparse.csr_array((ones, (rows[~absent], columns[~absent])), shape=(len(sizes), len(genes)), dtype=bool)


def sets_to_test(
    sets: Mapping[str, list[str]], genes: pd.Index, min_size: int, max_size: int
) -> tuple[np.ndarray, sparse.csr_array]:
    """Return the names of the sets whose size within `genes` is in range, and which genes are in them."""
    in_set = membership(sets, genes)
    size = np.diff(in_set.indptr)
    kept = np.flatnonzero((size >= min_size) & (size <= max_size))
    if not len(kept):
        msg = (
            f"None of the {len(sets)} gene sets has between {min_size} and {max_size} genes in the background; "
            f"the largest has {size.max()}. Change min_size or max_size, or check the background."
        )
        raise InputError(msg)
    return np.array(list(sets), dtype=object)[kept], in_set[kept]


def unified_names(names: Any, organism: str | None) -> pd.Series:
    """Return names as stripped text, None where missing, and as approved symbols of `organism` if that is given."""
    texts = as_names(pd.Series(names).astype(object).to_numpy())
    if organism is not None:
        texts = _approved(texts, organism)
    return pd.Series([name or None for name in texts], dtype=object)


def _approved(names: np.ndarray, organism: str) -> np.ndarray:
    """Return the approved symbol of each name; a name that the table does not know stays as it is.

    So does a name that the table knows in other upper and lower case: it may be another species'.
    """
    from dnaclip.datasets import load_table
    from dnaclip.pp._match import find_genes

    table = load_table(organism)
    match = find_genes(names, table)
    symbols = table.genes["symbol"].to_numpy(dtype=object)
    known = match.found & (match.how != "case") & (symbols[match.rows] != "")
    return np.where(known, symbols[match.rows], match.ids)


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        msg = f"{name} must be a list of gene names, got {values!r}."
        raise InputError(msg)
    return list(values)
