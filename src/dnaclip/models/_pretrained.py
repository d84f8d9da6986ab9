"""Trained models by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._errors import MissingKeyError, examples
from dnaclip.models._dnaclip import DnaClip

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["list_pretrained", "load_pretrained"]


def load_pretrained(name: str | None = None) -> DnaClip:
    """Load a trained model.

    Parameters
    ----------
    name
        A name in :func:`list_pretrained`; `None` for the default, whose DNA side comes with the package. (Its text side
        needs the frozen text model, fetched when it is first used.)

    Returns
    -------
    The model, with :meth:`~DnaClip.encode_dna` and :meth:`~DnaClip.encode_text`.

    Raises
    ------
    MissingKeyError
        There is no model of this name.
    DownloadError
        Its files are not here and cannot be fetched.

    Examples
    --------
    >>> import dnaclip
    >>> dnaclip.models.load_pretrained().modalities
    ('dna', 'text')
    """
    from dnaclip.datasets import DEFAULT_MODEL, fetch_group

    name = name or DEFAULT_MODEL
    known = list_pretrained().index
    if name not in known:
        msg = f"There is no pretrained model {name!r}. There are: {examples(known, 20) or 'none'}."
        raise MissingKeyError(msg)
    return DnaClip.load(fetch_group(name))


def list_pretrained() -> pd.DataFrame:
    """List the trained models.

    Returns
    -------
    One row per model, indexed by name, with the columns `dimension`, `bytes` (of all files) and `licence`.

    Examples
    --------
    >>> import dnaclip
    >>> dnaclip.models.list_pretrained().index.tolist()
    ['dnaclip-base']
    """
    from dnaclip.datasets import list_assets

    assets = list_assets()
    files = assets[assets["kind"] == "model-file"]
    models = files.groupby("group", sort=True)
    table = models.agg(dimension=("dimension", "max"), bytes=("bytes", "sum"), licence=("licence", "first"))
    return table.rename_axis("name")
