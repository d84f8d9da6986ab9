"""Which objects the verbs accept, and how they write to a view."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_adata", "quiet_view"]


def check_adata(adata: object, *, copy: bool = False) -> None:
    """Raise unless `adata` is an AnnData that can be annotated as asked."""
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        msg = f"adata must be an AnnData, got {type(adata).__name__}. Of a MuData give one modality: mdata['rna']."
        raise InputError(msg)
    if adata.isbacked and (copy or adata.is_view):
        msg = "A backed AnnData cannot be copied, nor a view of it be changed, in place. Use adata.to_memory() first."
        raise InputError(msg)


@contextlib.contextmanager
def quiet_view() -> Iterator[None]:
    """Let a view become an object of its own when it is written to, without anndata's warning: it is documented."""
    from anndata import ImplicitModificationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=ImplicitModificationWarning)
        yield
