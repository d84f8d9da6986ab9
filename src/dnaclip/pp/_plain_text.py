"""Texts as they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["plain_text"]


def plain_text(texts: Sequence[str] | pd.Series) -> pd.Series:
    """Texts without what makes no difference: case and white space."""
    return pd.Series(list(texts), dtype=object).fillna("").astype(str).str.split().str.join(" ").str.casefold()
