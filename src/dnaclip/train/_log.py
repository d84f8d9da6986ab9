"""The history of a run on disk, with a row more after each epoch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._errors import InputError
from dnaclip._files import write_atomic
from dnaclip._optional import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Rows = list[dict[str, float]]

__all__ = ["open_log"]


@contextmanager
def open_log(place: Path | None, epoch: int) -> Iterator[Callable[[Rows], None]]:
    """Open a log, and give what writes the history to it after each epoch.

    Parameters
    ----------
    place
        CSV file, whose name ends in `.csv`, or a folder that gets `history.csv` and events for TensorBoard; `None` writes
        nothing.
    epoch
        The first one that will be written: TensorBoard shows earlier events of the folder only up to there.

    Raises
    ------
    InputError
        `place` is a file, and no CSV file.
    MissingDependencyError
        It is a folder, and tensorboard is not installed.

    Examples
    --------
    >>> from dnaclip.train._log import open_log
    >>> with open_log(None, 0) as write:
    ...     write([{"epoch": 0, "validation_loss": 2.0}])
    """
    if place is None:
        yield lambda rows: None
    elif place.suffix == ".csv":
        yield lambda rows: _write_table(place, rows)
    else:
        if place.is_file():
            msg = f"log={str(place)!r} is a file. Give a name that ends in .csv, or a folder for TensorBoard."
            raise InputError(msg)
        require("tensorboard", extra="tensorboard", purpose="A log that is a folder")
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(place), purge_step=epoch) as writer:

            def write(rows: Rows) -> None:
                _write_table(place / "history.csv", rows)
                for name, value in rows[-1].items():
                    if name != "epoch":
                        writer.add_scalar(name, value, int(rows[-1]["epoch"]))
                writer.flush()

            yield write


def _write_table(path: Path, rows: Rows) -> None:
    write_atomic(path, pd.DataFrame(rows).to_csv(index=False).encode())
