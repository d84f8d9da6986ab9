"""A viability regressor as a model folder, which needs no other file to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from dnaclip.tl._viability.regressor import ViabilityRegressor

    Regressor = TypeVar("Regressor", bound=ViabilityRegressor)

__all__ = ["load_regressor", "save_regressor"]

KIND = "viability-regressor"
CARD = """# Viability regressor

Predicts the viability of cell lines after a perturbation with the method `{method}`, fitted to {n_lines} lines and {n_genes}
genes.

```python
import dnaclip

regressor = dnaclip.tl.ViabilityRegressor.load("{folder}")
regressor.predict(adata)
```

The folder holds names and mean effects of the training lines and genes: share it as you would share the data.
"""


def save_regressor(regressor: ViabilityRegressor, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted regressor, whole or not at all."""
    from dnaclip.models import save_folder

    model = regressor.model_
    settings = regressor.get_params()
    # A generator cannot be stored; it has been used up to a seed that is of no more use.
    settings["rng"] = settings["rng"] if isinstance(settings["rng"], (int, np.integer)) else None
    settings["use_rep"] = settings["use_rep"] if isinstance(settings["use_rep"], str) else list(settings["use_rep"])
    state, arrays = model.method.state()
    config = {
        "kind": KIND,
        "settings": {
            name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()
        },
        "lines": [str(name) for name in model.lines],
        "genes": [str(name) for name in model.genes],
        "blocks": list(model.blocks),
        "n_profile": model.n_profile,
        "one_gene": regressor.one_gene_,
        "method": state,
    }
    tensors = {**arrays, "vectors": model.vectors, "half_widths": model.half_widths}
    card = CARD.format(method=regressor.method, n_lines=len(model.lines), n_genes=len(model.genes), folder=str(folder))
    return save_folder(folder, tensors, config, card)


def load_regressor(cls: type[Regressor], folder: str | os.PathLike[str]) -> Regressor:
    """Read a regressor."""
    from dnaclip.models import load_folder
    from dnaclip.models._viability.methods import METHODS
    from dnaclip.tl._viability.model import ViabilityModel

    config, tensors = load_folder(folder)
    if config.get("kind") != KIND:
        msg = f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, not {KIND!r}."
        raise InputError(msg)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    regressor = cls(**config["settings"])
    method = METHODS[regressor.method]()
    method.restore(config["method"], arrays)
    regressor.n_features_in_ = config["n_profile"]
    regressor.one_gene_ = config["one_gene"]
    regressor.model_ = ViabilityModel(
        method,
        pd.Index(config["lines"]),
        pd.Index(config["genes"]),
        tuple(config["blocks"]),
        config["n_profile"],
        arrays["vectors"],
        arrays["half_widths"],
    )
    return regressor
