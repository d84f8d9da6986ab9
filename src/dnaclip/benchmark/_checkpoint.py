"""Keep the scores of each finished unit, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError
from dnaclip._files import write_atomic

if TYPE_CHECKING:
    import os

    from dnaclip.benchmark._unit import Row, Unit

__all__ = ["Checkpoint"]

ABOUT = "benchmark.json"


class Checkpoint:
    """A folder with one small file per finished unit.

    Parameters
    ----------
    folder
        Where to keep them; `None` keeps nothing.
    about
        What makes results comparable: the vectors' checksum and the options.
    resume
        Whether results that are there are used.

    Raises
    ------
    InputError
        The folder holds results and `resume` is false, or they are of other vectors or options.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, about: dict[str, Any], *, resume: bool) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        record = self.folder / ABOUT
        if record.is_file():
            self._check(record, about, resume=resume)
        write_atomic(record, json.dumps(about, indent=1).encode())

    def read(self, unit: Unit) -> list[Row] | None:
        """Scores of a unit that is finished, or `None`; a file that cannot be read counts as not there."""
        if self.folder is None:
            return None
        try:
            rows = json.loads((self.folder / f"{unit.key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return rows if isinstance(rows, list) else None

    def write(self, unit: Unit, rows: list[Row]) -> None:
        """Keep the scores of a unit."""
        if self.folder is not None:
            write_atomic(self.folder / f"{unit.key}.json", json.dumps(rows).encode())

    def _check(self, record: Path, about: dict[str, Any], *, resume: bool) -> None:
        if not resume:
            msg = f"{str(self.folder)!r} holds results of a benchmark. Go on with resume=True, or name another folder."
            raise InputError(msg)
        try:
            before = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        other = [key for key, value in about.items() if before.get(key) != value]
        if other:
            msg = (
                f"The results in {str(self.folder)!r} are of another benchmark: {', '.join(other)} differ. Name another "
                "folder, or run with the embedding and the options of then."
            )
            raise InputError(msg)
