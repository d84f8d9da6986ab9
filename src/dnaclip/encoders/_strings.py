"""Check what encoders are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KINDS", "Kind", "clean"]

Kind = Literal["dna", "protein", "text"]
KINDS: tuple[Kind, ...] = ("dna", "protein", "text")


def clean(strings: Sequence[str], kind: Kind) -> list[str]:
    """Check strings, and write sequences in upper case, proteins without the stop at their end."""
    if isinstance(strings, str):
        msg = "strings is a single string. Pass a list with one string each: [string]."
        raise InputError(msg)
    strings = list(strings)
    wrong = [i for i, value in enumerate(strings) if not isinstance(value, str) or not value.strip()]
    if wrong:
        msg = (
            f"{len(wrong)} of {len(strings)} strings are blank or not a string: number {wrong[0]} is {strings[wrong[0]]!r}. "
            f"Drop these or give their content (positions {examples(wrong)})."
        )
        raise InputError(msg)
    if kind == "text":
        return strings
    cleaned = [value.strip().upper() for value in strings]
    return [value.rstrip("*") or value for value in cleaned] if kind == "protein" else cleaned
