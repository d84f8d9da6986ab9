"""A fitted predictor of perturbations as named arrays and a config, as they stand in a model folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip.models._perturbation.blend import Blend
from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.models._perturbation.means import Shifts
from dnaclip.models._perturbation.model import PerturbationModel, make_mean
from dnaclip.models._perturbation.training import Controls
from dnaclip.models._perturbation.vae import PerturbationVae
from dnaclip.models._perturbation.vae_method import VaeMethod
from dnaclip.models._state import with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import Tensor

__all__ = ["model_config", "model_from_state", "model_state"]


def model_config(model: PerturbationModel) -> dict[str, Any]:
    """Return what of a model is names and settings, as JSON can hold it."""
    return {
        "method": model.method,
        "options": {name: _plain(value) for name, value in model.options.items()},
        "genes": list(model.genes),
        "contexts": list(model.contexts),
        "conditions": [list(genes) for genes in model.shifts.conditions],
        "vectors": list(model.vectors),
        "network": None if model.vae is None else _network_config(model.vae),
        "history": model.history.to_dict("list"),
    }


def model_state(model: PerturbationModel) -> dict[str, np.ndarray | Tensor]:
    """Return what of a model is numbers. A mean method is kept as the shifts that it was fitted to."""
    shifts, controls = model.shifts, model.controls
    vectors = list(model.vectors.values())
    network: dict[str, np.ndarray | Tensor] = {}
    if model.vae is not None:
        network = with_prefix("network", model.vae.vae.state_dict())
        if model.vae.context_vectors is not None:
            network["context_vectors"] = model.vae.context_vectors
    if model.blend is not None:
        network |= with_prefix("blend", asdict(model.blend))
    return {
        **network,
        "shifts.deltas": shifts.deltas,
        "shifts.counts": shifts.counts,
        "shifts.contexts": shifts.contexts,
        "controls.means": controls.means,
        "controls.counts": controls.counts,
        "controls.context": controls.context,
        "controls.x.data": controls.x.data,
        "controls.x.indices": controls.x.indices,
        "controls.x.indptr": controls.x.indptr,
        "vectors": np.stack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32),
    }


def model_from_state(config: Mapping[str, Any], state: Mapping[str, Tensor], device: torch.device) -> PerturbationModel:
    """Build the model that :func:`model_config` and :func:`model_state` took apart."""
    arrays = {name: value.numpy() for name, value in state.items() if not name.startswith("network.")}
    conditions = tuple(tuple(genes) for genes in config["conditions"])
    shifts = Shifts(arrays["shifts.deltas"], conditions, arrays["shifts.counts"], arrays["shifts.contexts"])
    parts = tuple(arrays[f"controls.x.{part}"] for part in ("data", "indices", "indptr"))
    x = sparse.csr_array(parts, shape=(len(parts[2]) - 1, len(config["genes"])))
    model = PerturbationModel(
        method=config["method"],
        options=dict(config["options"]),
        genes=tuple(config["genes"]),
        contexts=tuple(config["contexts"]),
        shifts=shifts,
        controls=Controls(arrays["controls.means"], arrays["controls.counts"], x, arrays["controls.context"]),
        vectors=dict(zip(config["vectors"], arrays["vectors"], strict=True)),
        history=pd.DataFrame(config["history"]),
    )
    model.mean = make_mean(model.method, model.options, shifts, model.vectors)
    if "blend.weights" in arrays:
        model.blend = Blend(**without_prefix("blend", arrays))
    if config["network"] is not None:
        vae = _network(config["network"], without_prefix("network", state)).to(device)
        place = {gene: i for i, gene in enumerate(model.genes)}
        model.vae = VaeMethod(vae, model.controls, arrays.get("context_vectors"), place)
    return model


def _network_config(method: VaeMethod) -> dict[str, Any]:
    vae = method.vae
    return {
        "settings": asdict(vae.config),
        "context_dim": None if method.context_vectors is None else method.context_vectors.shape[1],
        "target_head": vae.target_head is not None,
    }


def _network(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> PerturbationVae:
    vae = PerturbationVae(
        PerturbationVaeConfig(**config["settings"]),
        basis=state["basis"].numpy(),
        control_means=state["control_means"].numpy(),
        context_dim=config["context_dim"],
        target_head=config["target_head"],
    )
    vae.load_state_dict(state)
    return vae.eval()


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, (np.ndarray, np.generic, tuple)) else value
