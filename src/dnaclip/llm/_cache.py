"""Answers kept on disk, one small file each."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._files import write_atomic

if TYPE_CHECKING:
    import os

__all__ = ["AnswerCache", "fingerprint"]


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of a value that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """Answers by the fingerprint of what was asked. Neither questions nor keys are stored; a damaged file is no answer."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> str | None:
        """Return the answer kept under `key`."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            answer = json.loads(self._path(key).read_text(encoding="utf-8"))["answer"]
            return answer if isinstance(answer, str) else None
        return None

    def put(self, key: str, answer: str, model: str) -> None:
        """Keep an answer."""
        text = json.dumps({"model": model, "answer": answer}, ensure_ascii=False)
        write_atomic(self._path(key), text.encode("utf-8", "replace"))

    def forget(self, key: str) -> None:
        """Drop an answer that turned out to be of no use."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
