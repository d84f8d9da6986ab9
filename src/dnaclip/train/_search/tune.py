"""Try settings of the default model, one training each, and remember what came of them."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnaclip._errors import InputError, TrainingError
from dnaclip._optional import require
from dnaclip._validate import as_generator, check_choice, check_count, torch_seed
from dnaclip.models._seed import mix_seed
from dnaclip.train._checkpoint import remove_checkpoint
from dnaclip.train._fit import fit_prepared
from dnaclip.train._recipe import Recipe
from dnaclip.train._search.scores import CLUSTERING, RETRIEVAL, labelled, trial_scores
from dnaclip.train._search.space import SPACE, Space, changed, check_space, one_at_a_time, setting, suggest
from dnaclip.train._search.study import ended, open_study

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    import optuna
    from numpy.typing import ArrayLike

    from dnaclip.train._prepare import PreparedPairs

__all__ = ["SAMPLERS", "tune"]

logger = logging.getLogger(__name__)

SAMPLERS = ("tpe", "random", "one_at_a_time")


def tune(
    prepared: PreparedPairs,
    *,
    space: Space | None = None,
    n_trials: int | None = None,
    sampler: str = "tpe",
    metric: str = "accuracy@10",
    labels: ArrayLike | None = None,
    recipe: Recipe | None = None,
    study: str | os.PathLike[str] | None = None,
    rng: int | np.random.Generator | None = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[pd.DataFrame, Recipe]:
    """Search for the settings that find the right text for the DNA of validation genes, and the other way round.

    All trials share one preparation and one seed. A trial that was killed goes on after the last whole epoch, and the
    search comes to what an uninterrupted one comes to. Test genes are not looked at.

    Parameters
    ----------
    prepared
        From :func:`prepare_pairs`.
    space
        Setting of :class:`Recipe` or :class:`TrainConfig` to what it may be: a tuple (low, high), a range on a logarithmic
        scale, or a list of choices. `None` varies learning rate, dimension, scale (inverse temperature), loss and batch
        size.
    n_trials
        Trainings in all, with those that the study has; 30 by default, and with `"one_at_a_time"` as many as there are.
    sampler
        `"tpe"`, which learns from earlier trials where to look; `"random"`; `"one_at_a_time"`, which varies each setting
        with the others left as in `recipe` (five points of a range), to draw with :func:`dnaclip.pl.tuning_curves`.
    metric
        What counts: `accuracy@1`, `accuracy@5`, `accuracy@10` (mean of both directions); with `labels` also `nmi_dna`,
        `ari_dna`, `nmi_text` and `ari_text`. Losses do not compare between settings.
    labels
        Class of each pair, (n,), `None` where unknown: adds how well k-means clusters agree with the classes.
    recipe
        The other settings; `None` takes the defaults.
    study
        File to keep trials in, an Optuna journal (JSON lines); a search goes on where that in the file stopped. `None`
        keeps nothing.
    rng, device, progress
        As in :func:`fit`.

    Returns
    -------
    A table with a row per trial (`trial`, `varied`, the settings, the scores, `validation_loss`, `best_epoch`, `seconds`,
    `error`), and the recipe with the best settings.

    Raises
    ------
    InputError
        A setting cannot be varied or used, or the study belongs to another search; raised before any training.
    TrainingError
        Every trial failed.
    MissingDependencyError
        Optuna is not installed.

    References
    ----------
    DNACLIP, A.3 and Extended Data Fig. 4. Bergstra et al. (2011), Algorithms for hyper-parameter optimization, NeurIPS.

    Examples
    --------
    Random genes, two trials of an epoch each:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from dnaclip.pp import split_pairs
    >>> from dnaclip.train import Recipe, TrainConfig, prepare_pairs, tune
    >>> rng = np.random.default_rng(0)
    >>> sequences = ["".join(rng.choice(["GCC", "AAG", "CTG", "GAT"], 100)) for _ in range(60)]
    >>> pairs = pd.DataFrame({"sequence": sequences, "text": [f"gene {i}" for i in range(60)]})
    >>> vectors = rng.normal(size=(60, 8))
    >>> prepared = prepare_pairs(pairs, split_pairs(pairs), text_vectors=vectors, progress=False)
    >>> small = Recipe(composition_hidden=(8,), text_hidden=(8,), training=TrainConfig(batch_size=16, max_epochs=1))
    >>> table, best = tune(
    ...     prepared, space={"dimension": [4, 8]}, n_trials=2, recipe=small, device="cpu", progress=False
    ... )
    >>> len(table), best.dimension in (4, 8)
    (2, True)
    """
    check_choice("sampler", sampler, SAMPLERS)
    space, recipe = dict(SPACE if space is None else space), recipe or Recipe()
    check_space(space, recipe)
    _check_batches(space, recipe, len(prepared.rows("train")))
    classes = None if labels is None else labelled(labels, prepared)
    if metric in CLUSTERING and classes is None:
        msg = f"metric={metric!r} compares clusters with classes: give labels."
        raise InputError(msg)
    check_choice("metric", metric, (*RETRIEVAL, *CLUSTERING))
    plans = [{}, *(values for values in one_at_a_time(space) if changed(recipe, values) != recipe)]
    if n_trials is None:
        n_trials = len(plans) if sampler == "one_at_a_time" else 30
    check_count("n_trials", n_trials)
    if sampler == "one_at_a_time" and n_trials > len(plans):
        msg = f"n_trials={n_trials} is more than the {len(plans)} trials that this space has one at a time."
        raise InputError(msg)
    path = None if study is None else Path(study)
    seed = torch_seed(as_generator(rng))
    settings = {
        "sampler": sampler,
        "metric": metric,
        "space": {name: one if isinstance(one, list) else {"low, high": one} for name, one in space.items()},
        "recipe": asdict(recipe),
        "seed": seed,
        "data": _fingerprint(prepared),
    }
    checkpoint = None if path is None else path.with_name(f"{path.name}.trial.safetensors")
    with open_study(path, settings) as known:
        while (number := len(ended(known))) < n_trials:
            trial, values = _next(known, space, plans, sampler, mix_seed(seed, number))
            varied = next(iter(values), "") if sampler == "one_at_a_time" else ""
            candidate = changed(recipe, values)
            row: dict[str, Any] = {"trial": number, "varied": varied}
            row |= {name: _plain(setting(candidate, name)) for name in space}
            start = time.perf_counter()
            try:
                model, history = fit_prepared(
                    prepared,
                    recipe=candidate,
                    remember="train",
                    rng=seed,
                    device=device,
                    checkpoint=checkpoint,
                    resume=checkpoint is not None,
                    progress=progress,
                )
                row |= trial_scores(model, prepared, classes)
                row |= {"validation_loss": history.best_loss, "best_epoch": history.best_epoch}
            except TrainingError as error:
                row["error"] = str(error)
            row["seconds"] = round(time.perf_counter() - start, 2)
            _keep(known, trial, row, metric, checkpoint)
            logger.info("Trial %d of %d: %s", number + 1, n_trials, row)
        rows = ended(known)
    table = pd.DataFrame([{key: value for key, value in row.items() if key != "value"} for row in rows])
    if metric not in table:
        msg = f"All {len(table)} trials failed; the first: {rows[0]['error']}"
        raise TrainingError(msg)
    best = rows[int(table[metric].idxmax())]
    return table, changed(recipe, {name: best[name] for name in space})


def _next(
    study: optuna.Study, space: Space, plans: Sequence[dict[str, Any]], sampler: str, seed: int
) -> tuple[optuna.Trial, dict[str, Any]]:
    """The next trial and what it changes; it follows from the seed and the trials before it alone."""
    samplers = require("optuna.samplers", extra="tune", purpose="A search for settings")
    if sampler == "one_at_a_time":
        return study.ask(), plans[len(ended(study))]
    kind = samplers.TPESampler if sampler == "tpe" else samplers.RandomSampler
    study.sampler = kind(seed=seed % 2**32)
    trial = study.ask()
    return trial, suggest(trial, space)


def _keep(study: optuna.Study, trial: optuna.Trial, row: dict[str, Any], metric: str, checkpoint: Path | None) -> None:
    # In this order a kill costs a training at most: the next trial must not find the checkpoint of this one, and with its
    # row a trial counts as ended.
    if checkpoint is not None:
        remove_checkpoint(checkpoint)
    trial.set_user_attr("row", row | {"value": row.get(metric)})
    if "error" in row:
        study.tell(trial, state=require("optuna.trial", extra="tune", purpose="A search").TrialState.FAIL)
    else:
        study.tell(trial, row[metric])


def _check_batches(space: Space, recipe: Recipe, n_train: int) -> None:
    largest = max(space.get("batch_size", [recipe.training.batch_size]))
    if largest > n_train:
        msg = f"batch_size={largest} is more than the {n_train} training pairs. Use at most {n_train}."
        raise InputError(msg)


def _fingerprint(prepared: PreparedPairs) -> str:
    digest = hashlib.sha256(prepared.texts.tobytes() + prepared.text_of.tobytes())
    digest.update(" ".join(prepared.split.tolist()).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
