"""A perturbation predictor as a model folder, which needs no other file to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dnaclip._device import resolve_device
from dnaclip._errors import InputError
from dnaclip.tl._perturbation.vectors import VectorSource

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from dnaclip.tl._perturbation.predictor import PerturbationPredictor

    Predictor = TypeVar("Predictor", bound=PerturbationPredictor)

__all__ = ["load_predictor", "save_predictor"]

KIND = "perturbation-predictor"
SETTINGS = ("use_rep", "perturbation_key", "control", "context_key", "layer", "method", "missing", "rng")
CARD = """# Perturbation predictor

Predicts the expression of cells under perturbations with the method `{method}`, fitted to {n_conditions} perturbations in
{n_contexts} contexts, {n_genes} genes.

```python
import dnaclip

predictor = dnaclip.tl.PerturbationPredictor.load("{folder}")
predictor.predict({example!r})
```

The folder holds mean expression of the training conditions and single control cells: share it as you would share the data.
"""


def save_predictor(predictor: PerturbationPredictor, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted predictor, whole or not at all."""
    from dnaclip.models import save_folder
    from dnaclip.models._perturbation.state import model_config, model_state
    from dnaclip.models._state import with_prefix

    model, source = predictor._fitted, predictor.source_
    config = {
        "kind": KIND,
        "settings": {name: getattr(predictor, name) for name in SETTINGS},
        "model": model_config(model),
        "vectors": {"names": list(source.names), "table": dict(source.table)},
    }
    tensors = {**with_prefix("model", model_state(model)), "vectors": source.values}
    card = CARD.format(
        method=model.method,
        n_conditions=len(set(model.shifts.conditions)),
        n_contexts=len(model.contexts),
        n_genes=len(model.genes),
        folder=str(folder),
        example="+".join(model.shifts.conditions[0]),
    )
    return save_folder(folder, tensors, config, card)


def load_predictor(cls: type[Predictor], folder: str | os.PathLike[str], *, device: str = "auto") -> Predictor:
    """Read a predictor; it has no cells, so it cannot be fitted again."""
    from dnaclip.models import load_folder
    from dnaclip.models._perturbation.state import model_from_state
    from dnaclip.models._state import without_prefix

    config, tensors = load_folder(folder)
    if config.get("kind") != KIND:
        msg = f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, not {KIND!r}."
        raise InputError(msg)
    predictor = cls.__new__(cls)
    predictor.adata, predictor.vectors, predictor.train_, predictor.device = None, None, None, device
    for name in SETTINGS:
        setattr(predictor, name, config["settings"][name])
    predictor.options = config["model"]["options"]
    values, table = tensors["vectors"].numpy(), config["vectors"]["table"]
    predictor.source_ = VectorSource(tuple(config["vectors"]["names"]), values, table)
    predictor.model_ = model_from_state(config["model"], without_prefix("model", tensors), resolve_device(device))
    return predictor
