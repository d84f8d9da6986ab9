"""Read a table of the user's from a Parquet or text file, or say why it cannot be."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import os

__all__ = ["read_dataframe"]


def read_dataframe(path: str | os.PathLike[str], **of_text: Any) -> pd.DataFrame:
    """Read `.parquet`, `.csv`, or text separated by tabs under any other name; text files may be packed.

    Parameters
    ----------
    path
        The file.
    of_text
        Options of :func:`pandas.read_csv`.

    Raises
    ------
    InputError
        There is no such file, or it is damaged or something else.

    Examples
    --------
    >>> from dnaclip._dataframe import read_dataframe
    >>> read_dataframe("nowhere.csv")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: There is no file 'nowhere.csv'.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"There is no file {str(path)!r}."
        raise InputError(msg)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep="," if ".csv" in path.suffixes else "\t", **of_text)
    except (OSError, ValueError, LookupError, TypeError, EOFError, zlib.error, pa.ArrowException) as error:
        form = "Parquet" if path.suffix == ".parquet" else "text"
        msg = f"{str(path)!r} cannot be read as a table ({form}): {error}"
        raise InputError(msg) from error
