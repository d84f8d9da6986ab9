"""Load a model and its tokenizer: only weights as safetensors, no code of others unless it is named, nothing half loaded."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from dnaclip._errors import DownloadError, InputError, examples
from dnaclip._optional import require

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADS", "Loaded", "load", "take"]

logger = logging.getLogger(__name__)

_COMMIT = re.compile("[0-9a-f]{40}")
# What sits on top of a model and plays no part in its hidden states.
HEADS = re.compile(r"(^|\.)(pooler|contact_head|lm_head|cls|classifier|decoder_head)\.")
# Read in place of the base model where the code of a model offers that alone.
_CLASSES = ("AutoModel", "AutoModelForMaskedLM")


class Loaded(NamedTuple):
    """A model as it came from its files."""

    tokenizer: Any
    model: Any
    """CPU, float32, in evaluation mode."""
    settings: dict[str, Any]
    """The content of its config.json."""
    has_head: bool
    """Whether its output is the head's, so that its hidden states must be asked for."""


def load(name: str, *, revision: str | None, trust_remote_code: str | None, extra: str) -> Loaded:
    """Load a model and its tokenizer.

    Raises
    ------
    InputError
        The model brings code of its own that was not named as trusted, its weights are pickled, do not fit it, or it cannot be
        read.
    DownloadError
        It is neither a folder nor to be had from the hub.
    MissingDependencyError
        transformers is not installed.
    """
    transformers = require("transformers", extra=extra, purpose=f"The encoder {name!r}")
    from safetensors import SafetensorError

    from dnaclip.datasets._settings import offline

    where = {"revision": revision, "local_files_only": offline() or Path(name).is_dir()}
    settings = _settings(transformers, name, where)
    trusted = _check_code(name, settings, revision, trust_remote_code)
    architecture = _architecture(settings) if trusted else "AutoModel"
    # Weights are drawn at random before they are read: not from the generator of the caller.
    with torch.random.fork_rng(devices=[]), _quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=trusted, **where)
            model, report = getattr(transformers, architecture).from_pretrained(
                name,
                trust_remote_code=trusted,
                use_safetensors=None if trusted else True,
                dtype=torch.float32,
                output_loading_info=True,
                **where,
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            msg = (
                f"transformers {transformers.__version__} cannot read the model {name!r}: {first} "
                "Models are read with weights as model.safetensors alone, not with pickled ones."
            )
            raise InputError(msg) from error
    _check_weights(name, report)
    return Loaded(tokenizer, model.float().eval(), settings, has_head=architecture != _CLASSES[0])


def take(model: Any, tokenizer: Any) -> Loaded:
    """Take a model that was loaded elsewhere.

    Raises
    ------
    InputError
        It has no config, or there is no tokenizer.
    """
    if tokenizer is None or not hasattr(getattr(model, "config", None), "to_dict"):
        msg = (
            f"A loaded model must be one of transformers, with a config, and come with its tokenizer: got "
            f"{type(model).__name__} and tokenizer={type(tokenizer).__name__}."
        )
        raise InputError(msg)
    # Of a model with a head on top, what stands below the head is its base model.
    return Loaded(tokenizer, model.float().eval(), model.config.to_dict(), model.base_model is not model)


def _settings(transformers: Any, name: str, where: dict[str, Any]) -> dict[str, Any]:
    try:
        settings, _ = transformers.PretrainedConfig.get_config_dict(name, **where)
    except (OSError, ValueError) as error:
        place = "the folder has no config.json" if Path(name).is_dir() else "it is no folder, and the hub gave none"
        msg = (
            f"There is no model {name!r}: {place} ({type(error).__name__}). Give a folder, 'owner/model' of a model on the "
            "Hugging Face hub, or a name of dnaclip.encoders.list()."
        )
        raise DownloadError(msg) from error
    if not settings:
        msg = f"There is no model {name!r}: no config.json that holds anything."
        raise DownloadError(msg)
    return settings


def _check_code(name: str, settings: dict[str, Any], revision: str | None, trust: str | None) -> bool:
    """Say whether code of the model may run; raise where it has some and nobody said so, by name and version."""
    local = Path(name).is_dir()
    if trust is not None and trust != name:
        msg = (
            f"trust_remote_code={trust!r} is not the model that is loaded, {name!r}: repeat its name to trust its code."
        )
        raise InputError(msg)
    if not settings.get("auto_map"):
        return False
    if trust is None:
        pinned = "" if local else ", revision='<the 40 letters of the commit you have read>'"
        msg = (
            f"The model {name!r} brings Python code of its own ({examples(settings['auto_map'].values())}), which would run "
            f"on this machine with all your rights. dnaclip does not run it unless you say so, by name: "
            f"trust_remote_code={name!r}{pinned}. Or load the model yourself, and pass it: HuggingFaceEncoder(model, "
            "tokenizer=tokenizer)."
        )
        raise InputError(msg)
    if not local and not _COMMIT.fullmatch(revision or ""):
        msg = (
            f"To run the code of {name!r}, pin what you have read: revision= must be a whole commit (40 letters 0-9, a-f), "
            f"got {revision!r}. A branch or tag can change overnight."
        )
        raise InputError(msg)
    logger.warning("Running the code of the model %s, revision %s, as asked.", name, revision or "local")
    return True


def _architecture(settings: dict[str, Any]) -> str:
    offered = settings.get("auto_map", {})
    found = next((architecture for architecture in _CLASSES if architecture in offered), None)
    return found or _CLASSES[0]


def _check_weights(name: str, report: dict[str, Any]) -> None:
    missing = sorted(key for key in report.get("missing_keys", ()) if not HEADS.search(key))
    mismatched = sorted(str(key[0] if isinstance(key, (tuple, list)) else key) for key in report["mismatched_keys"])
    if missing or mismatched:
        msg = (
            f"The weights of {name!r} do not fit its architecture: {len(missing)} tensors are missing, {len(mismatched)} have "
            f"another shape ({examples(missing + mismatched)}). With them at random, vectors would mean nothing."
        )
        raise InputError(msg)


@contextmanager
def _quiet() -> Iterator[None]:
    """Reading weights takes no bar, and what is missing we say ourselves; the library's own settings are put back."""
    from transformers.utils import logging as library

    shown, level = library.is_progress_bar_enabled(), library.get_verbosity()
    library.disable_progress_bar()
    library.set_verbosity_error()
    try:
        yield
    finally:
        library.set_verbosity(level)
        if shown:
            library.enable_progress_bar()
