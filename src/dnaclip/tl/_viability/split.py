"""Which lines and genes train a viability regressor, and which test it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_choice, check_key
from dnaclip.tl._adata import check_adata, quiet_view

if TYPE_CHECKING:
    import anndata

__all__ = ["split_viability", "training_masks"]

HELD_OUT = ("genes", "lines", "both")


def split_viability(
    adata: anndata.AnnData,
    held_out: str = "genes",
    *,
    test_share: float = 0.2,
    line_groups: str | None = None,
    gene_groups: str | None = None,
    key_added: str = "viability_split",
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> anndata.AnnData | None:
    """Hold out genes, lines or both, to test a :class:`ViabilityRegressor`.

    Only held-out genes test the gene vectors: of a gene that other lines were screened for, its mean over them says most.

    Parameters
    ----------
    adata
        Lines x genes.
    held_out
        `"genes"`, `"lines"` or `"both"`: a fifth of the genes and a fifth of the lines.
    test_share
        Share of genes or lines to hold out.
    line_groups
        Column of `obs` whose values stay together, such as the tissue: whole tissues are held out.
    gene_groups
        Column of `var` whose values stay together, such as the gene family. A gene without a value is a group of its own.
    key_added
        Name of the columns that are written.
    rng
        Seed or generator.
    copy
        Return a copy instead of writing to `adata`.

    Returns
    -------
    None, or the copy. `obs[key_added]` and `var[key_added]` say `train` or `test`, categorical.

    Raises
    ------
    MissingKeyError
        A column is absent.
    InputError
        `test_share` leaves no training or no test, such as with one group.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.zeros((4, 10)))
    >>> dnaclip.tl.split_viability(adata, "genes")
    >>> adata.var["viability_split"].value_counts().to_dict(), adata.obs["viability_split"].unique().tolist()
    ({'train': 8, 'test': 2}, ['train'])
    """
    check_adata(adata, copy=copy)
    check_choice("held_out", held_out, HELD_OUT)
    if isinstance(test_share, bool) or not isinstance(test_share, (int, float)) or not 0 < test_share < 1:
        msg = f"test_share must be a number between 0 and 1, got {test_share!r}."
        raise InputError(msg)
    if not isinstance(key_added, str) or not key_added:
        msg = f"key_added must be a non-empty string, got {key_added!r}."
        raise InputError(msg)
    generator = as_generator(rng)
    chosen = []
    for name, table, groups in (("lines", adata.obs, line_groups), ("genes", adata.var, gene_groups)):
        if groups is not None:
            check_key(groups, table.columns, where="adata.obs" if name == "lines" else "adata.var")
        test = np.zeros(len(table), dtype=bool)
        if held_out in (name, "both"):
            test = _held_out(name, table if groups is None else table[groups], groups, test_share, generator)
        chosen.append(test)
    adata = adata.copy() if copy else adata
    with quiet_view():
        for table, test in zip((adata.obs, adata.var), chosen, strict=True):
            table[key_added] = pd.Categorical(np.where(test, "test", "train"), categories=["train", "test"])
    return adata if copy else None


def training_masks(adata: anndata.AnnData, split: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return which lines and genes train, bool (n_obs,) and (n_vars,)."""
    if split is None:
        return np.ones(adata.n_obs, dtype=bool), np.ones(adata.n_vars, dtype=bool)
    masks = []
    for where, table in (("adata.obs", adata.obs), ("adata.var", adata.var)):
        check_key(split, table.columns, where=where, hint="Run dnaclip.tl.split_viability(adata) first.")
        mask = (table[split] == "train").to_numpy(dtype=bool)
        if not mask.any():
            msg = f"No value of {where}[{split!r}] is 'train'."
            raise InputError(msg)
        masks.append(mask)
    return masks[0], masks[1]


def _held_out(name: str, table: Any, groups: str | None, share: float, rng: np.random.Generator) -> np.ndarray:
    n = len(table)
    codes = np.arange(n)
    if groups is not None:
        codes = pd.factorize(table)[0]
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    sizes = np.bincount(codes)
    wanted = round(share * n)
    test, count = np.zeros(len(sizes), dtype=bool), 0
    for group in rng.permutation(len(sizes)):
        # A group that would go beyond the share is passed over for a smaller one.
        if count + sizes[group] <= max(wanted, 1):
            test[group] = True
            count += int(sizes[group])
    if not test.any() or test.all():
        of = f" in {len(sizes)} groups of {groups!r}" if groups else ""
        msg = f"{share:g} of {n} {name}{of} leaves no {'test' if not test.any() else 'training'}. Choose another test_share or smaller groups."
        raise InputError(msg)
    return test[codes]
