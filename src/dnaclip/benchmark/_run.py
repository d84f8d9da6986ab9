"""Run gene-level tasks over an embedding."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_choice, torch_seed
from dnaclip.benchmark._checkpoint import Checkpoint
from dnaclip.benchmark._classes import class_units
from dnaclip.benchmark._dosage import dosage_units
from dnaclip.benchmark._gene_level import gene_level_units
from dnaclip.benchmark._interactions import interaction_units
from dnaclip.benchmark._pair_level import PAIR_FEATURES, pair_level_units
from dnaclip.benchmark._request import Request, intersect_genes
from dnaclip.benchmark._solvers import SOLVERS
from dnaclip.benchmark._vectors import read_vectors

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np

    from dnaclip.benchmark._unit import Row, Unit

__all__ = ["PROTOCOLS", "TASKS", "run"]

logger = logging.getLogger(__name__)

TASKS = {
    "go": gene_level_units,
    "omim": gene_level_units,
    "sl": pair_level_units,
    "class": class_units,
    "dosage": dosage_units,
    "ggi": interaction_units,
}
PROTOCOLS = {"published": "published", "fast": "fast (linear), not the published protocol"}


def run(
    embedding: Any,
    tasks: Sequence[str] | str = ("go", "omim", "sl", "class", "dosage", "ggi"),
    *,
    mode: str = "published",
    genes: str = "all",
    modality: str = "joint",
    use_rep: str = "dnaclip",
    name: str | None = None,
    reads_text: bool | None = None,
    pair_features: Sequence[str] = ("sum",),
    data: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Score gene vectors by what can be predicted from them: functions, diseases, interactions, classes, dosage.

    Tasks, splits and scores are those of a published comparison of 38 embeddings :cite:p:`Zhong2025` (`go`, `omim`, `sl`)
    and of GenePT :cite:p:`Chen2024` (`class`, `dosage`, `ggi`), so that the numbers can stand beside theirs
    (:func:`compare`). Vectors are used as they are, without scaling. Vectors made from text about genes may know the
    answers of `go` and `omim` from the text: read their scores as a ceiling.

    Parameters
    ----------
    embedding
        Vectors of human genes: an :class:`~dnaclip.datasets.EmbeddingTable`; a DataFrame with genes as index and a column
        per dimension; an AnnData object with vectors in `varm[use_rep]`; a .parquet, .csv, .tsv (first column: genes) or
        dnaclip's .safetensors file; or `"dnaclip"`, the table that comes with the package. Genes may be named by Entrez or
        Ensembl ids or symbols. Genes without a vector have a row of NaN or none.
    tasks
        Any of `"go"` (56 terms of biological process), `"omim"` (103 diseases), `"sl"` (synthetic-lethal pairs),
        `"class"` (15 functional classes: accuracy, and NMI and ARI of clusters), `"dosage"` (dosage-sensitive
        transcription factors) and `"ggi"` (gene-gene interactions).
    mode
        `"published"`, or `"fast"`: linear models on the same splits, minutes down to seconds, which say so in the column
        `protocol` and are not to be set beside published numbers.
    genes
        `"all"` genes with a vector, or `"intersect"`: for `"go"`, `"omim"` and `"sl"` the 11,355 that all published embeddings
        hold; the other tasks have no published numbers on these, nor genes of all classes among them, and use all.
    modality
        For an embedding table: `"joint"`, `"dna"` or `"text"`.
    use_rep
        For AnnData: key in `varm`.
    name
        Name of the embedding in the result; by default that of the table and its modality, or of the file.
    reads_text
        Whether the vectors were made from text about genes, for the column of that name; known for embedding tables. The DNA
        side of dnaclip's own tables counts as not: a gene's own text is kept from it, though it reads that of relatives.
    pair_features
        How two genes' vectors become one for `"sl"`: any of `"sum"`, `"product"` and `"concat"`.
    data
        Folder with the labels (`zhong2025/gene_level.parquet` and so on); `None` takes the registered files, through
        `DNACLIP_MIRROR` where they have no public address.
    n_jobs
        Number of threads; -1 uses all cores. It does not change the scores.
    checkpoint
        Folder that keeps the scores of each finished term, so that a run can go on after it was stopped.
    resume
        Use the scores in `checkpoint`; they must be of the same vectors and options.
    progress
        Whether to show a progress bar.
    rng
        Seed or generator of folds and forests for `"dosage"` and of k-means for `"class"`; other splits are published.

    Returns
    -------
    One row per score, with the columns `embedding`, `task`, `term`, `name`, `features`, `method`, `fold`, `strength` (what
    was chosen: C of the machine), `n_train`, `n_test`, `n_positive`, `metric`, `value`, `genes`, `protocol`, `reads_text`
    and `dimension`.
    A value is NaN where genes with vectors are too few for it.

    Raises
    ------
    InputError
        An option or the embedding cannot be used, a task has too few genes, or the checkpoint is of another run.
    DownloadError
        Without `data`: labels are not here and cannot be had.

    Warns
    -----
    UserWarning
        If terms could not be scored, or identifiers look wrong.

    References
    ----------
    Zhong et al. (2025) and Chen and Zou (2024), in the list of references of the documentation.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from dnaclip import benchmark
    >>> vectors = pd.DataFrame(np.eye(3), index=["TP53", "ACTB", "CD3D"])
    >>> benchmark.run(vectors, tasks="weather")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: tasks=['weather'] are not known. Use any of: 'go', 'omim', 'sl', ...
    """
    from sklearn.utils.parallel import Parallel, delayed
    from tqdm.auto import tqdm

    tasks = _chosen("tasks", tasks, TASKS)
    pair_features = _chosen("pair_features", pair_features, PAIR_FEATURES)
    check_choice("mode", mode, SOLVERS)
    check_choice("genes", genes, ("all", "intersect"))
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        msg = f"n_jobs must be a whole number of at least 1, or -1 for all cores, got {n_jobs!r}."
        raise InputError(msg)
    seed = torch_seed(as_generator(rng)) if not isinstance(rng, int) else rng
    vectors = read_vectors(embedding, modality=modality, use_rep=use_rep, name=name, reads_text=reads_text)
    kept = intersect_genes(vectors, data) if genes == "intersect" else None
    request = Request(vectors, mode, pair_features, data, seed, kept)

    units = [unit for task in tasks for unit in TASKS[task](task, request)]
    about = {"vectors": vectors.fingerprint, "mode": mode, "genes": genes, "seed": seed}
    store = Checkpoint(checkpoint, about, resume=resume)
    scores: dict[tuple[str, str], list[Row]] = {}
    todo: list[Unit] = []
    for unit in units:
        rows = store.read(unit)
        if rows is None:
            todo.append(unit)
        else:
            scores[unit.task, unit.term] = rows
    if scores:
        logger.info("%d of %d parts are finished already.", len(scores), len(units))
    # Fitting leaves Python's lock, so threads do, and the vectors need not be copied.
    done = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator_unordered")(
        delayed(_work)(number, unit) for number, unit in enumerate(todo)
    )
    with tqdm(total=len(todo), desc=vectors.name, disable=not progress) as bar:
        for number, rows in done:
            unit = todo[number]
            store.write(unit, rows)
            scores[unit.task, unit.term] = rows
            bar.set_postfix_str(f"{unit.task} {unit.term}")
            bar.update()

    table = pd.DataFrame(
        [{"task": unit.task, "term": unit.term, **row} for unit in units for row in scores[unit.task, unit.term]]
    )
    table.insert(0, "embedding", vectors.name)
    empty = table.loc[table["value"].isna(), "term"].unique()
    if len(empty):
        msg = f"{len(empty)} terms have too few genes with a vector to be scored, and are NaN: {examples(empty)}."
        warnings.warn(msg, UserWarning, stacklevel=2)
    return table.assign(
        genes=genes, protocol=PROTOCOLS[mode], reads_text=vectors.reads_text, dimension=vectors.matrix.shape[1]
    )


def _work(number: int, unit: Unit) -> tuple[int, list[Row]]:
    return number, unit.work()


def _chosen(name: str, given: Sequence[str] | str, allowed: dict[str, Any]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    unknown = [one for one in chosen if one not in allowed]
    if unknown or not chosen:
        what = f"{name}={unknown} are not known." if unknown else f"{name} is empty."
        msg = f"{what} Use any of: {', '.join(map(repr, allowed))}."
        raise InputError(msg)
    return chosen
