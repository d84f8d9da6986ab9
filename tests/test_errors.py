"""Every exception is public, and all can be caught by one name."""

from __future__ import annotations

import inspect

import dnaclip
from dnaclip import _errors


def test_every_exception_is_public() -> None:
    exceptions = {
        name for name, value in vars(_errors).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert set(dnaclip.errors.__all__) == exceptions
    assert all(issubclass(getattr(dnaclip.errors, name), dnaclip.errors.DnaclipError) for name in exceptions)
