"""The list of every file that dnaclip ships or fetches: read from registry.yaml, checked, looked up by name."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip.datasets._expected import Expected
from dnaclip.datasets._names import check_file, check_name
from dnaclip.datasets._settings import parse_base

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT_MODEL",
    "KINDS",
    "Asset",
    "Registry",
    "assets_of_group",
    "get_asset",
    "list_assets",
    "load_registry",
]

REGISTRY_FILE = Path(__file__).with_name("registry.yaml")
DEFAULT_MODEL = "dnaclip-base"
_SHA256 = re.compile("[0-9a-f]{64}")
_MD5 = re.compile("[0-9a-f]{32}")
KINDS = ("benchmark", "dataset", "embeddings", "encoder", "gene-sets", "model-file", "text-encoder")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file that dnaclip ships or fetches."""

    name: str
    """What users call it."""
    file: str
    """Its place below the bundled folder, the cache or a mirror, `/` between the parts."""
    bytes: int | None = None
    """Size; None where the provider does not tell it."""
    sha256: str = ""
    """Checksum; empty where the provider publishes none or another one."""
    md5: str = ""
    """Checksum of a file without a SHA-256."""
    kind: str
    """One of `benchmark`, `dataset`, `embeddings`, `encoder`, `gene-sets`, `model-file`, `text-encoder`."""
    licence: str
    species: str = ""
    """For embeddings and gene sets."""
    dimension: int | None = None
    """Length of the vectors, for embeddings and models."""
    model: str = ""
    """Name of the model that made it, or that it is part of."""
    url: str | None = None
    """Public address; None: below the registry's `base_url`."""
    note: str = ""
    """What is not certain about it, for what others publish."""

    @property
    def group(self) -> str:
        """The folder that the file belongs in together with others, or nothing."""
        return self.file.rpartition("/")[0].split("/")[0]

    @property
    def expected(self) -> Expected:
        """What a local copy must be."""
        if self.md5 and not self.sha256:
            return Expected(self.md5, self.bytes, "md5")
        return Expected(self.sha256, self.bytes)


@dataclass(frozen=True)
class Registry:
    """All assets by name, and the address below which those without an own one lie (None: not public yet)."""

    base_url: str | None
    assets: dict[str, Asset]

    def url(self, asset: Asset) -> str | None:
        """Public address of an asset."""
        return asset.url or (f"{self.base_url}/{asset.file}" if self.base_url else None)


def load_registry() -> Registry:
    """Read and check the registry; it is read once per process."""
    return _load(REGISTRY_FILE)


def list_assets() -> pd.DataFrame:
    """List every file that dnaclip ships or can fetch.

    Returns
    -------
    One row per file, indexed by name, with the columns `group`, `file`, `kind`, `species`, `model`, `dimension`,
    `bytes`, `sha256`, `md5`, `licence`, `note` and `url`. Sizes and checksums that are not known are missing or empty.

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["all-MiniLM-L6-v2.config.json", ["group", "kind", "licence"]].tolist()
    ['all-MiniLM-L6-v2', 'text-encoder', 'Apache-2.0']
    """
    import pandas as pd

    registry = load_registry()
    columns = ["group", "file", "kind", "species", "model", "dimension", "bytes", "sha256", "md5", "licence", "note"]
    rows = [[getattr(asset, name) for name in columns] + [registry.url(asset)] for asset in registry.assets.values()]
    table = pd.DataFrame(rows, columns=[*columns, "url"], index=pd.Index(registry.assets, name="name"))
    return table.astype({"dimension": "Int64", "bytes": "Int64"})


def get_asset(name: str) -> Asset:
    """Look an asset up by name.

    Raises
    ------
    InputError
        `name` is not a plain name.
    MissingKeyError
        There is none of this name.
    """
    assets = load_registry().assets
    check_name(name, what="the name of an asset")
    if name not in assets:
        groups = {asset.group for asset in assets.values()} - {""}
        hint = " It is a group of files: use fetch_group." if name in groups else ""
        msg = f"There is no asset {name!r}.{hint or _suggest(name, assets)} dnaclip.datasets.list_assets() shows all."
        raise MissingKeyError(msg)
    return assets[name]


def assets_of_group(group: str) -> list[Asset]:
    """All assets that belong in one folder.

    Raises
    ------
    InputError
        `group` is not a plain name.
    MissingKeyError
        There is none of this name.
    """
    check_name(group, what="the name of a group of assets")
    assets = load_registry().assets.values()
    members = [asset for asset in assets if asset.group == group]
    if not members:
        groups = sorted({asset.group for asset in assets} - {""})
        msg = f"There is no group of assets {group!r}. There are: {examples(groups, 10) or 'none'}."
        raise MissingKeyError(msg)
    return members


def _suggest(name: str, names: dict[str, Asset]) -> str:
    folded = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), folded, n=5, cutoff=0.5)
    return f" Near names: {examples(folded[match] for match in near)}." if near else ""


@cache
def _load(path: Path) -> Registry:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        msg = f"{path} is not plain YAML: {error}"
        raise InputError(msg) from error
    if not isinstance(content, dict) or set(content) != {"base_url", "assets"}:
        msg = f"{path} must hold the two entries base_url and assets."
        raise InputError(msg)
    assets = [_read_asset(entry) for entry in content["assets"] or []]
    for field in ("name", "file"):
        seen = [str(getattr(asset, field)).lower() for asset in assets]
        if twice := sorted({value for value in seen if seen.count(value) > 1}):
            msg = f"{path}: the {field} {examples(twice)} stands there more than once."
            raise InputError(msg)
    return Registry(_read_url(content["base_url"], "base_url"), {asset.name: asset for asset in assets})


def _read_asset(entry: Any) -> Asset:
    known = {field.name for field in fields(Asset)}
    # Of data sets and encoders of others not everything is known; what is ours is always checked in full.
    of_others = isinstance(entry, dict) and entry.get("kind") in ("dataset", "encoder")
    needed = {"name", "file", "kind", "licence", *(["url"] if of_others else ["bytes", "sha256"])}
    if not isinstance(entry, dict) or not needed <= set(entry) <= known:
        msg = f"Registry entry {entry!r}: it must have {sorted(needed)}, and may have {sorted(known - needed)}."
        raise InputError(msg)
    asset = Asset(**entry)
    check_name(asset.name, what="the name of an asset")
    check_file(asset.file, what="the file of an asset")
    _read_url(asset.url, "url")
    wrong = [
        *(["bytes"] if "bytes" in entry and (type(asset.bytes) is not int or asset.bytes < 1) else []),
        # A checksum of nothing but digits must stand in quotes, or YAML reads a number.
        *(["sha256"] if "sha256" in entry and not _is_checksum(asset.sha256, _SHA256) else []),
        *(["md5"] if "md5" in entry and not _is_checksum(asset.md5, _MD5) else []),
        *(["kind"] if asset.kind not in KINDS else []),
        *(["licence"] if not isinstance(asset.licence, str) or not asset.licence else []),
    ]
    if wrong:
        msg = f"Registry entry {asset.name!r}: wrong {', '.join(wrong)}. Kinds are {', '.join(KINDS)}."
        raise InputError(msg)
    return asset


def _is_checksum(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _read_url(url: Any, field: str) -> str | None:
    if url is None:
        return None
    base = parse_base(str(url), setting=field)
    if isinstance(base, Path):
        msg = f"Registry: {field}={url!r} must be an http(s) address."
        raise InputError(msg)
    return base
