"""The expression network: from the vector of a gene to its expression in every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaclip.models._expression.losses import NONNEGATIVE, expression_loss
from dnaclip.models._seed import seeded

if TYPE_CHECKING:
    import numpy as np

    from dnaclip.models._expression.config import ExpressionNetConfig

__all__ = ["Experts", "ExpressionNet"]

N_EXPERTS, N_ACTIVE = 8, 2


class Experts(nn.Module):
    """A layer of eight small ones, of which a gate chooses two for each gene.

    Parameters
    ----------
    width
        Length of the vectors that come in and go out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, N_EXPERTS)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(N_EXPERTS))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the two chosen experts, weighed by the gate, (n, width)."""
        best, chosen = self.gate(x).topk(N_ACTIVE, dim=1)
        weight = best.softmax(dim=1)
        result = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, place = (chosen == number).nonzero(as_tuple=True)
            result = result.index_add(0, rows, weight[rows, place, None] * functional.relu(expert(x[rows])))
        return result


class ExpressionNet(nn.Module):
    """Two hidden layers from gene vectors to expression, as in UNICORN :cite:p:`LiuUnicorn2025`, with its variants.

    Inputs are standardised inside; the output layer starts at the mean expression of training. Losses of counts make all
    predictions positive.

    Parameters
    ----------
    config
        Settings.
    mean, scale
        Mean and standard deviation of the training vectors, (d,).
    centre
        Mean expression of the training genes in each group, (n_groups,).
    seed
        Seed of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from dnaclip.models import ExpressionNet, ExpressionNetConfig
    >>> net = ExpressionNet(ExpressionNetConfig(hidden=8), np.zeros(4), np.ones(4), np.array([1.0, 2.0]))
    >>> net.eval()(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    mean: Tensor
    scale: Tensor
    centre: Tensor

    def __init__(
        self, config: ExpressionNetConfig, mean: np.ndarray, scale: np.ndarray, centre: np.ndarray, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.config = config
        for name, values in (("mean", mean), ("scale", scale), ("centre", centre)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        hidden, n_groups = config.hidden, len(centre)
        with seeded(seed):
            second = (
                Experts(hidden) if config.variant == "experts" else nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
            )
            self.body = nn.Sequential(
                nn.Dropout(config.input_dropout),
                nn.Linear(len(mean), hidden),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                second,
                nn.Dropout(config.dropout),
                nn.Linear(hidden, n_groups),
            )
            self.doubt = None
            if config.variant == "loss_prediction":
                self.doubt = nn.Sequential(nn.Linear(len(mean), hidden), nn.ReLU(), nn.Linear(hidden, n_groups))

    @property
    def nonnegative(self) -> bool:
        """Whether the loss is one of counts."""
        return self.config.loss in NONNEGATIVE

    def forward(self, vectors: Tensor) -> Tensor:
        """Return expression, (n, n_groups)."""
        out = self.body((vectors - self.mean) / self.scale)
        if not self.nonnegative:
            return out + self.centre
        # The inverse of softplus, so that an output of zero is the mean.
        return functional.softplus(out + torch.log(torch.expm1(self.centre.clamp(min=1e-3))))

    def predicted_error(self, vectors: Tensor) -> Tensor:
        """Return the squared error that the head of `"loss_prediction"` expects, (n, n_groups)."""
        if self.doubt is None:
            msg = f"The variant {self.config.variant!r} does not predict errors."
            raise ValueError(msg)
        return functional.softplus(self.doubt((vectors - self.mean) / self.scale))

    def loss(self, vectors: Tensor, observed: Tensor) -> Tensor:
        """Return the loss of a batch; the head of `"loss_prediction"` learns beside it and changes no prediction."""
        predicted = self(vectors)
        loss = expression_loss(predicted, observed, self.config.loss, pearson_weight=self.config.pearson_weight)
        if self.doubt is None:
            return loss
        error = (predicted.detach() - observed) ** 2
        return loss + functional.mse_loss(self.predicted_error(vectors).sqrt(), error.sqrt())

    @torch.no_grad()
    def predict(self, vectors: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Return expression, float32 (n, n_groups), and for some variants the standard deviation of its error.

        `"ensemble"` gives the mean and standard deviation of its passes, whose dropout follows from `seed`.
        """
        self.eval()
        x = torch.tensor(vectors, dtype=torch.float32, device=self.centre.device)
        if self.config.variant == "ensemble":
            return self._passes(x, seed)
        expected = self(x).cpu().numpy()
        return expected, None if self.doubt is None else self.predicted_error(x).sqrt().cpu().numpy()

    def _passes(self, x: Tensor, seed: int) -> tuple[np.ndarray, np.ndarray]:
        self.train()
        with seeded(seed, x.device):
            # Each pass drops the same units for all genes, so that what is predicted does not hang on the other genes.
            passes = torch.stack([self._thinned(x) for _ in range(self.config.n_passes)])
        self.eval()
        return passes.mean(0).cpu().numpy(), passes.std(0).cpu().numpy()

    def _thinned(self, x: Tensor) -> Tensor:
        """Predict with one draw of dropout, shared by all genes."""
        out = (x - self.mean) / self.scale
        for layer in self.body:
            if isinstance(layer, nn.Dropout):
                out = out * layer(torch.ones(1, out.shape[1], device=out.device))
            else:
                out = layer(out)
        if not self.nonnegative:
            return out + self.centre
        return functional.softplus(out + torch.log(torch.expm1(self.centre.clamp(min=1e-3))))
