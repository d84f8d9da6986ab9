"""Read the published weights of HyenaDNA, in each of the three layouts they come in, without running code of theirs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import safetensors.torch
import torch
from torch import Tensor

from dnaclip._errors import InputError, examples
from dnaclip._files import write_atomic
from dnaclip.encoders._hyenadna.network import HyenaDna, HyenaDnaConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["load_hyenadna", "save_hyenadna"]

# What other names the same tensor has: the original checkpoints start with "model.", those for transformers with "hyena.",
# and a wrapper for gradient checkpointing adds ".layer".
_RENAMED = [
    (r"^(model\.|hyena\.)?backbone\.", ""),
    (r"\.(mixer|mlp)\.layer\.", r".\1."),
    (r"^embeddings\.word_embeddings\.", "embedding."),
    (r"^ln_f\.", "norm."),
    (r"\.mlp\.fc", ".fc"),
    (r"\.filter_fn\.pos_emb\.", ".positions."),
    (r"\.filter_fn\.modulation\.deltas$", ".long_filter.deltas"),
    (r"\.filter_fn\.implicit_filter\.([135])\.freq$", r".long_filter.freq.\1"),
    (r"\.filter_fn\.implicit_filter\.6\.", ".long_filter.last."),
    (r"\.filter_fn\.implicit_filter\.0\.", ".long_filter.hidden.0."),
    (r"\.filter_fn\.implicit_filter\.2\.", ".long_filter.hidden.1."),
    (r"\.filter_fn\.implicit_filter\.4\.", ".long_filter.hidden.2."),
    (r"\.filter_fn\.", ".long_filter."),
]
_PUBLISHED = [
    (r"^embedding\.", "embeddings.word_embeddings."),
    (r"^norm\.", "ln_f."),
    (r"\.fc(?=[12]\.)", ".mlp.fc"),
    (r"\.long_filter\.hidden\.0\.", ".filter_fn.implicit_filter.0."),
    (r"\.long_filter\.hidden\.1\.", ".filter_fn.implicit_filter.2."),
    (r"\.long_filter\.hidden\.2\.", ".filter_fn.implicit_filter.4."),
    (r"\.long_filter\.last\.", ".filter_fn.implicit_filter.6."),
    (r"\.long_filter\.freq$", ".filter_fn.implicit_filter.1.freq"),
    (r"\.long_filter\.deltas$", ".filter_fn.modulation.deltas"),
    (r"\.long_filter\.", ".filter_fn."),
]
_HEAD = re.compile(r"^(model\.|hyena\.)?lm_head\.")  # predicts the next base; plays no part in embeddings


def load_hyenadna(
    weights: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None, keep_tables: bool = True
) -> HyenaDna:
    """Load a HyenaDNA from a file of weights.

    The sizes follow from the shapes of the tensors. A file is read as tensors and nothing else: an original checkpoint is
    a pickle, which is read with `weights_only`, so no code in it can run.

    Parameters
    ----------
    weights
        `model.safetensors` or an original `weights.ckpt`; the name's ending does not matter.
    config
        The `config.json` beside it. Needed only for weights without tables of positions, for the length of the context;
        where it is given, it must agree with the weights.
    keep_tables
        Whether tables of positions in the file are used as they are, which repeats the published code to the last bits, or
        computed anew (equal to 1e-5 in the vectors).

    Returns
    -------
    The network on the CPU, float32, in evaluation mode.

    Raises
    ------
    InputError
        The file is missing, broken, no HyenaDNA, lacks tensors or has strange ones, or disagrees with `config`.

    Examples
    --------
    >>> from dnaclip.encoders import load_hyenadna
    >>> load_hyenadna("nowhere.safetensors")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 'nowhere.safetensors' cannot be read as a HyenaDNA: there is no such file.
    """
    path = Path(weights)
    tensors = _renamed(path, _read(path))
    tables = _tables(path, tensors)
    settings = _config(path, tensors, tables, _context(config))
    network = HyenaDna(settings)
    for name, table in tables.items() if keep_tables else ():
        tensors[f"positions.{name}"] = table
    _check(path, tensors, network)
    network.load_state_dict(tensors, strict=False)
    return network.eval()


def save_hyenadna(network: HyenaDna, path: str | os.PathLike[str]) -> Path:
    """Save a HyenaDNA under the names of the published files for transformers, whole or not at all.

    Parameters
    ----------
    network
        The network.
    path
        File to write, safetensors.

    Returns
    -------
    The path.

    Examples
    --------
    >>> import tempfile
    >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig, load_hyenadna, save_hyenadna
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_hyenadna(
    ...         HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64)), f"{folder}/model.safetensors"
    ...     )
    ...     load_hyenadna(path).config.d_model
    8
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        value = tensor.detach().cpu()
        if name.startswith("positions."):
            for i in range(network.config.n_layer):
                stored[f"layers.{i}.mixer.filter_fn.pos_emb.{name[-1]}"] = value[None]
        else:
            stored[_published(name)] = value[None, None] if name.endswith(".deltas") else value
    content = {f"hyena.backbone.{name}": tensor.contiguous().clone() for name, tensor in stored.items()}
    return write_atomic(path, safetensors.torch.save(content, metadata={"format": "pt"}))


def _published(name: str) -> str:
    for own, theirs in _PUBLISHED:
        name = re.sub(own, theirs, name)
    return name


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        _refuse(path, "there is no such file.")
    with path.open("rb") as file:
        start = file.read(9)
    try:
        if start[8:] == b"{":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise nearly every kind for a broken file  # noqa: BLE001
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        _refuse(path, f"the file is broken, cut off or holds more than tensors ({first}). Download it again.")
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        _refuse(path, "it holds no 'state_dict' of tensors.")
    return content


def _renamed(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if _HEAD.match(key):
            continue
        name = key
        for pattern, new in _RENAMED:
            name = re.sub(pattern, new, name)
        found[name] = tensor.float()
    if "embedding.weight" not in found:
        _refuse(path, f"it has no 'backbone.embeddings.word_embeddings.weight' but {examples(tensors)}.")
    return _merged(path, found, r"\.freq\.\d$", ".freq")  # one tensor, stored up to three times


def _merged(path: Path, tensors: dict[str, Tensor], pattern: str, new: str) -> dict[str, Tensor]:
    merged: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name = re.sub(pattern, new, key)
        if merged.setdefault(name, tensor) is not tensor and not torch.equal(merged[name], tensor):
            _refuse(path, f"its copies of {name!r} differ, but they are one tensor in every HyenaDNA.")
    return merged


def _tables(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the tables of positions out of the layers: all layers have the same ones."""
    stored = {key: tensors.pop(key)[0] for key in list(tensors) if ".positions." in key and tensors[key].ndim == 3}
    for key in [key for key in tensors if key.endswith(".deltas")]:
        tensors[key] = tensors[key].flatten()
    return _merged(path, stored, r"^.*\.positions\.", "")


def _config(
    path: Path, tensors: Mapping[str, Tensor], tables: Mapping[str, Tensor], context: dict[str, int]
) -> HyenaDnaConfig:
    layers = {int(key.split(".")[1]) for key in tensors if re.match(r"layers\.\d+\.", key)}
    inner = next((tensors[key].shape[0] for key in tensors if key.endswith(".fc1.bias")), 0)
    found = {"d_model": tensors["embedding.weight"].shape[-1], "n_layer": len(layers), "d_inner": inner}
    if "t" in tables:
        found["l_max"] = len(tables["t"])
    elif "l_max" not in context:
        _refuse(
            path, "it has no tables of positions, so the length of the context is unknown. Give config='config.json'."
        )
    if wrong := {name: value for name, value in context.items() if found.get(name, value) != value}:
        _refuse(path, f"its weights have {found}, but its config says {wrong}: they belong to different models.")
    return HyenaDnaConfig(**(context | found))


def _context(config: str | os.PathLike[str] | None) -> dict[str, int]:
    """Sizes from a config.json, of the original or the transformers kind."""
    if config is None:
        return {}
    try:
        content: Any = json.loads(Path(config).read_text(encoding="utf-8"))
        sizes = {"d_model": content["d_model"], "n_layer": content["n_layer"], "d_inner": content["d_inner"]}
        return sizes | {"l_max": content["layer"]["l_max"] if "layer" in content else content["max_seq_len"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        _refuse(
            Path(config), f"as a config it must be JSON with d_model, n_layer, d_inner and the context ({error!r})."
        )


def _check(path: Path, tensors: Mapping[str, Tensor], network: HyenaDna) -> None:
    expected = network.state_dict()
    # What can be computed may be absent.
    computed = {key for key in expected if key.startswith("positions.") or key.endswith(".deltas")}
    if missing := sorted(expected.keys() - tensors.keys() - computed):
        _refuse(path, f"it lacks {len(missing)} tensors: {examples(missing)}.")
    if strange := sorted(tensors.keys() - expected.keys()):
        _refuse(path, f"it has {len(strange)} tensors that no HyenaDNA has: {examples(strange)}.")
    wrong = [key for key in tensors if tensors[key].shape != expected[key].shape]
    if wrong:
        shapes = [f"{key} {tuple(tensors[key].shape)} for {tuple(expected[key].shape)}" for key in wrong]
        _refuse(path, f"{len(wrong)} tensors have another shape: {examples(shapes)}.")
    if broken := [key for key in tensors if not tensors[key].isfinite().all()]:
        _refuse(path, f"{len(broken)} tensors hold NaN or infinite numbers: {examples(broken)}.")
    tables = [key for key in tensors if key.startswith("positions.")]
    if any((tensors[key] - expected[key]).abs().max() > 1e-3 for key in tables):
        _refuse(path, "its tables of positions are not those of HyenaDNA.")


def _refuse(path: Path, why: str) -> NoReturn:
    msg = f"{str(path)!r} cannot be read as a HyenaDNA: {why}"
    raise InputError(msg)
