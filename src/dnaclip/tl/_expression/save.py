"""An expression predictor as a model folder, which needs no other file to predict."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip.tl._expression.vectors import GeneVectors
from dnaclip.tl._perturbation.vectors import VectorSource

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from torch import Tensor

    from dnaclip.models._expression.model import ExpressionModel
    from dnaclip.tl._expression.predictor import ExpressionPredictor

    Predictor = TypeVar("Predictor", bound=ExpressionPredictor)

__all__ = ["load_predictor", "save_predictor"]

KIND = "expression-predictor"
SETTINGS = ("use_rep", "groupby", "layer", "method", "donor_key", "rng")
CARD = """# Expression predictor

Predicts the expression of genes in {n_groups} groups with the method `{method}`, fitted to {n_genes} genes.

```python
import dnaclip

predictor = dnaclip.tl.ExpressionPredictor.load("{folder}")
predictor.predict({example!r})
```

The folder holds gene vectors and the names of the training genes.
"""


def save_predictor(predictor: ExpressionPredictor, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted predictor, whole or not at all."""
    from dnaclip.models import save_folder
    from dnaclip.models._state import with_prefix

    model, vectors = predictor._fitted, predictor.vectors_
    obs = predictor.obs_
    config = {
        "kind": KIND,
        "settings": {name: getattr(predictor, name) for name in SETTINGS},
        "train": predictor.train_ if isinstance(predictor.train_, str) else None,
        "options": {name: _plain(value) for name, value in predictor.options.items()},
        "groups": list(map(str, obs.index)),
        "obs": {str(name): [_plain(value) for value in obs[name]] for name in obs},
        "train_genes": list(predictor.train_genes_),
        "vectors": [
            {"key": key, "names": list(source.names), "table": dict(source.table), "flag": flag}
            for key, source, flag in zip(vectors.keys, vectors.sources, vectors.flags, strict=True)
        ],
        "network": None if model.net is None else asdict(model.net.config),
        "residual": model.residual,
        "judged": model.judged.to_dict("list"),
        "history": model.history.to_dict("list"),
    }
    tensors: dict[str, Any] = {f"vectors.{i}": source.values for i, source in enumerate(vectors.sources)}
    tensors |= {"mean": model.mean, "group_means": predictor.group_means_, "weights": model.weights}
    if model.ridge is not None:
        tensors |= with_prefix("ridge", model.ridge.state())
    if model.net is not None:
        tensors |= with_prefix("network", model.net.state_dict())
    if model.intervals is not None:
        tensors |= with_prefix("intervals", asdict(model.intervals))
    card = CARD.format(
        n_groups=len(obs),
        method=model.method,
        n_genes=len(predictor.train_genes_),
        folder=str(folder),
        example=predictor.train_genes_[0],
    )
    return save_folder(folder, tensors, config, card)


def load_predictor(cls: type[Predictor], folder: str | os.PathLike[str]) -> Predictor:
    """Read a predictor; it has no genes, so it cannot be fitted again."""
    from dnaclip.models import load_folder

    config, tensors = load_folder(folder)
    if config.get("kind") != KIND:
        msg = f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, not {KIND!r}."
        raise InputError(msg)
    predictor = cls.__new__(cls)
    predictor.adata, predictor.train_, predictor.device = None, config["train"], "cpu"
    for name in SETTINGS:
        setattr(predictor, name, config["settings"][name])
    predictor.options = config["options"]
    stored = config["vectors"]
    sources = tuple(
        VectorSource(tuple(one["names"]), tensors[f"vectors.{i}"].numpy(), one["table"]) for i, one in enumerate(stored)
    )
    vectors = GeneVectors(tuple(one["key"] for one in stored), sources, tuple(one["flag"] for one in stored))
    obs = pd.DataFrame(config["obs"], index=pd.Index(config["groups"], dtype=str))
    predictor._set(_model(config, tensors), vectors, obs, tuple(config["train_genes"]), tensors["group_means"].numpy())
    return predictor


def _model(config: dict[str, Any], tensors: dict[str, Tensor]) -> ExpressionModel:
    from dnaclip.models._expression.config import ExpressionNetConfig
    from dnaclip.models._expression.intervals import Intervals
    from dnaclip.models._expression.kernel_ridge import GeneRidge
    from dnaclip.models._expression.model import ExpressionModel
    from dnaclip.models._expression.net import ExpressionNet
    from dnaclip.models._state import without_prefix

    arrays = {name: value.numpy() for name, value in tensors.items() if not name.startswith("network.")}
    model = ExpressionModel(config["settings"]["method"], arrays["mean"], seed=config["settings"]["rng"])
    model.weights, model.residual = arrays["weights"], config["residual"]
    model.judged, model.history = pd.DataFrame(config["judged"]), pd.DataFrame(config["history"])
    if "ridge.linear" in arrays:
        model.ridge = GeneRidge.from_state(without_prefix("ridge", arrays))
    if "intervals.scores" in arrays:
        model.intervals = Intervals(**without_prefix("intervals", arrays))
    if config["network"] is not None:
        state = without_prefix("network", tensors)
        parts = (state[name].numpy() for name in ("mean", "scale", "centre"))
        model.net = ExpressionNet(ExpressionNetConfig(**config["network"]), *parts)
        model.net.load_state_dict(state)
        model.net.eval()
    return model


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic, tuple)):
        return np.asarray(value).tolist()
    return None if value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value
