"""The exceptions dnaclip raises: one base class, so that ``except DnaclipError`` catches every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DnaclipError",
    "DownloadError",
    "InputError",
    "LanguageModelError",
    "MissingDependencyError",
    "MissingKeyError",
    "TrainingError",
    "examples",
]


class DnaclipError(Exception):
    """Base class of every error that dnaclip raises on purpose."""


class InputError(DnaclipError, ValueError):
    """An argument, a table or a sequence has a value that cannot be used."""


class MissingKeyError(DnaclipError, KeyError):
    """A key, column or layer is absent from an AnnData object or a table."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which turns a sentence into a quoted string.
        return str(self.args[0]) if self.args else ""


class DownloadError(DnaclipError, OSError):
    """A file could not be fetched, or what was fetched is not what the registry promises."""


class LanguageModelError(DnaclipError, RuntimeError):
    """A language model gave no answer, or a limit on requests or cost is reached."""


class MissingDependencyError(DnaclipError, ImportError):
    """An optional package is needed and not installed."""


class TrainingError(DnaclipError, RuntimeError):
    """Training cannot go on; the model was given back its best weights so far."""


def examples(values: Iterable[object], n: int = 5) -> str:
    """Show at most `n` values for an error message, then how many more there are."""
    values = list(values)
    shown = ", ".join(repr(value) for value in values[:n])
    return shown + (f" ... and {len(values) - n} more" if len(values) > n else "")
