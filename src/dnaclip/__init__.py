"""Function-aware gene embeddings for AnnData, learned by aligning DNA sequence with function text."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from dnaclip import errors

if TYPE_CHECKING:
    from types import ModuleType

    from dnaclip import benchmark, datasets, encoders, llm, metrics, models, pl, pp, tl, train

__all__ = ["benchmark", "datasets", "encoders", "llm", "metrics", "models", "pl", "pp", "tl", "train"]

__version__ = version("dnaclip")


def __getattr__(name: str) -> ModuleType:
    # A room is imported when it is first used: this keeps `import dnaclip` quick and free of torch and scanpy.
    if name in __all__:
        return import_module(f"dnaclip.{name}")
    msg = f"module 'dnaclip' has no attribute {name!r}; its rooms are {', '.join(__all__)}."
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, "__version__", "errors"]
