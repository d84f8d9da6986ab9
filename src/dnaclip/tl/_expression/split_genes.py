"""Parts of the genes for training, validation and test, and a report of what leaks between them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._errors import DnaclipError, InputError, examples
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import as_generator, check_choice, check_key, check_share, clean_params
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._expression.families import families_by_column, families_by_sequence, families_by_vectors
from dnaclip.tl._expression.leaks import leak_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import anndata

__all__ = ["split_genes"]

logger = logging.getLogger(__name__)

METHODS = ("random", "chromosome", "family")
PARTS = ("train", "validation", "test")


def split_genes(
    adata: anndata.AnnData,
    method: str = "random",
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    test_chromosomes: Sequence[str] = ("8", "9"),
    validation_chromosomes: Sequence[str] = ("7", "10"),
    chromosome_key: str | None = None,
    family_key: str | None = None,
    sequences: Mapping[str, str] | None = None,
    use_rep: str | None = DEFAULT_KEY,
    similarity: float = 0.9,
    organism: str = "human",
    key_added: str = "split",
    rng: int | np.random.Generator | None = 0,
) -> None:
    """Split genes into training, validation and test, for predictors of unseen genes.

    A random split and one by chromosome leave relatives of test genes in training, from which their expression can be read
    off. `"family"` keeps families whole, and what stays alike is reported for each method.

    Parameters
    ----------
    adata
        Cells or groups by genes; the expression is not read.
    method
        - `"random"`: genes one by one.
        - `"chromosome"`: by `test_chromosomes` and `validation_chromosomes`; genes of unknown chromosome get no part (NaN).
        - `"family"`: families go whole, in random order, each to the part that lacks most genes; those of more than a
          twentieth of the genes to training. Families are, in this order, those of `family_key`; clusters of near copies
          among `sequences`, see :func:`dnaclip.pp.cluster_pairs`; or genes linked by a cosine of at least `similarity`
          between their vectors, which knows of paralogs only as far as the vectors do.
    fractions
        Shares of training, validation and test; not for `"chromosome"`.
    test_chromosomes, validation_chromosomes
        Names of chromosomes, without `chr`.
    chromosome_key
        Column of `adata.var` with the chromosome. None: looked up in the embedding table of `organism`.
    family_key
        Column of `adata.var` with the family; genes without one are families of their own.
    sequences
        DNA by gene; genes that are not in it are families of their own.
    use_rep
        Vectors in `adata.varm` for families and for the report; the report goes without if they are absent.
    similarity
        Cosine from which on two genes count as alike, from 0 to 1.
    organism
        Species of the embedding table.
    key_added
        Name under which results are stored.
    rng
        Seed or generator.

    Returns
    -------
    None. Written are:

    `adata.var[key_added]`
        `train`, `validation` or `test`, categorical.
    `adata.var[f"{key_added}_family"]`
        Number of the family, for `"family"`.
    `adata.uns[key_added]`
        `params`, and `leaks`, a table with a row for validation and one for test: `n_genes`; `n_in_shared_families`, genes
        of a family with training genes, for `"family"`; `n_alike`, genes with a training gene at a cosine of `similarity` or
        more, and `share_alike`; `share_expected`, the same share for a random split; `median_cosine`, that of the nearest
        training gene.

    Raises
    ------
    MissingKeyError
        A column or key is absent.
    InputError
        A part would be empty, or an option does not fit. `adata` stays as it was.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.zeros((1, 100)))
    >>> adata.varm["dnaclip"] = np.repeat(np.random.default_rng(0).normal(size=(50, 8)), 2, axis=0)
    >>> dnaclip.tl.split_genes(adata, "family")
    >>> adata.var["split"].value_counts().to_dict()
    {'train': 80, 'validation': 10, 'test': 10}
    >>> adata.uns["split"]["leaks"][["n_genes", "n_alike", "share_expected"]].round(2)
                n_genes  n_alike  share_expected
    validation       10        0             0.8
    test             10        0             0.8
    """
    check_adata(adata)
    check_choice("method", method, METHODS)
    check_share("similarity", similarity)
    if not isinstance(key_added, str) or not key_added or "/" in key_added:
        msg = f"key_added must be a non-empty string without '/', got {key_added!r}."
        raise InputError(msg)
    generator = as_generator(rng)
    n = adata.n_vars
    family = np.arange(n)
    source = ""
    if method == "chromosome":
        part = _by_chromosome(adata, test_chromosomes, validation_chromosomes, chromosome_key, organism)
    else:
        if method == "family":
            family, source = _families(adata, family_key, sequences, use_rep, similarity)
        part = _draw(family, np.asarray(fractions, dtype=float), generator)
    sizes = np.bincount(part[part >= 0], minlength=3)
    wanted = np.ones(3, bool) if method == "chromosome" else np.asarray(fractions) > 0
    empty = [name for name, size, want in zip(PARTS, sizes, wanted, strict=True) if want and not size]
    if empty:
        msg = (
            f"Nothing is left for {' and '.join(empty)} of {n} genes in {len(np.unique(family))} families. Use other fractions "
            "or chromosomes, a higher similarity, or more genes."
        )
        raise InputError(msg)
    known = family if method == "family" else None
    leaks = leak_report(adata, part, known, use_rep=use_rep, similarity=similarity)
    params: dict[str, Any] = {"method": method, "families": source, "similarity": similarity, "organism": organism}
    params |= {"fractions": list(fractions)} if method != "chromosome" else {}
    params |= {"rng": rng if isinstance(rng, int) else "generator", "dnaclip_version": __version__}
    with quiet_view():
        adata.var[key_added] = pd.Categorical.from_codes(part.astype(np.int64), categories=pd.Index(PARTS))
    if known is not None:
        adata.var[f"{key_added}_family"] = known
    adata.uns[key_added] = {"params": clean_params(params), "leaks": leaks}
    logger.info("%d genes: %s.", n, dict(zip(PARTS, sizes.tolist(), strict=True)))


def _families(
    adata: anndata.AnnData,
    family_key: str | None,
    sequences: Mapping[str, str] | None,
    use_rep: str | None,
    similarity: float,
) -> tuple[np.ndarray, str]:
    """Return the family of each gene, and what it was had from."""
    if family_key is not None:
        check_key(family_key, adata.var.columns, where="adata.var")
        return families_by_column(adata.var[family_key]), f"adata.var[{family_key!r}]"
    if sequences is not None:
        return families_by_sequence(list(adata.var_names), sequences), "sequences"
    if use_rep is None:
        msg = "method='family' needs family_key, sequences or use_rep."
        raise InputError(msg)
    return families_by_vectors(adata, use_rep, similarity), f"adata.varm[{use_rep!r}]"


def _by_chromosome(
    adata: anndata.AnnData, test: Sequence[str], validation: Sequence[str], key: str | None, organism: str
) -> np.ndarray:
    for name, chromosomes in (("test_chromosomes", test), ("validation_chromosomes", validation)):
        if isinstance(chromosomes, str) or not len(chromosomes):
            msg = f"{name} must be a list of names such as ['8', '9'], got {chromosomes!r}."
            raise InputError(msg)
    shared = sorted(set(test) & set(validation))
    if shared:
        msg = f"Chromosomes stand both in test_chromosomes and in validation_chromosomes: {examples(shared)}."
        raise InputError(msg)
    if key is not None:
        check_key(key, adata.var.columns, where="adata.var")
        names = adata.var[key].astype(object).to_numpy()
    else:
        names = _looked_up(adata, organism)
    names = np.array(["" if pd.isna(name) else str(name).removeprefix("chr") for name in names], dtype=object)
    absent = [name for name in (*test, *validation) if name not in set(names)]
    if absent:
        msg = (
            f"No gene lies on the chromosomes {examples(absent)}; there are {examples(sorted(set(names) - {''}), 30)}."
        )
        raise InputError(msg)
    part = np.where(names == "", -1, 0)
    part[np.isin(names, list(validation))] = 1
    part[np.isin(names, list(test))] = 2
    if (part < 0).any():
        logger.info("%d genes of unknown chromosome get no part.", (part < 0).sum())
    return part


def _looked_up(adata: anndata.AnnData, organism: str) -> np.ndarray:
    from dnaclip.datasets._load import load_table
    from dnaclip.tl._gene_ids import match_var

    try:
        table = load_table(organism)
    except DnaclipError as error:
        msg = f"The chromosomes of {organism!r} genes could not be looked up ({error}). Name a column of var as chromosome_key."
        raise InputError(msg) from error
    _, match, _ = match_var(adata, None, table)
    chromosome = table.genes["chromosome"].to_numpy(dtype=object)
    return np.where(match.found, chromosome[np.where(match.found, match.rows, 0)], "")


def _draw(family: np.ndarray, fractions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each family, in random order, to the part that lacks most genes."""
    if fractions.shape != (3,) or not (fractions >= 0).all() or not np.isclose(fractions.sum(), 1) or fractions[0] == 0:
        msg = f"fractions must be three numbers for train (above 0), validation and test that sum to 1, got {fractions.tolist()}."
        raise InputError(msg)
    names, member = np.unique(family, return_inverse=True)
    sizes = np.bincount(member)
    large = sizes > max(1, len(family) // 20)
    part_of = np.zeros(len(names), np.int64)
    missing = (fractions * len(family)).tolist()
    missing[0] -= int(sizes[large].sum())
    for one in rng.permutation(np.flatnonzero(~large)).tolist():
        part = max(range(3), key=lambda i: (missing[i], i))
        part_of[one] = part
        missing[part] -= int(sizes[one])
    return part_of[member]
