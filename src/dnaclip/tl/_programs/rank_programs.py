"""Which gene programs are more or less active in one condition than in another, donors being what is counted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from dnaclip import __version__
from dnaclip._errors import InputError, examples
from dnaclip._keys import PROGRAM_KEY, EmbeddingKeys
from dnaclip._validate import as_generator, check_choice, check_count, check_key, clean_params
from dnaclip.metrics._two_groups import compare_groups
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._group_scores import program_scores
from dnaclip.tl._programs.donor_means import check_conditions, donor_means, refuse_shared_donors

if TYPE_CHECKING:
    import anndata

__all__ = ["RANKING_KEY", "rank_programs", "ranking_table"]

RANKING_KEY = "ranking"
COLUMNS = [
    "condition",
    "group",
    "program",
    "n_donors",
    "n_reference",
    "mean",
    "mean_reference",
    "difference",
    "ci_low",
    "ci_high",
    "hedges_g",
    "p_value",
    "fdr",
]
# With fewer donors than this on a side, a test finds only huge differences and its p-values lean on the normal law.
FEW_DONORS = 4


def rank_programs(
    adata: anndata.AnnData,
    condition_key: str,
    *,
    reference: str,
    donor_key: str,
    groupby: str | None = None,
    program_key: str = PROGRAM_KEY,
    paired: bool = False,
    test: str = "welch",
    min_cells: int = 10,
    n_permutations: int = 9999,
    key_added: str = RANKING_KEY,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Compare the activity of gene programs between conditions, such as disease and control, in each type of cell.

    Cells of one donor are not independent, and tests that count cells find differences everywhere :cite:p:`Squair2021`. So
    the scores are first averaged over the cells of a donor (of each type), and donors are compared: Welch's t-test, or a
    permutation test. Every other condition is compared with `reference`; the false discovery rate
    :cite:p:`Benjamini1995` is over all conditions, types of cells and programs.

    Parameters
    ----------
    adata
        Annotated data after :func:`score_programs`.
    condition_key
        Column of `adata.obs` with the condition of each cell. Cells without a value, here and in the next two, are left
        out.
    reference
        The condition to compare with, such as `"healthy"`.
    donor_key
        Column of `adata.obs` with the donor, patient or animal that a cell comes from: what was drawn at random and can
        be counted.
    groupby
        Column of `adata.obs` with the types of cells, each compared by itself; `None` takes all cells together.
    program_key
        Name under which the scores were written.
    paired
        Whether donors were measured in both conditions and are compared with themselves. Donors with cells in one of
        them only are then left out.
    test
        `"welch"`, or `"permutation"`: of the difference in means, exact when `n_permutations` are enough for all
        permutations. Three donors against three cannot give less than p = 0.1 by it.
    min_cells
        A donor with fewer cells of a type is left out there.
    n_permutations
        For `test="permutation"`.
    key_added
        Name of the result below `adata.uns[program_key]`.
    rng
        Seed or generator for `test="permutation"`.

    Returns
    -------
    One row per condition, type of cells and program, by p-value: `condition`, `group` (type of cells), `program`,
    `n_donors` and `n_reference` (donors compared), `mean` and `mean_reference` (over donors, of the mean scores),
    `difference` with `ci_low` and `ci_high` (95 %, by t), `hedges_g` (difference in standard deviations over donors), `p_value`
    (two-sided) and `fdr`. A program that is the same in all donors has NaN for the last five.

    The table is also written to `adata.uns[program_key][key_added]["table"]`, and the parameters to
    `adata.uns[program_key][key_added]["params"]`.

    Raises
    ------
    MissingKeyError
        A column is not in `adata.obs`, or there are no scores under `program_key`.
    InputError
        `reference` is not a condition or the only one, no type of cells has two donors in both conditions, or donors are
        in several conditions and `paired` is false.

    Warns
    -----
    UserWarning
        There are fewer than four donors on a side, or types of cells with fewer than two, which are left out.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import pandas as pd
    >>> import dnaclip
    >>> donor = np.repeat(np.arange(8), 10)
    >>> obs = pd.DataFrame({"donor": donor.astype(str), "state": np.where(donor < 4, "healthy", "ill")})
    >>> active = np.random.default_rng(0).normal(size=(80, 1)) + (donor >= 4)[:, None]
    >>> adata = ad.AnnData(obs=obs.set_index(obs.index.astype(str)), obsm={"gene_program": active})
    >>> adata.uns["gene_program"] = {"scores": {"programs": ["P1"]}}
    >>> table = dnaclip.tl.rank_programs(adata, "state", reference="healthy", donor_key="donor")
    >>> table[["program", "n_donors", "n_reference", "difference"]].round(1)
      program  n_donors  n_reference  difference
    0      P1         4            4         1.4
    """
    check_adata(adata)
    keys = {"condition": condition_key, "donor": donor_key} | ({} if groupby is None else {"group": groupby})
    for key in keys.values():
        check_key(key, adata.obs.columns, where="adata.obs")
    check_choice("test", test, ("welch", "permutation"))
    check_count("min_cells", min_cells)
    check_count("n_permutations", n_permutations, least=10)
    EmbeddingKeys(key_added)
    generator = as_generator(rng)
    scores = program_scores(adata, program_key)
    record = adata.uns[program_key]
    if "table" not in record.get(key_added, ["table"]):
        msg = f"adata.uns[{program_key!r}][{key_added!r}] exists and is no ranking. Use another key_added."
        raise InputError(msg)

    cells = pd.DataFrame({name: adata.obs[key].astype(object).to_numpy() for name, key in keys.items()})
    cells = cells.assign(group="all cells") if groupby is None else cells
    reference = check_conditions(cells["condition"], condition_key, reference)
    if not paired:
        refuse_shared_donors(cells, donor_key, condition_key)
    donors = donor_means(cells, scores, min_cells)

    options: dict[str, Any] = {"test": test, "confidence": 0.95, "n_permutations": n_permutations, "rng": generator}
    tables: list[pd.DataFrame] = []
    left_out: list[str] = []
    few: list[str] = []
    for condition in sorted(set(cells["condition"].dropna()) - {reference}, key=str):
        for group in sorted(set(cells["group"].dropna()), key=str):
            cases, controls = (_side(donors, group, side) for side in (condition, reference))
            if paired:
                both = cases.index.intersection(controls.index)
                cases, controls = cases.loc[both], controls.loc[both]
            fewest = min(len(cases), len(controls))
            if fewest < FEW_DONORS:
                (left_out if fewest < 2 else few).append(
                    f"{group} ({condition} {len(cases)}, {reference} {len(controls)})"
                )
            if fewest >= 2:
                compared = compare_groups(cases.to_numpy(), controls.to_numpy(), paired=paired, **options)
                compared["condition"], compared["group"] = str(condition), str(group)
                compared["program"] = scores.columns.astype(str)
                compared["n_donors"], compared["n_reference"] = len(cases), len(controls)
                tables.append(compared)
    if not tables:
        msg = (
            f"No comparison has two donors with at least {min_cells} cells on both sides: {examples(left_out)} donors. Cells "
            "of one donor cannot stand for other donors. Collect more donors, lower min_cells, or use a coarser groupby."
        )
        raise InputError(msg)
    _warn(left_out, few)
    table = pd.concat(tables, ignore_index=True)
    table["fdr"] = _false_discovery_rate(table["p_value"].to_numpy())
    table = table[COLUMNS].sort_values(["p_value", "condition", "group", "program"], kind="stable", ignore_index=True)

    params: dict[str, Any] = {
        "condition_key": condition_key,
        "reference": str(reference),
        "donor_key": donor_key,
        "groupby": groupby,
        "paired": paired,
        "test": test,
        "min_cells": min_cells,
        "dnaclip_version": __version__,
    }
    if test == "permutation":
        params |= {"n_permutations": n_permutations, "rng": rng}
    # Tables in `uns` come back from a file with text as row names.
    stored = {"table": table.set_axis(table.index.astype(str)), "params": clean_params(params)}
    with quiet_view():
        adata.uns[program_key] = {**record, key_added: stored}
    return table


def ranking_table(
    adata: anndata.AnnData, program_key: str = PROGRAM_KEY, ranking_key: str = RANKING_KEY
) -> pd.DataFrame:
    """Return the table that :func:`rank_programs` wrote, with a fresh index; raise when there is none."""
    hint = "Run dnaclip.tl.rank_programs first."
    check_key(program_key, adata.uns, where="adata.uns", hint=hint)
    check_key(ranking_key, adata.uns[program_key], where=f"adata.uns[{program_key!r}]", hint=hint)
    record = adata.uns[program_key][ranking_key]
    check_key("table", record, where=f"adata.uns[{program_key!r}][{ranking_key!r}]", hint=hint)
    return record["table"].reset_index(drop=True)


def _side(donors: pd.DataFrame, group: Any, condition: Any) -> pd.DataFrame:
    """Return the mean scores of the donors of one condition in one type of cells, indexed by donor."""
    here = (donors.index.get_level_values("group") == group) & (donors.index.get_level_values("condition") == condition)
    return donors[here].droplevel(["group", "condition"])


def _warn(left_out: list[str], few: list[str]) -> None:
    if left_out:
        msg = (
            f"{len(left_out)} comparisons have fewer than two donors on a side and are left out: {examples(left_out)}."
        )
        warnings.warn(msg, UserWarning, stacklevel=3)
    if few:
        msg = (
            f"{len(few)} comparisons have fewer than {FEW_DONORS} donors on a side: {examples(few)}. Such a test can miss "
            "all but huge differences, and one unusual donor can make one. Do not conclude from it alone."
        )
        warnings.warn(msg, UserWarning, stacklevel=3)


def _false_discovery_rate(p_values: np.ndarray) -> np.ndarray:
    """Return the false discovery rate by Benjamini and Hochberg over the p-values that are not NaN."""
    rates, known = np.full(len(p_values), np.nan), np.isfinite(p_values)
    if known.any():
        rates[known] = false_discovery_control(p_values[known])
    return rates
