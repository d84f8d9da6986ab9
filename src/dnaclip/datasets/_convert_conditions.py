"""Give a perturbation data set of any origin the column `condition`: `ctrl`, `A+ctrl`, `A+B`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL, condition_genes, condition_name
from dnaclip._errors import InputError, examples
from dnaclip._validate import check_choice, check_key
from dnaclip.datasets._conventions import CONVENTIONS

if TYPE_CHECKING:
    import anndata

    from dnaclip.datasets._conventions import Genes

__all__ = ["convert_conditions"]

logger = logging.getLogger(__name__)


def convert_conditions(
    adata: anndata.AnnData, convention: str, *, column: str | None = None, key_added: str = "condition"
) -> None:
    """Write what was done to each cell as `ctrl`, `A+ctrl` or `A+B`, the form that all of dnaclip reads.

    Parameters
    ----------
    adata
        Cells, in memory or backed; only `obs` is read and written.
    convention
        Where the names come from:

        ========================== ===================== ==================================== ==================
        name                       column                names                                control
        ========================== ===================== ==================================== ==================
        `"gears"`                  `condition`           `A+ctrl`, `ctrl+A`, `A+B`            `ctrl`
        `"scperturb"`              `perturbation`        `A`, `A_B`                           `control`
        `"pertpy"`                 `perturbation_name`   `A`, `A+B`                           `control`
        `"replogle"`               `gene`                `A`                                  `non-targeting`
        `"virtual-cell-challenge"` `target_gene`         `A`                                  `non-targeting`
        `"x-atlas"`                `gene_target`         `A`                                  `Non-Targeting`
        `"adamson"`                `perturbation`        `A_pDS263`, `PERK_IRE1_pMJ154`       `62(mod)_pBA581`
        `"dixit"`                  `perturbation`        `p_sgA_2 + p_sgB_1`                  `p_INTERGENIC393453`
        `"papalexi"`               `perturbation`        `Ag1`                                `control`, `NTg1`
        ========================== ===================== ==================================== ==================
    column
        Column of `adata.obs` if it is another one.
    key_added
        Column that is written.

    Returns
    -------
    Nothing. `adata.obs[key_added]` is a categorical; genes stand in alphabetical order, once each, and cells of which
    the perturbation is not known (`*`, `nan`) have NaN.

    Raises
    ------
    MissingKeyError
        The column is absent.
    InputError
        `convention` is not known, or a name is not of this convention.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> from dnaclip.datasets import convert_conditions
    >>> adata = ad.AnnData(np.ones((4, 2)))
    >>> adata.obs["perturbation"] = ["control", "KLF1", "SET_KLF1", "*"]
    >>> convert_conditions(adata, "scperturb")
    >>> adata.obs["condition"].tolist()
    ['ctrl', 'KLF1+ctrl', 'KLF1+SET', nan]
    """
    check_choice("convention", convention, CONVENTIONS)
    how = CONVENTIONS[convention]
    column = how.column if column is None else column
    hint = f"The convention {convention!r} names perturbations there; name another column with column=."
    check_key(column, adata.obs.columns, where="adata.obs", hint=hint)
    codes, labels = pd.factorize(adata.obs[column])
    bad, names = [], []
    for label in labels:
        genes = how.read(label)
        try:
            names.append(None if genes is None else _name(genes))
        except InputError:
            bad.append(label)
    if bad:
        msg = (
            f"{len(bad)} of {len(labels)} names in adata.obs[{column!r}] are not of the convention {convention!r}: "
            f"{examples(bad)}. Use the right one of {', '.join(map(repr, CONVENTIONS))}, or rename these."
        )
        raise InputError(msg)
    # The last place is that of cells without a label, which have the code -1.
    conditions = np.array([*names, None], dtype=object)[codes]
    adata.obs[key_added] = pd.Categorical(conditions)
    n_unknown = int(adata.obs[key_added].isna().sum())
    if n_unknown:
        logger.info("The perturbation of %d of %d cells is not known.", n_unknown, adata.n_obs)
    if CONTROL not in names:
        logger.warning("No cell of adata.obs[%r] is a control by the convention %r.", column, convention)


def _name(genes: Genes) -> str:
    """Spell a condition; the control is added to a single gene, so that GEARS and others read it too."""
    checked = condition_genes("+".join(genes)) if genes else ()
    return f"{checked[0]}+{CONTROL}" if len(checked) == 1 else condition_name(checked)
