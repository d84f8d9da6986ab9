"""A key that shows itself only to the request that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import requests

__all__ = ["Secret"]


class Secret:
    """Holds a key; its text, its copies on disk and its error messages show nothing of it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __reduce__(self) -> NoReturn:
        msg = "A client with a key cannot be pickled: the key would be written out. Make a new client instead."
        raise TypeError(msg)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request. Given to requests as `auth`, this also keeps it from looking for another key in .netrc."""
        if self._value:
            request.headers["Authorization"] = f"Bearer {self._value}"
        return request

    def hide(self, text: str) -> str:
        """Return `text` with the key blotted out."""
        return text.replace(self._value, "***") if self._value else text
