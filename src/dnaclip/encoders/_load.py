"""Make an encoder by its name, or by where its files are."""

from __future__ import annotations

import difflib
import inspect
import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip.encoders._catalogue import NON_COMMERCIAL, catalogue

if TYPE_CHECKING:
    from dnaclip.encoders._encoder import Encoder

__all__ = ["find_encoder", "load_encoder"]

logger = logging.getLogger(__name__)


def load_encoder(name: str, **options: Any) -> Encoder:
    """Make an encoder by name.

    Parameters
    ----------
    name
        As in :func:`dnaclip.encoders.list`. Else a file or folder of vectors, see :func:`dnaclip.encoders.read_vectors`; a file of weights
        (`.safetensors`, `.ckpt`) of HyenaDNA; or a folder or `"owner/model"` of the Hugging Face hub, which is read as a model of
        DNA unless `kind` says otherwise.
    options
        Of its class, such as `device="cuda"`; `input="dna"` lets an encoder of proteins read genes.

    Returns
    -------
    The encoder, its weights fetched and loaded.

    Raises
    ------
    MissingKeyError
        There is no encoder of this name.
    DownloadError
        Its files are not here and cannot be had.
    MissingDependencyError
        It needs a package that is not installed.
    InputError
        An option is not known, or its files cannot be read.

    Examples
    --------
    >>> import dnaclip
    >>> dnaclip.encoders.load("composition").dimension
    831
    """
    maker, known = find_encoder(name)
    if (entry := catalogue().get(name)) is not None:
        level = logging.WARNING if NON_COMMERCIAL in entry.note else logging.INFO
        logger.log(level, "%s: licence %s. %s", name, entry.licence, entry.note)
    return _make(maker, {**known, **options})


def find_encoder(name: str) -> tuple[str, dict[str, Any]]:
    """Return the class (or function) in this room that makes the encoder of this name, and its options."""
    entries = catalogue()
    path = Path(name)
    if name in entries:
        return entries[name].maker, dict(entries[name].options)
    if path.is_file():
        weights = path.suffix in (".ckpt", ".safetensors") and not _is_table(name)
        return ("HyenaDnaEncoder", {"model": name}) if weights else ("read_vectors", {"path": name})
    if path.is_dir() and not (path / "config.json").is_file():
        return "read_vectors", {"path": name}
    if path.is_dir() or "/" in name:
        return "HuggingFaceEncoder", {"model": name}
    folded = {known.lower(): known for known in entries}
    near = difflib.get_close_matches(name.lower(), folded, n=5, cutoff=0.5)
    hint = f" Near names: {examples(folded[match] for match in near)}." if near else ""
    msg = (
        f"There is no encoder {name!r}.{hint} dnaclip.encoders.list() shows all; a folder or 'owner/model' will do too."
    )
    raise MissingKeyError(msg)


def _is_table(path: str) -> bool:
    from dnaclip.encoders._vectors.table import read_facts

    try:
        read_facts(path)
    except InputError:
        return False
    return True


def _make(maker: str, options: dict[str, Any]) -> Encoder:
    from dnaclip.datasets._fetch import fetch

    room = import_module("dnaclip.encoders")
    if "asset" in options:
        asset = options.pop("asset")
        options["path"] = fetch(asset)
    make = getattr(room, maker)
    allowed = dict(inspect.signature(make).parameters)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in allowed.values())
    if open_ended:  # hands what it does not know itself on to this one
        allowed |= inspect.signature(room.HuggingFaceEncoder).parameters
        del allowed["kind"]
    if unknown := sorted(options.keys() - allowed.keys()):
        known = sorted(allowed.keys() - {"options", "model", "name", "path"})
        msg = f"{maker} has no such option: {examples(unknown)}. It has: {examples(known, 20) or 'none'}."
        raise InputError(msg)
    return make(**options)
