"""Encode a FASTA file into a table of vectors, so that a kill costs seconds and several processes share the work."""

from __future__ import annotations

import logging
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from dnaclip._errors import InputError, examples
from dnaclip._fasta import read_records
from dnaclip._validate import check_count
from dnaclip.encoders._encode.fasta import Contents, survey
from dnaclip.encoders._encode.job import Identity, Job, plan
from dnaclip.encoders._encode.processes import Place
from dnaclip.encoders._load import find_encoder, load_encoder
from dnaclip.encoders._vectors import VectorTable
from dnaclip.encoders._vectors.table import read_facts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from dnaclip.encoders._encoder import Encoder

__all__ = ["encode_fasta"]

logger = logging.getLogger(__name__)

LETTERS_PER_PART = 1 << 20
# An encoder is given more parts at once while it is quick, so that a GPU sees long batches and a CPU still writes often.
QUICK, SLOW = 5.0, 20.0  # seconds
MOST_AT_ONCE = 64
_WITH_DEVICE = {"HuggingFaceEncoder", "HyenaDnaEncoder", "ProteinEncoder", "TextEncoder"}


def encode_fasta(
    fasta: str | os.PathLike[str],
    encoder: str | Encoder,
    out: str | os.PathLike[str],
    *,
    letters_per_part: int = LETTERS_PER_PART,
    progress: bool = False,
    **options: Any,
) -> Path:
    r"""Encode every record of a FASTA file.

    The file is read twice: once to check all of it, then part by part. Finished parts wait in the folder `<out>.parts`; called
    again after a kill at any point, the function goes on with those that are missing. The file `out` appears at the end, whole,
    and the folder goes. Started by `torchrun`, each process takes its share of the parts, on its own GPU where there are several;
    processes on several machines need a common disk. The one that finishes last writes `out`, so that the others return before
    it is there.

    Parameters
    ----------
    fasta
        FASTA file, plain or packed with gzip. The first word of each header is the identifier.
    encoder
        Name as in :func:`dnaclip.encoders.load`, or an encoder.
    out
        File to write; :meth:`dnaclip.encoders.VectorTable.load` reads it.
    letters_per_part
        Bases or residues in a part: how much a kill may cost.
    progress
        Whether to show a progress bar.
    options
        Of the encoder, where it is given by name.

    Returns
    -------
    `out`. It holds the vectors in the order of the records, and as `facts` the encoder's name and settings and the SHA-256 of the
    sequences.

    Raises
    ------
    InputError
        The FASTA file or a record in it cannot be used; `out` or the folder of parts is of other sequences, another encoder or
        other weights; or the encoder gives vectors that are not finite.

    Examples
    --------
    >>> from pathlib import Path
    >>> import dnaclip
    >>> _ = Path("genes.fa").write_text(">gene1 a kinase\nATGGCCAAG\nTAA\n>gene2\nATATAT\n")
    >>> path = dnaclip.encoders.encode_fasta("genes.fa", "composition", "table.safetensors")
    >>> dnaclip.encoders.VectorTable.load(path)
    VectorTable('composition', 2 vectors of 831)
    """
    check_count("letters_per_part", letters_per_part)
    place, out = Place.here(), Path(out)
    if isinstance(encoder, str):
        encoder = _load(encoder, place, options)
    elif options:
        msg = f"The options {examples(options)} are for an encoder given by name; this one is made already."
        raise InputError(msg)
    if isinstance(encoder, VectorTable):
        msg = (
            f"{encoder.name!r} looks up vectors by name and reads no sequences. Use its method encode with gene names."
        )
        raise InputError(msg)
    contents = survey(fasta, _check_of(encoder))
    identity = Identity.of(contents.sha256, encoder, letters_per_part, options)
    job_folder = out.with_name(f"{out.name}.parts")
    parts = plan(contents.lengths, letters_per_part)
    if _finished(out, identity):
        logger.info("%s is there already, with the same sequences and encoder.", out)
        if job_folder.is_dir():  # killed between the last two steps
            Job(job_folder, identity, parts, encoder.dimension).remove()
        return out
    job = Job(job_folder, identity, parts, encoder.dimension)
    _encode_own(job, encoder, contents, fasta, place, progress=progress)
    _finish(job, identity, contents, Path(fasta).name, out)
    return out


def _load(name: str, place: Place, options: dict[str, Any]) -> Encoder:
    if "device" not in options and find_encoder(name)[0] in _WITH_DEVICE and (device := place.device()):
        options = {**options, "device": device}
    return load_encoder(name, **options)


def _check_of(encoder: Encoder) -> Any:
    return getattr(encoder, "check", None) or (lambda sequences: None)


def _finished(out: Path, identity: Identity) -> bool:
    """Whether the result is there; raise where it is another one."""
    if not out.exists():
        return False
    try:
        facts = read_facts(out)["facts"]
        found = Identity(**facts["job"])
        difference = identity.difference(found)
    except (InputError, KeyError, TypeError) as error:
        difference = f"something else ({error})"
    if difference:
        msg = f"{str(out)!r} is there already, with {difference}. Give another file for the result, or delete that one."
        raise InputError(msg)
    return True


def _encode_own(
    job: Job, encoder: Encoder, contents: Contents, fasta: str | os.PathLike[str], place: Place, *, progress: bool
) -> None:
    """Encode the parts of this process that are not there yet."""
    own = [part for part in range(len(job.parts)) if place.takes(part)]
    todo = {part for part in own if not job.done(part)}
    if len(todo) < len(own):
        logger.info("Going on: %d of %d parts are there.", len(own) - len(todo), len(own))
    letters = [sum(contents.lengths[i] for i in records) for records in job.parts]
    shown = progress and place.rank == 0
    bar = tqdm(total=sum(letters[part] for part in own), unit="letter", unit_scale=True, disable=not shown)
    with bar:
        bar.update(sum(letters[part] for part in own if part not in todo))
        waiting: list[tuple[int, list[str]]] = []
        at_once = 1
        last = max(todo, default=-1)
        for part, sequences in _parts(job, contents, fasta, last):
            if part not in todo:
                continue
            waiting.append((part, sequences))
            if len(waiting) < at_once and part != last:
                continue
            start = time.monotonic()
            _encode(job, encoder, contents, waiting)
            seconds = time.monotonic() - start
            bar.update(sum(letters[done] for done, _ in waiting))
            waiting = []
            at_once = min(2 * at_once, MOST_AT_ONCE) if seconds < QUICK else at_once
            at_once = max(at_once // 2, 1) if seconds > SLOW else at_once


def _parts(job: Job, contents: Contents, fasta: str | os.PathLike[str], last: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the sequences of each part up to the `last` one."""
    stream = read_records(fasta)
    for part, records in enumerate(job.parts[: last + 1]):
        found = list(islice(stream, len(records)))
        known = [(contents.ids[i], contents.lengths[i]) for i in records]
        if [(name, len(sequence)) for name, sequence in found] != known:
            msg = f"{str(fasta)!r} has changed since it was first read. Start again with the file as it is now."
            raise InputError(msg)
        yield part, [sequence for _, sequence in found]


def _encode(job: Job, encoder: Encoder, contents: Contents, waiting: list[tuple[int, list[str]]]) -> None:
    first, last = job.parts[waiting[0][0]][0], job.parts[waiting[-1][0]][-1]
    try:
        vectors = encoder.encode([sequence for _, sequences in waiting for sequence in sequences])
    except InputError as error:
        msg = f"Between the records {contents.ids[first]!r} and {contents.ids[last]!r}: {error}"
        raise InputError(msg) from error
    start = 0
    for part, sequences in waiting:
        own = vectors[start : start + len(sequences)]
        if broken := [contents.ids[job.parts[part][i]] for i in np.flatnonzero(~np.isfinite(own).all(axis=1))]:
            msg = f"{encoder.name!r} gives vectors with NaN or infinite numbers for {examples(broken)}."
            raise InputError(msg)
        job.write(part, own)
        start += len(sequences)


def _finish(job: Job, identity: Identity, contents: Contents, fasta: str, out: Path) -> None:
    """Write the result when all parts are there, in one process at a time."""
    from dataclasses import asdict

    from filelock import FileLock

    with FileLock(job.folder / "lock"):
        if not _finished(out, identity):
            vectors = job.all_vectors()
            if vectors is None:
                logger.info("The share of this process is done; others are at work.")
                return
            facts = {"fasta": fasta, "records": len(contents.ids), "job": asdict(identity)}
            VectorTable(contents.ids, vectors, name=identity.encoder, facts=facts).save(out)
    job.remove()
