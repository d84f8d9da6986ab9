"""Fill the DNA side of an embedding table from Ensembl's sequences, on the user's machine."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnaclip._errors import InputError, MissingKeyError
from dnaclip._validate import check_choice
from dnaclip.datasets._ensembl import ensembl_base, fetch_sequences
from dnaclip.datasets._fasta import Transcript, longest_transcripts
from dnaclip.datasets._fill import fill_dna
from dnaclip.datasets._load import completed_file, load_table
from dnaclip.datasets._registry import DEFAULT_MODEL
from dnaclip.datasets._species import Species, find_species
from dnaclip.datasets._table import EmbeddingTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["FEATURES", "SequenceModel", "complete_table"]

logger = logging.getLogger(__name__)

# A gene that stands in several files is read from the first one.
FEATURES = {"cds+ncrna": ("cds", "ncrna"), "cds": ("cds",), "cdna": ("cdna",)}


class SequenceModel(Protocol):
    """What is needed of a model: a :class:`dnaclip.models.DnaClip`, or anything alike."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Its `name` and `weights_sha256`, where known."""

    def encode_dna(self, sequences: list[str], /) -> np.ndarray:
        """Turn sequences into vectors (n, d)."""


def complete_table(
    species: str = "human",
    *,
    release: int = 113,
    feature: str = "cds+ncrna",
    base_url: str | os.PathLike[str] | None = None,
    model: str | SequenceModel | None = None,
    table: EmbeddingTable | None = None,
    overwrite: bool = False,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> EmbeddingTable:
    """Fill the DNA side of an embedding table from Ensembl's sequences.

    The FASTA files are fetched into the cache folder and checked against Ensembl's own checksums, one transcript per
    gene is kept (the longest; of equally long ones that with the first identifier), and the model encodes it. Genes that
    the table does not have are added with the name, biotype and chromosome that Ensembl gives.

    Parameters
    ----------
    species
        English or Latin name. Any species that Ensembl has will do.
    release
        Release of Ensembl.
    feature
        Which sequences: `"cds+ncrna"` (coding sequences, and for genes without one their non-coding RNA), `"cds"`, or
        `"cdna"` (transcripts with their untranslated ends).
    base_url
        Address or folder that holds `release-113/fasta/...`, when it is not Ensembl's or `ensembl` below
        `DNACLIP_MIRROR`.
    model
        Model, or the name of one; None for the default.
    table
        Table to fill; with it, `out` must be given. None: that of :func:`load_table`, or an empty one if dnaclip has none
        for the species.
    overwrite
        Whether to replace DNA vectors that the table already has. By default they are kept.
    out
        File to write. None: a place in the cache folder where :func:`load_table` finds it from then on.
    progress
        Whether to show progress bars.

    Returns
    -------
    The completed table, as read back from the file that was written.

    Raises
    ------
    dnaclip._errors.InputError
        An argument is unusable, the vectors of table and model cannot be compared, or a sequence file is malformed.
    dnaclip._errors.DownloadError
        A sequence file cannot be had. Nothing is written.

    Examples
    --------
    >>> from dnaclip.datasets import complete_table
    >>> complete_table("human", feature="introns")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: feature='introns' is not known. Use one of: 'cds+ncrna', 'cds', 'cdna'.
    """
    kind = find_species(species)
    check_choice("feature", feature, FEATURES)
    if isinstance(release, bool) or not isinstance(release, int) or release < 1:
        msg = f"release={release!r} must be the number of an Ensembl release, such as 113."
        raise InputError(msg)
    base = ensembl_base(base_url)
    encoder, name = _find_model(model)
    target = _find_target(out, kind, name, own_table=table is not None)
    if table is None and name:
        with contextlib.suppress(MissingKeyError):
            table = load_table(kind.name, name)
    if table is not None:
        _check_fit(table, kind, encoder, name)

    transcripts: dict[str, Transcript] = {}
    for part in FEATURES[feature]:
        path = fetch_sequences(kind.ensembl, part, release=release, base=base, progress=progress)
        for gene, transcript in longest_transcripts(path).items():
            transcripts.setdefault(gene, transcript)
    genes, sides = fill_dna(table, transcripts, encoder.encode_dna, overwrite=overwrite, progress=progress)
    if table is None:
        completed = EmbeddingTable(genes, sides, kind.name, kind.taxon_id, name, _weights(encoder))
    else:
        completed = dataclasses.replace(table, genes=genes, sides=sides)
    completed.save(target)
    logger.info("Wrote %r to %s.", completed, target)
    return EmbeddingTable.load(target)


def _find_model(model: str | SequenceModel | None) -> tuple[SequenceModel, str]:
    """Return the model and its name, `""` if it has none."""
    if model is None or isinstance(model, str):
        from dnaclip.models import load_pretrained

        name = model or DEFAULT_MODEL
        return load_pretrained(name), name
    if not callable(getattr(model, "encode_dna", None)):
        msg = f"model must be a name, or have a method encode_dna; got {type(model).__name__}."
        raise InputError(msg)
    return model, str(model.config.get("name", ""))


def _weights(model: SequenceModel) -> str:
    return str(model.config.get("weights_sha256", ""))


def _find_target(out: str | os.PathLike[str] | None, species: Species, model: str, *, own_table: bool) -> Path:
    """Choose the file to write, and see now rather than after an hour that it can be written."""
    if out is not None:
        target = Path(out).absolute()
        above = next(folder for folder in target.parents if folder.exists())
        if target.is_dir() or not above.is_dir() or not os.access(above, os.W_OK):
            msg = f"out={str(out)!r} cannot be written: give the name of a file in a folder that you can write to."
            raise InputError(msg)
        return target
    completed = completed_file(species.name, model)
    if completed is None or own_table:
        what = "a table of your own" if own_table else f"the model {model!r}, which is not in dnaclip's registry"
        msg = f"With {what}, the result is not put where load_table finds it. Say with out='file.safetensors' where it goes."
        raise InputError(msg)
    return completed


def _check_fit(table: EmbeddingTable, species: Species, model: SequenceModel, name: str) -> None:
    """Raise unless the model's vectors can stand in the table."""
    if find_species(table.species).name != species.name:
        msg = f"The table is of {table.species!r}, the sequences would be of {species.name!r}."
        raise InputError(msg)
    weights = _weights(model)
    if (name and name != table.model) or (weights and table.model_sha256 and weights != table.model_sha256):
        msg = (
            f"The table was made by the model {table.model!r} with weights {table.model_sha256[:12] or '?'}, but the "
            f"model given is {name or '?'!r} with weights {weights[:12] or '?'}. Vectors of two models cannot be compared."
        )
        raise InputError(msg)
