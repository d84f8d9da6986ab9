"""Parts of docstrings that several functions share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["share_docs"]

F = TypeVar("F", bound="Callable[..., object]")


def share_docs(**parts: str) -> Callable[[F], F]:
    """Put each part where the docstring has a line of its name in braces.

    Examples
    --------
    >>> from dnaclip._docs import share_docs
    >>> @share_docs(where="Files lie in the cache.")
    ... def fetch():
    ...     '''Fetch a file.
    ...
    ...     {where}
    ...     '''
    >>> fetch.__doc__.splitlines()[-1]
    'Files lie in the cache.'
    """
    texts = {f"{{{name}}}": inspect.cleandoc(part) for name, part in parts.items()}

    def fill(function: F) -> F:
        # Without docstrings (python -OO) there is nothing to fill.
        if function.__doc__ is not None:
            lines = inspect.cleandoc(function.__doc__).split("\n")
            function.__doc__ = "\n".join(texts.get(line, line) for line in lines)
        return function

    return fill
