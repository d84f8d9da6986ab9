"""Split perturbations into training, validation and test, so that what is tested was not trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._conditions import CONTROL, condition_name
from dnaclip._errors import InputError
from dnaclip._keys import EmbeddingKeys
from dnaclip._validate import as_generator, check_choice, check_count, clean_params
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._perturbation.split_columns import draw_controls, read_conditions, read_context
from dnaclip.tl._perturbation.split_parts import PARTS, Split, given, one_fold, simulated
from dnaclip.tl._perturbation.split_rules import hold_out_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata

    from dnaclip.tl._perturbation.split_rules import Condition

__all__ = ["split_perturbations"]

logger = logging.getLogger(__name__)

METHODS = ("simulation", "single", "kfold", "context")


def split_perturbations(
    adata: anndata.AnnData,
    method: str | Mapping[str, Sequence[str]] = "simulation",
    *,
    perturbation_key: str = "condition",
    control: str = CONTROL,
    context_key: str | None = None,
    held_out_context: str | None = None,
    fractions: tuple[float, float] = (0.75, 0.75),
    validation_fractions: tuple[float, float] = (0.9, 0.9),
    n_folds: int = 5,
    fold: int = 0,
    gene_disjoint: bool = False,
    held_out_controls: float = 0.5,
    key_added: str = "split",
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> anndata.AnnData | None:
    """Split the cells by perturbation into training, validation and test.

    A perturbation stands in one part only, however its name is spelt (`A+B` is `B+A`, `A+ctrl` is `A`). Half of the
    control cells train and half are kept for the test, so that predicted and observed changes do not share their noise.

    - `"simulation"`, the split of GEARS :cite:p:`Roohani2024`: a share of the genes is *seen*; single genes and
      combinations with an unseen gene are tested, and so is a share of the combinations of seen genes. Validation is
      split off from the training conditions by the same rules.
    - `"single"`: the same for single genes; combinations are not used.
    - `"kfold"`: each perturbation is tested in one of `n_folds` folds. Folds hold about as many singles, doubles and so
      on as each other. With `gene_disjoint=True` no perturbation that is tested shares a gene with one that trains.
    - `"context"`: the perturbed cells of one cell line or type are tested. Control cells of it train, so that its
      baseline is known.
    - A mapping of `"train"`, `"validation"`, `"test"` and `"unused"` to names of conditions is taken as it is.

    Without `gene_disjoint`, folds test `A` while `A+B` trains: a model that knows nothing about genes does well then. Only
    `unseen_single`, `combo_seen0` and gene-disjoint folds show what gene vectors are worth.

    Parameters
    ----------
    adata
        Annotated data, one row per cell, or per perturbation and context.
    method
        How to split.
    perturbation_key
        Column of `adata.obs` with the condition of each cell: `ctrl`, `A`, `A+ctrl`, `A+B`, with any number of genes.
    control
        Name of the control condition.
    context_key
        Column of `adata.obs` with the cell line or type, for `"context"` and `held_out_controls`.
    held_out_context
        Its value that is tested, for `"context"`.
    fractions
        For `"simulation"` and `"single"`: the share of genes that are seen, and the share of the combinations of seen
        genes that train; both numbers are rounded down.
    validation_fractions
        The same for splitting the rest into training and validation. `"kfold"` and `"context"` take the first: the
        share of conditions that train, or of genes with `gene_disjoint`. `(1, 1)` makes no validation part.
    n_folds
        Folds for `"kfold"`.
    fold
        Which fold is tested, from 0.
    gene_disjoint
        For `"kfold"`: deal genes to folds, not perturbations. Genes that combinations link, directly or through others,
        stay in one fold, unless these alone would fill more than two even folds. Such genes are dealt one by one, and a
        combination of a tested gene with one that trains is not used in this fold.
    held_out_controls
        Share of the control cells, drawn within each context of `context_key`, that is tested. A change is a difference
        from control cells. When those of training also stand behind the observed changes, their noise is in both, and
        weak effects seem to be predicted well. With half of them each side has its own; 0 lets all control cells train,
        as GEARS does.
    key_added
        Name under which the split is written.
    rng
        Seed or generator; `"kfold"` needs a seed, so that all its folds come from one deal. The same seed gives the same
        split whatever the order of the cells; global random state is neither read nor set.
    copy
        Return a changed copy instead of changing `adata`.

    Returns
    -------
    `None`, or the copy with `copy=True`. Written are

    `adata.obs[key_added]`
        `train`, `validation`, `test` or `unused`, categorical.
    `adata.obs[f"{key_added}_group"]`
        What training knows of the cell's perturbation, categorical: `control`, `train`, `unused`; for held-out ones
        `unseen_single`, `seen_single`, `combo_seen0`, `combo_seen1` and so on, by the number of genes that are seen
        (drawn for `"simulation"`, in a perturbation that is not tested otherwise); for a held-out context
        `context_seen` and `context_unseen`, by whether there are cells of the perturbation in another context.
    `adata.obs[f"{key_added}_condition"]`
        The one spelling of the cell's condition, categorical.
    `adata.uns[key_added]`
        `conditions`, a table of all conditions with their part, group, and numbers of genes and cells; and `params`.

    Raises
    ------
    MissingKeyError
        A column is not in `adata.obs`.
    InputError
        A condition is missing or not readable, looks like a control and is not, or stands in two parts of a mapping; an
        option is out of range; or nothing is left to train or to test.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((7, 2), dtype="float32"))
    >>> adata.obs["condition"] = ["ctrl", "A+ctrl", "B+ctrl", "C", "D", "A+B", "B+A"]
    >>> dnaclip.tl.split_perturbations(adata, validation_fractions=(1, 1))
    >>> adata.obs["split"].tolist()
    ['train', 'test', 'train', 'train', 'train', 'test', 'test']
    >>> adata.uns["split"]["conditions"][["condition", "group"]].values.tolist()[:3]
    [['A', 'unseen_single'], ['A+B', 'combo_seen1'], ['B', 'train']]
    """
    check_adata(adata, copy=copy)
    _check_options(method, n_folds, fold, rng, gene_disjoint=gene_disjoint, context=held_out_context is not None)
    _check_shares("fractions", fractions)
    _check_shares("validation_fractions", validation_fractions)
    if (
        isinstance(held_out_controls, bool)
        or not isinstance(held_out_controls, (int, float))
        or not 0 <= held_out_controls < 1
    ):
        msg = f"held_out_controls must be a number from 0 to below 1, got {held_out_controls!r}."
        raise InputError(msg)
    key_added = EmbeddingKeys(key_added).name
    columns = [key_added, f"{key_added}_group", f"{key_added}_condition"]
    if clash := {perturbation_key, context_key} & set(columns):
        msg = f"key_added={key_added!r} would overwrite adata.obs[{clash.pop()!r}]. Use another name."
        raise InputError(msg)
    conditions, condition_of_cell = read_conditions(adata, perturbation_key, control)
    perturbations = [condition for condition in conditions if condition]
    generator = as_generator(rng)
    held_out_cell = np.zeros(adata.n_obs, bool)
    if isinstance(method, Mapping):
        split = given(method, perturbations, control)
    elif method == "context":
        held_out_cell = read_context(adata, context_key, held_out_context)
        elsewhere = {conditions[i] for i in np.unique(condition_of_cell[~held_out_cell])} - {()}
        if not elsewhere:
            msg = f"held_out_context={held_out_context!r}: no other context has perturbed cells to train on."
            raise InputError(msg)
        remain = [condition for condition in perturbations if condition in elsewhere]
        split = Split(validation=hold_out_any(remain, validation_fractions[0], generator))
    elif method == "kfold":
        split = one_fold(perturbations, n_folds, fold, validation_fractions[0], generator, gene_disjoint=gene_disjoint)
    else:
        split = simulated(perturbations, fractions, validation_fractions, generator, only_singles=method == "single")

    tested_control = np.zeros(adata.n_obs, bool)
    if held_out_controls:
        is_control = np.array([not condition for condition in conditions])[condition_of_cell]
        tested_control = draw_controls(adata, is_control, held_out_controls, context_key, generator)
    table, row_of_cell = _table(conditions, condition_of_cell, held_out_cell, tested_control, split, control)
    if held_out_context is not None:
        table.insert(1, "context", np.where(table["held_out"], held_out_context, "others"))
    del table["held_out"]
    _check_parts(table, validation_wanted=not isinstance(method, Mapping) and min(validation_fractions) < 1)
    params = {
        "method": "given" if isinstance(method, Mapping) else method,
        "perturbation_key": perturbation_key,
        "control": control,
        "context_key": context_key,
        "held_out_context": held_out_context,
        "fractions": [float(share) for share in fractions],
        "validation_fractions": [float(share) for share in validation_fractions],
        "n_folds": n_folds,
        "fold": fold,
        "gene_disjoint": gene_disjoint,
        "disjoint_by": split.disjoint_by,
        "held_out_controls": float(held_out_controls),
        "rng": rng,
        "dnaclip_version": __version__,
    }
    adata = adata.copy() if copy else adata
    with quiet_view():
        for column, source in zip(columns, ["split", "group", "condition"], strict=True):
            values = table[source].to_numpy()[row_of_cell]
            names = [name for name in PARTS if name in set(values)] if source == "split" else None
            adata.obs[column] = pd.Categorical(values, categories=names)
    adata.uns[key_added] = {"conditions": table, "params": clean_params(params)}
    logger.info("Conditions by part: %s", table["split"].value_counts().to_dict())
    return adata if copy else None


def _check_options(method: object, n_folds: int, fold: int, rng: object, *, gene_disjoint: bool, context: bool) -> None:
    if not isinstance(method, Mapping):
        check_choice("method", method, METHODS)
    check_count("n_folds", n_folds, least=2)
    check_count("fold", fold, least=0)
    if fold >= n_folds:
        msg = f"fold={fold} does not exist: with n_folds={n_folds} the folds are 0 to {n_folds - 1}."
        raise InputError(msg)
    for option, is_given, of in (("gene_disjoint", gene_disjoint, "kfold"), ("held_out_context", context, "context")):
        if is_given and method != of:
            msg = f"{option} is for method={of!r} alone; the others would not heed it."
            raise InputError(msg)
    if method == "kfold" and not isinstance(rng, (int, np.integer)):
        msg = "method='kfold' needs an int as rng, so that all folds come from one deal and no perturbation is in two."
        raise InputError(msg)


def _check_shares(name: str, shares: object) -> None:
    try:
        values = np.asarray(shares, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (2,) or not ((values > 0) & (values <= 1)).all():
        msg = f"{name} must be two numbers above 0 and at most 1, got {shares!r}."
        raise InputError(msg)


def _table(
    conditions: list[Condition],
    condition_of_cell: np.ndarray,
    held_out_cell: np.ndarray,
    tested_control: np.ndarray,
    split: Split,
    control: str,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return one row per condition, and once more in the held-out context and for tested controls, and the row of each cell."""
    codes = (condition_of_cell * 2 + held_out_cell) * 2 + tested_control
    found, row_of_cell, n_cells = np.unique(codes, return_inverse=True, return_counts=True)
    elsewhere = {conditions[row // 4] for row in found if not row & 2}
    rows = []
    for row, n in zip(found.tolist(), n_cells.tolist(), strict=True):
        condition, held_out = conditions[row // 4], bool(row & 2)
        part, group = split.of(condition)
        if row & 1:
            part = "test"
        elif held_out and condition:
            part, group = "test", "context_seen" if condition in elsewhere else "context_unseen"
        rows.append((condition_name(condition, control), held_out, len(condition), n, part, group))
    names = ["condition", "held_out", "n_genes", "n_cells", "split", "group"]
    table = pd.DataFrame(rows, columns=names, index=pd.Index([str(i) for i in range(len(rows))]))
    return table, row_of_cell


def _check_parts(table: pd.DataFrame, *, validation_wanted: bool) -> None:
    """Refuse a split without training or test perturbations."""
    count = table.loc[table["n_genes"] > 0, "split"].value_counts()
    if empty := [part for part in ("train", "test") if not count.get(part)]:
        msg = (
            f"No perturbation is left for {' and '.join(empty)} (there are {len(table[table['n_genes'] > 0])}). "
            "Give more perturbations, other fractions, fewer folds or another seed."
        )
        raise InputError(msg)
    if validation_wanted and not count.get("validation"):
        logger.warning("No perturbation is left for validation: there are too few.")
