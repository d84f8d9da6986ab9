"""Vectors with identifiers: looked up by name, and kept in one file that is checked when it is read."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._files import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

__all__ = ["VectorTable", "read_facts"]

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
ENTRY = "dnaclip_vectors"


class VectorTable:
    """Vectors of genes (or of anything else that has a name), to be looked up.

    On disk it is one safetensors file: `vectors`, float32 (n distinct, d); `rows`, int32 (n,), the row of each identifier;
    `ids`, their UTF-8 bytes with line ends between them; and one entry of metadata, JSON with the name, facts about where
    the vectors come from, and a SHA-256 over all of it.

    Parameters
    ----------
    ids
        Identifiers, each once, without line ends.
    vectors
        One row an identifier; or, with `rows`, the distinct ones, (n distinct, d).
    rows
        Row of each identifier, where several share one.
    name
        What the vectors are called.
    facts
        Where they come from: anything that JSON can hold.

    Attributes
    ----------
    name
        What the vectors are called.
    ids
        The identifiers.
    facts
        Where they come from.

    Raises
    ------
    InputError
        Identifiers come twice or are no text, or vectors do not fit them or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.encoders import VectorTable
    >>> table = VectorTable(["TP53", "ACTB"], np.eye(2), name="toy")
    >>> table.encode(["ACTB", "NOSUCH"])
    array([[ 0.,  1.],
           [nan, nan]], dtype=float32)
    """

    def __init__(
        self,
        ids: Sequence[str],
        vectors: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        name: str = "vectors",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.ids, self.facts = name, list(ids), dict(facts or {})
        self._distinct = np.asarray(vectors, dtype=np.float32)
        self._rows = np.arange(len(self.ids), dtype=np.int32) if rows is None else np.asarray(rows, dtype=np.int32)
        self._row = dict(zip(self.ids, self._rows.tolist(), strict=False))
        self._check(alone=rows is None)

    def _check(self, *, alone: bool) -> None:
        if self._distinct.ndim != 2 or self._distinct.shape[1] == 0 or len(self._rows) != len(self.ids):
            msg = f"{len(self.ids)} identifiers and vectors of shape {self._distinct.shape}: one row (n, d) each is needed."
            raise InputError(msg)
        n = len(self._distinct)
        if (alone and n != len(self.ids)) or (
            len(self._rows) and not 0 <= self._rows.min() <= self._rows.max() < max(n, 1)
        ):
            msg = f"{len(self.ids)} identifiers do not fit {n} vectors: one row each is needed."
            raise InputError(msg)
        wrong = [value for value in self.ids if not isinstance(value, str) or not value or "\n" in value]
        if wrong:
            msg = f"{len(wrong)} identifiers are empty, hold a line end or are no text: {examples(wrong)}."
            raise InputError(msg)
        if len(self._row) < len(self.ids):
            seen: set[str] = set()
            twice = [value for value in self.ids if value in seen or seen.add(value)]  # type: ignore[func-returns-value]
            msg = f"{len(twice)} identifiers come more than once: {examples(twice)}."
            raise InputError(msg)
        broken = np.asarray(~np.isfinite(self._distinct).all(axis=1))
        if broken.any():
            of = [value for value, row in self._row.items() if broken[row]]
            msg = f"{len(of)} vectors hold NaN or infinite numbers: those of {examples(of)}."
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._row

    def __repr__(self) -> str:
        return f"VectorTable({self.name!r}, {len(self)} vectors of {self.dimension})"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._distinct.shape[1]

    @property
    def vectors(self) -> np.ndarray:
        """All vectors in the order of `ids`, float32 (n, dimension)."""
        return self._distinct[self._rows]

    def to_frame(self) -> pd.DataFrame:
        """All vectors as a table with the identifiers as its index."""
        import pandas as pd

        return pd.DataFrame(self.vectors, index=pd.Index(self.ids, dtype=str, name="gene"))

    def encode(self, ids: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Look vectors up.

        Parameters
        ----------
        ids
            Identifiers, spelled as in `ids`; :func:`dnaclip.pp.match_genes` finds other spellings.
        progress
            Not used: looking up takes no time.

        Returns
        -------
        float32 (n, dimension), NaN rows where there is no vector; a line in the log says how many.

        Raises
        ------
        InputError
            None of the identifiers has a vector.
        """
        found = np.array([self._row.get(identifier, -1) for identifier in ids], dtype=np.int64)
        if len(found) and (found < 0).all():
            msg = f"None of {len(found)} identifiers is in {self!r}: {examples(ids)}. It has such as {examples(self.ids)}."
            raise InputError(msg)
        vectors = np.full((len(found), self.dimension), np.nan, dtype=np.float32)
        vectors[found >= 0] = self._distinct[found[found >= 0]]
        if absent := int((found < 0).sum()):
            logger.info("%d of %d identifiers have no vector in %s.", absent, len(found), self.name)
        return vectors

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table to one file, whole or not at all."""
        from pathlib import Path

        from safetensors.numpy import save_file

        ids = np.frombuffer("\n".join(self.ids).encode(), dtype=np.uint8)
        tensors: dict[str, np.ndarray] = {
            "vectors": np.ascontiguousarray(self._distinct),
            "rows": self._rows,
            "ids": ids,
        }
        record = {"name": self.name, "facts": self.facts, "format_version": FORMAT_VERSION}
        record["sha256"] = _checksum(record, tensors)
        with replacing(path) as part:
            save_file(tensors, part, metadata={ENTRY: json.dumps(record, sort_keys=True)})
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VectorTable:
        """Read a table that :meth:`save`, :func:`dnaclip.encoders.encode_fasta` or `dnaclip encode` wrote.

        Raises
        ------
        InputError
            There is no such file, it is something else, or it is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        record = read_facts(path)
        try:
            tensors = load_file(path)
            given = record.pop("sha256", None)
            if given != _checksum(record, tensors):
                msg = f"{str(path)!r} is damaged: its content does not fit its checksum. Make or fetch it again."
                raise InputError(msg)
            ids = tensors["ids"].tobytes().decode().split("\n") if tensors["ids"].size else []
            return cls(ids, tensors["vectors"], rows=tensors["rows"], name=record["name"], facts=record["facts"])
        except (SafetensorError, OSError, KeyError, TypeError, UnicodeDecodeError) as error:
            msg = f"{str(path)!r} is not a table of vectors, or it is damaged: {type(error).__name__}: {error}"
            raise InputError(msg) from error


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read name and facts of a table without its vectors.

    Raises
    ------
    InputError
        There is no such file, or it is something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            record = json.loads((file.metadata() or {})[ENTRY])
    except FileNotFoundError as error:
        msg = f"There is no table of vectors at {str(path)!r}."
        raise InputError(msg) from error
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        msg = f"{str(path)!r} is not a table of vectors, or it is damaged: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    if not isinstance(record, dict) or record.get("format_version") != FORMAT_VERSION:
        found = record.get("format_version") if isinstance(record, dict) else record
        msg = f"{str(path)!r} has format version {found!r}; this dnaclip reads {FORMAT_VERSION}. Please update dnaclip."
        raise InputError(msg)
    return record


def _checksum(record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
