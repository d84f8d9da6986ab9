"""The projector of one modality: from an encoder's features into the shared space."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from dnaclip._errors import InputError
from dnaclip.models._seed import seeded

__all__ = ["Projector", "ProjectorConfig"]


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig:
    """Shape of a :class:`Projector`.

    Parameters
    ----------
    in_dim
        Number of features.
    out_dim
        Dimension of the shared space.
    hidden
        Width of each hidden layer; empty for a linear projector.
    dropout
        Share of units switched off after each hidden layer while training, and of input features without a hidden layer.
    input_norm
        Whether to centre and scale every input row (layer normalisation with learned weights).
    residual
        Whether to add a linear map of the input to what the hidden layers give.

    Raises
    ------
    InputError
        A dimension below 1, a dropout outside [0, 1), or `residual` without a hidden layer.

    Examples
    --------
    >>> from dnaclip.models import ProjectorConfig
    >>> ProjectorConfig(in_dim=384, hidden=(512,), dropout=0.1).out_dim
    128
    """

    in_dim: int
    out_dim: int = 128
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    input_norm: bool = False
    residual: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list when it comes from JSON
        for name, value in (("in_dim", self.in_dim), ("out_dim", self.out_dim), *(("hidden", h) for h in self.hidden)):
            if not isinstance(value, int) or value < 1:
                msg = f"ProjectorConfig: {name} must be a whole number of at least 1, got {value!r}."
                raise InputError(msg)
        if not 0 <= self.dropout < 1:
            msg = f"ProjectorConfig: dropout must be at least 0 and below 1, got {self.dropout!r}."
            raise InputError(msg)
        if self.residual and not self.hidden:
            msg = "ProjectorConfig: residual=True adds a linear map to hidden layers, but hidden is empty. Drop one of the two."
            raise InputError(msg)


class Projector(nn.Module):
    """Linear map or small multilayer perceptron with rows of length 1 as output.

    Hidden layers are linear, layer normalisation, GELU, dropout.

    Parameters
    ----------
    config
        The shape.
    seed
        Seed of the initial weights; torch's global random state stays as it is.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import Projector, ProjectorConfig
    >>> projector = Projector(ProjectorConfig(in_dim=16, out_dim=8, hidden=(32,)), seed=0)
    >>> embeddings = projector(torch.ones(3, 16))
    >>> embeddings.shape, round(embeddings[0].norm().item(), 6)
    (torch.Size([3, 8]), 1.0)
    """

    def __init__(self, config: ProjectorConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        widths = (config.in_dim, *config.hidden)
        with seeded(seed):
            layers: list[nn.Module] = []
            if not config.hidden and config.dropout:
                layers.append(nn.Dropout(config.dropout))
            for width, next_width in zip(widths, config.hidden, strict=False):
                layers += [
                    nn.Linear(width, next_width),
                    nn.LayerNorm(next_width),
                    nn.GELU(),
                    nn.Dropout(config.dropout),
                ]
            self.norm = nn.LayerNorm(config.in_dim) if config.input_norm else nn.Identity()
            self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], config.out_dim))
            self.skip = nn.Linear(config.in_dim, config.out_dim, bias=False) if config.residual else None

    def forward(self, features: Tensor) -> Tensor:
        """Project features, (n, in_dim), to rows of length 1, (n, out_dim)."""
        features = self.norm(features)
        out = self.layers(features)
        if self.skip is not None:
            out = out + self.skip(features)
        return F.normalize(out, dim=1)
