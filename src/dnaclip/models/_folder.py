"""The model folder: config.json, model.safetensors and README.md, written whole and read with every byte checked."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from dnaclip._errors import InputError, examples
from dnaclip._files import write_atomic

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["FORMAT_VERSION", "check_replaceable", "load_folder", "save_folder"]

FORMAT_VERSION = 1
CONFIG, WEIGHTS, CARD = FILES = ("config.json", "model.safetensors", "README.md")
# Written by `save_folder` itself; values of these names in a caller's config are replaced.
OWN_KEYS = ("format", "format_version", "dnaclip_version", "weights_sha256")
FORMAT = "dnaclip-model"


def save_folder(
    folder: str | os.PathLike[str], tensors: Mapping[str, Tensor | np.ndarray], config: Mapping[str, Any], card: str
) -> Path:
    """Write a model folder, whole or not at all.

    The files are written into a hidden folder beside the target, which then takes the target's name.

    Parameters
    ----------
    folder
        Where the model goes. Its parent is made when missing; an earlier dnaclip model there is replaced, anything else
        is left alone.
    tensors
        Name to tensor or array.
    config
        What JSON can hold: architecture, training summary, metrics. The keys `format`, `format_version`,
        `dnaclip_version` and `weights_sha256` are added.
    card
        Text of the model card, Markdown, for README.md.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError
        `folder` is something else than a dnaclip model, `config` does not fit into JSON, or there is no tensor.

    Examples
    --------
    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> from dnaclip.models import load_folder, save_folder
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = save_folder(Path(place) / "model", {"w": torch.ones(2)}, {"name": "toy"}, "# A toy")
    ...     config, tensors = load_folder(folder)
    >>> config["name"], tensors["w"]
    ('toy', tensor([1., 1.]))
    """
    from dnaclip import __version__

    target = Path(folder).absolute()
    check_replaceable(target)
    if not tensors:
        msg = "There is no tensor to save: a model folder without weights is of no use."
        raise InputError(msg)
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "dnaclip_version": __version__}
    settings = own | {key: value for key, value in config.items() if key not in OWN_KEYS}
    # Config and weights hold each other's checksum, so that neither can be changed or exchanged unnoticed.
    weights = safetensors.torch.save(
        {name: _plain(name, value) for name, value in tensors.items()},
        metadata={"config_sha256": _digest(_dump(settings))},
    )
    settings["weights_sha256"] = _digest(weights)

    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{uuid4().hex}.new")
    fresh.mkdir()
    try:
        write_atomic(fresh / WEIGHTS, weights)
        write_atomic(fresh / CARD, card.encode())
        write_atomic(fresh / CONFIG, _dump(settings))
        _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Path(folder)


def load_folder(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model folder and check it.

    Parameters
    ----------
    folder
        A folder that :func:`save_folder` wrote.

    Returns
    -------
    The config and name to tensor, on the CPU.

    Raises
    ------
    InputError
        A file is missing, one is there that does not belong, a byte of config or weights differs from what was saved, or
        the folder comes from a newer dnaclip.

    Examples
    --------
    >>> from dnaclip.models import load_folder
    >>> load_folder("nowhere")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 'nowhere' cannot be read as a dnaclip model: there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        _refuse(place, "there is no such folder.", changed=False)
    names = _visible(place)
    if missing := [name for name in FILES if name not in names]:
        _refuse(place, f"it lacks {examples(missing)}. A model folder holds {examples(FILES)}.")
    if extra := sorted(names.difference(FILES)):
        _refuse(place, f"it holds {examples(extra)} too, which no dnaclip model has. Move that elsewhere.")
    try:
        config = json.loads((place / CONFIG).read_bytes(), parse_constant=_no_constant)
        form, version = config["format"], config["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _refuse(place, f"{CONFIG} is not the config of a dnaclip model ({type(error).__name__}: {error}).")
    if form != FORMAT or not isinstance(version, int) or version < 1:
        _refuse(place, f"{CONFIG} names the format {form!r} version {version!r}.")
    if version > FORMAT_VERSION:
        newer = f"it has format version {version}, written by dnaclip {config.get('dnaclip_version')}; this dnaclip "
        _refuse(place, f"{newer}reads up to {FORMAT_VERSION}. Update it: pip install -U dnaclip", changed=False)

    weights = (place / WEIGHTS).read_bytes()
    promised, found = config.get("weights_sha256"), _digest(weights)
    if promised != found:
        _refuse(place, f"{WEIGHTS} has sha256 {found}, but {CONFIG} promises {promised}.")
    settings = {key: value for key, value in config.items() if key != "weights_sha256"}
    with safetensors.safe_open(place / WEIGHTS, framework="pt") as file:
        sealed = (file.metadata() or {}).get("config_sha256")
    if sealed != _digest(_dump(settings)):
        _refuse(place, f"{CONFIG} was edited after saving: it no longer has the checksum that {WEIGHTS} holds.")
    return config, safetensors.torch.load(weights)


def _refuse(place: Path, why: str, *, changed: bool = True) -> NoReturn:
    advice = " Fetch or save the model again; to change a model, load it, change it and save it." if changed else ""
    msg = f"{str(place)!r} cannot be read as a dnaclip model: {why}{advice}"
    raise InputError(msg)


def check_replaceable(target: Path) -> None:
    """Raise unless `target` is absent, an empty folder or a dnaclip model with nothing else in it."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not target.is_symlink():
        names = _visible(target)
        if not names and not any(target.iterdir()):
            return
        if CONFIG in names and names <= set(FILES) and f'"{FORMAT}"'.encode() in (target / CONFIG).read_bytes():
            return
    msg = (
        f"{str(target)!r} is there already and is not just a dnaclip model, so it is left alone. Choose another folder."
    )
    raise InputError(msg)


def _visible(place: Path) -> set[str]:
    """Names in a folder, without the hidden ones that file managers and version control leave."""
    return {path.name for path in place.iterdir() if not path.name.startswith(".")}


def _swap(fresh: Path, target: Path) -> None:
    """Give `fresh` the name `target`; what had it before is put back if that fails.

    A kill between the two renames leaves both models whole, under hidden names that end in .old and .new.
    """
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_suffix(".old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _dump(config: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(config, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        msg = (
            f"The config does not fit into JSON: {error}. Use strings, finite numbers, booleans, None, lists and dicts."
        )
        raise InputError(msg) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain(name: str, value: Tensor | np.ndarray) -> Tensor:
    """Copy to the CPU: safetensors refuses views and tensors that share memory."""
    try:
        tensor = value.detach() if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
    except TypeError as error:
        msg = f"Tensor {name!r} cannot be saved: {error} Give numbers or booleans."
        raise InputError(msg) from error
    return tensor.cpu().contiguous().clone()
