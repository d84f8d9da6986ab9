"""Import an optional package, or say which pip line installs it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from dnaclip._errors import MissingDependencyError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`; when it is absent, raise an error that names the extra of dnaclip to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"{purpose} needs the package {module!r}. Install it with: pip install 'dnaclip[{extra}]'"
        raise MissingDependencyError(msg) from error
