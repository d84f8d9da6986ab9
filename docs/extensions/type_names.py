"""Show types under the names users know: public classes of dnaclip, and NumPy's `ArrayLike` instead of all it stands for."""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Union, get_args, get_origin

from numpy.typing import ArrayLike
from sphinx_autodoc_typehints import format_annotation

import dnaclip

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config


def _public_classes() -> dict[type, str]:
    classes = {}
    for room in dnaclip.__all__:
        module = import_module(f"dnaclip.{room}")
        for name in module.__all__:
            if isinstance(value := getattr(module, name), type):
                classes[value] = f"dnaclip.{room}.{name}"
    return classes


PUBLIC_CLASSES = _public_classes()


def format_type(annotation: object, config: Config) -> str | None:
    """Return the reST for `annotation`, or `None` to leave it to sphinx-autodoc-typehints."""
    if isinstance(annotation, type) and annotation in PUBLIC_CLASSES:
        return f":py:class:`~{PUBLIC_CLASSES[annotation]}`"
    if get_origin(annotation) not in (Union, UnionType):
        return None
    parts, array_like = get_args(annotation), get_args(ArrayLike)
    if not set(array_like) <= set(parts):
        return None
    # A union inside a union is flattened, so that `ArrayLike | None` arrives here as a dozen types.
    others = [part for part in parts if part not in array_like]
    shown = [":py:data:`~numpy.typing.ArrayLike`"]
    if others:
        shown.append(format_annotation(reduce(or_, others), config))
    return " | ".join(shown)


def setup(app: Sphinx) -> dict[str, bool]:
    """Hand the formatter to sphinx-autodoc-typehints."""
    app.config["typehints_formatter"] = format_type
    return {"parallel_read_safe": True}
