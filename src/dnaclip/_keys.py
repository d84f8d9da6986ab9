"""The names dnaclip writes into AnnData, spelled in this one place."""

from __future__ import annotations

from dataclasses import dataclass

from dnaclip._errors import InputError

__all__ = ["DEFAULT_KEY", "PROGRAM_KEY", "EmbeddingKeys"]

DEFAULT_KEY = "dnaclip"
PROGRAM_KEY = "gene_program"


@dataclass(frozen=True)
class EmbeddingKeys:
    """Keys of one embedding: all of them follow `key_added`."""

    name: str = DEFAULT_KEY

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            msg = f"key_added must be a non-empty string, got {self.name!r}."
            raise InputError(msg)
        if "/" in self.name:
            msg = f"key_added={self.name!r} contains '/', which h5ad and zarr read as a nested group. Use '_' or '-' instead."
            raise InputError(msg)

    @property
    def varm(self) -> str:
        """Embedding, float32 (n_vars, d), in `adata.varm`."""
        return self.name

    @property
    def found(self) -> str:
        """Whether a gene has an embedding, bool, in `adata.var`."""
        return f"{self.name}_found"

    @property
    def modalities(self) -> str:
        """Which sides made a gene's embedding (`dna+text`, `dna`, `text`, `none`), categorical, in `adata.var`."""
        return f"{self.name}_modalities"

    @property
    def uns(self) -> str:
        """Record of parameters, in `adata.uns`."""
        return self.name
