"""Recognise a gene identifier of any kind: the forms of a name that are looked up, one after the other."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip.datasets._lookup import UNKNOWN, GeneLookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["KINDS", "as_names", "ensembl_prefix", "identify"]

KINDS = ("ensembl", "entrez", "symbol", "alias", "case", "date")
# Texts that stand for "no name" after a table went through pandas, R or a spreadsheet.
_EMPTY = {"", "nan", "NaN", "None", "<NA>", "NaT", "NA", "N/A", "null"}
_ENSEMBL = re.compile(r"^(ENS[A-Z]*)\d{11}$")
_ENSEMBL_VERSION = re.compile(r"^(ENS[A-Z]*\d{11})(?:\.\d+)?(?:_PAR_Y)?$")
_NUMBER = re.compile(r"^(\d+)(?:\.0+)?$")
# Spreadsheets turn MARCH1 into 1-Mar or Mar-01. What the name may have been, the likeliest first:
_DATE = re.compile(r"^(?:(?P<day>\d{1,2})-(?P<month>[A-Za-z]{3})|(?P<month2>[A-Za-z]{3})-(?P<day2>\d{1,2}))$")
_DATE_STEMS = {"mar": ("marchf", "march"), "sep": ("septin", "sept", "sep"), "oct": ("oct",), "dec": ("delec", "dec")}


def as_names(ids: Iterable[object]) -> np.ndarray:
    """Turn identifiers of any type into stripped text, object (n,); missing ones become `""`."""
    if isinstance(ids, (str, bytes)):
        msg = f"ids must be a list of gene identifiers, got the single text {ids!r}. Put it in a list."
        raise InputError(msg)
    values = np.asarray(ids if hasattr(ids, "__array__") or isinstance(ids, list) else list(ids), dtype=object)
    if values.ndim != 1:
        msg = f"ids must be one-dimensional, got an array of shape {values.shape}."
        raise InputError(msg)
    names = np.empty(len(values), dtype=object)
    names[:] = [_as_name(value) for value in values]
    return names


def _as_name(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        name = value.strip()
    elif isinstance(value, (float, np.floating)):
        name = str(int(value)) if np.isfinite(value) and value == int(value) else ""
    else:
        name = str(value)
    return "" if name in _EMPTY else name


def identify(names: np.ndarray, lookup: GeneLookup) -> tuple[np.ndarray, np.ndarray]:
    """Look distinct names up; the first attempt that knows a name decides.

    Returns
    -------
    Row of each name, `UNKNOWN` or `AMBIGUOUS` (int64), and the place of its kind in `KINDS`, or their number (int8).
    """
    rows = np.full(len(names), UNKNOWN, dtype=np.int64)
    how = np.full(len(names), len(KINDS), dtype=np.int8)
    for kind, form, index in _ATTEMPTS:
        left = np.flatnonzero(rows == UNKNOWN)
        if not len(left):
            break
        forms = np.array([form(name) for name in names[left]], dtype=object)
        rows[left] = GeneLookup.find(getattr(lookup, index), forms)
        how[left[rows[left] >= 0]] = KINDS.index(kind)
    return rows, how


def _without_version(name: str) -> str:
    return _ENSEMBL_VERSION.sub(r"\1", name) if name.startswith("ENS") else name


def _number(name: str) -> str:
    match = _NUMBER.match(name) if name[:1].isdigit() else None
    return match[1] if match else ""


def _number_of_loc(name: str) -> str:
    # NCBI names a gene after its number until it gets a symbol: LOC101928372.
    return _number(name[3:]) if name.startswith("LOC") else ""


def _date_guess(name: str, *, rank: int) -> str:
    """Lower-case symbol that may have become the date `name`: the likeliest for `rank` 0, then the next."""
    date = _DATE.match(name)
    if date is None:
        return ""
    month, day = (date["month"] or date["month2"]).lower(), int(date["day"] or date["day2"])
    stems = _DATE_STEMS.get(month, ())
    return f"{stems[rank]}{day}" if rank < len(stems) else ""


def ensembl_prefix(name: str) -> str:
    """Part of an Ensembl id that tells species and kind (`ENSG`, `ENSMUST`), `""` for other names."""
    match = _ENSEMBL.match(_without_version(name))
    return match[1] if match else ""


# Kind, form of the name to look up, and index of the lookup; in this order.
_ATTEMPTS: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("ensembl", _without_version, "ensembl"),
    ("entrez", _number, "entrez"),
    ("symbol", str, "symbol"),
    ("alias", str, "alias"),
    ("entrez", _number_of_loc, "entrez"),
    ("case", str.lower, "folded"),
    ("case", str.lower, "folded_alias"),
    *(("date", partial(_date_guess, rank=rank), index) for rank in range(3) for index in ("folded", "folded_alias")),
)
