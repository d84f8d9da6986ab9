"""What dnaclip raises: one base class, so that ``except DnaclipError`` catches every refusal."""

from __future__ import annotations

from dnaclip._errors import (
    DnaclipError,
    DownloadError,
    InputError,
    LanguageModelError,
    MissingDependencyError,
    MissingKeyError,
    TrainingError,
)

__all__ = [
    "DnaclipError",
    "DownloadError",
    "InputError",
    "LanguageModelError",
    "MissingDependencyError",
    "MissingKeyError",
    "TrainingError",
]
