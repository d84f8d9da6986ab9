"""A job on disk: what is encoded with what, in which parts, and which of them are done."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dnaclip.encoders._encoder import Encoder

__all__ = ["Identity", "Job", "plan"]

# Bases that are codons and residues both, so that every kind of encoder can read them.
PROBE = "ATGGCATGCAAAGAAACGTTCGGCCATACCTGA"
# Options that change time, money and memory, but not vectors.
NEUTRAL = {
    "bases_per_batch", "cache", "cache_dir", "count_tokens", "device", "key_variable", "max_cost", "max_retries", "price",
    "timeout", "tokens_per_batch",
}  # fmt: skip
# Devices and precisions differ in the last digits, weights in the first.
LEAST_COSINE = 0.999


@dataclass(frozen=True)
class Identity:
    """What must be equal for parts to belong together.

    Attributes
    ----------
    sequences_sha256
        Of identifiers and sequences.
    encoder
        Its name.
    settings
        Its options that change vectors.
    letters_per_part
        How the file is cut into parts.
    probe
        The vector of a short sequence: other weights under the same name give another one.
    """

    sequences_sha256: str
    encoder: str
    settings: dict[str, Any]
    letters_per_part: int
    probe: list[float]

    @classmethod
    def of(
        cls, sequences_sha256: str, encoder: Encoder, letters_per_part: int, options: Mapping[str, Any] | None = None
    ) -> Identity:
        """Describe a job to come; `options` are those that the encoder was made with."""
        chosen = {name: value for name, value in (options or {}).items() if name not in NEUTRAL}
        # Through JSON, as it will be read again.
        settings = json.loads(json.dumps({**chosen, **getattr(encoder, "settings", {})}, default=str))
        probe = encoder.encode([PROBE])[0].astype(float).round(6).tolist()
        return cls(sequences_sha256, encoder.name, settings, letters_per_part, probe)

    def difference(self, other: Identity) -> str:
        """Say in what a job on disk differs from this one, nothing where it does not."""
        if self.sequences_sha256 != other.sequences_sha256:
            return "other sequences"
        if self.encoder != other.encoder:
            return f"the encoder {other.encoder!r}, not {self.encoder!r}"
        if self.settings != other.settings:
            return f"the settings {other.settings}, not {self.settings}"
        if self.letters_per_part != other.letters_per_part:
            return f"letters_per_part={other.letters_per_part}, not {self.letters_per_part}"
        a, b = np.array(self.probe), np.array(other.probe)
        if a.shape != b.shape or a @ b < LEAST_COSINE * np.linalg.norm(a) * np.linalg.norm(b):
            return f"other weights of the encoder {self.encoder!r}"
        return ""


def plan(lengths: list[int], letters_per_part: int) -> list[range]:
    """Cut records into parts: each as many as have `letters_per_part` letters, or one.

    Examples
    --------
    >>> from dnaclip.encoders._encode.job import plan
    >>> plan([4, 4, 9, 1], 8)
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    parts, start, letters = [], 0, 0
    for i, length in enumerate(lengths):
        if i > start and letters + length > letters_per_part:
            parts.append(range(start, i))
            start, letters = i, 0
        letters += length
    return [*parts, range(start, len(lengths))]


class Job:
    """The folder in which parts wait until all are done.

    Parameters
    ----------
    folder
        It is made when it is not there.
    identity
        What the parts must belong to.
    parts
        Records of each part.
    dimension
        Length of the vectors.

    Raises
    ------
    InputError
        The folder holds parts of another job.
    """

    def __init__(self, folder: Path, identity: Identity, parts: list[range], dimension: int) -> None:
        self.folder, self.parts, self._dimension = folder, parts, dimension
        record = folder / "job.json"
        if not record.is_file():
            write_atomic(record, json.dumps(asdict(identity)).encode())
        try:
            found = Identity(**json.loads(record.read_text(encoding="utf-8")))
            difference = identity.difference(found)
        except (OSError, ValueError, TypeError) as error:
            difference = f"something that is not known ({error})"
        if difference:
            msg = (
                f"{str(folder)!r} holds parts of an unfinished run with {difference}. Give another file for the result, go on "
                "with what was begun, or delete that folder."
            )
            raise InputError(msg)

    def done(self, part: int) -> bool:
        """Whether a part is there, whole."""
        return self._read(part) is not None

    def write(self, part: int, vectors: np.ndarray) -> None:
        """Write a part, whole or not at all."""
        from safetensors.numpy import save

        write_atomic(self._path(part), save({"vectors": np.ascontiguousarray(vectors, dtype=np.float32)}))

    def all_vectors(self) -> np.ndarray | None:
        """The vectors of all records in order; None while parts are missing."""
        found = []
        for part in range(len(self.parts)):
            vectors = self._read(part)
            if vectors is None:
                return None
            found.append(vectors)
        return np.concatenate(found)

    def remove(self) -> None:
        """Delete the folder; another process may do the same."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.safetensors"

    def _read(self, part: int) -> np.ndarray | None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            vectors = load_file(self._path(part))["vectors"]
        except (OSError, SafetensorError, KeyError):
            return None
        right = vectors.shape == (len(self.parts[part]), self._dimension) and vectors.dtype == np.float32
        return vectors if right else None
