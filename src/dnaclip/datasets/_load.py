"""Find the embedding table of a species: completed on this machine, bundled, or fetched."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dnaclip._errors import MissingKeyError, examples
from dnaclip.datasets._fetch import fetch
from dnaclip.datasets._registry import DEFAULT_MODEL, load_registry
from dnaclip.datasets._settings import cache_folder
from dnaclip.datasets._species import find_species

if TYPE_CHECKING:
    from pathlib import Path

    from dnaclip.datasets._registry import Asset
    from dnaclip.datasets._table import EmbeddingTable

__all__ = ["completed_file", "load_table", "table_asset"]

logger = logging.getLogger(__name__)


def load_table(species: str = "human", model: str | None = None) -> EmbeddingTable:
    """Load the gene embeddings of a species.

    A table that :func:`complete_table` filled on this machine is preferred to the one that dnaclip ships, as long as it
    was made from the table that this version of dnaclip ships.

    Parameters
    ----------
    species
        English or Latin name, such as `"human"` or `"Mus musculus"`.
    model
        Name of the model that made the embeddings; None for the default.

    Raises
    ------
    dnaclip._errors.MissingKeyError
        There is no table for this species and model.
    dnaclip._errors.DownloadError
        The table does not come with the package and cannot be fetched.
    dnaclip._errors.InputError
        `species` is no name of a species, or the table is damaged.

    Examples
    --------
    >>> from dnaclip.datasets import load_table
    >>> load_table("ciona_savignyi")
    Traceback (most recent call last):
        ...
    dnaclip._errors.MissingKeyError: There is no embedding table for 'ciona_savignyi' ...
    """
    from dnaclip.datasets._table import EmbeddingTable

    name = find_species(species).name
    model = model or DEFAULT_MODEL
    asset = table_asset(name, model)
    completed = completed_file(name, model)
    if completed is not None and completed.is_file():
        logger.info("Using the table completed on this machine, %s.", completed)
        return EmbeddingTable.load(completed)
    if asset is None:
        tables = [known for known in load_registry().assets.values() if known.kind == "embeddings"]
        there = examples((f"{known.species} ({known.model})" for known in tables), 20)
        msg = (
            f"There is no embedding table for {name!r} made by the model {model!r}. There are: {there or 'none'}. "
            f"A table can be made from Ensembl's sequences: dnaclip.datasets.complete_table({name!r})."
        )
        raise MissingKeyError(msg)
    return EmbeddingTable.load(fetch(asset.name))


def table_asset(species: str, model: str) -> Asset | None:
    """Registered table of a species and model, if there is one."""
    for asset in load_registry().assets.values():
        if asset.kind == "embeddings" and (asset.species, asset.model) == (species, model):
            return asset
    return None


def completed_file(species: str, model: str) -> Path | None:
    """Where the table completed on this machine lies; None if neither table nor model is registered.

    Its name holds the checksum of what it was made from. With a new version of dnaclip the name is another one, so that
    vectors of two versions of a model never meet.
    """
    assets = load_registry().assets.values()
    weights = (asset for asset in assets if asset.file == f"{model}/model.safetensors")
    origin = table_asset(species, model) or next(weights, None)
    if origin is None:
        return None
    return cache_folder() / "completed" / f"{model}-{species}-{origin.sha256[:12]}.safetensors"
