"""The networks that the perturbation VAE is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from dnaclip.models._perturbation.cell_batch import CellBatch, centred_times

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CellEncoder", "StatisticsNetwork", "network"]

# The bound of the mutual information takes the exponential of the statistics: e^50 is still a float32.
LARGEST_STATISTIC = 50.0


def network(*widths: int, last: bool = True) -> nn.Sequential:
    """Linear layers with a leaky ReLU after each, but not after the last one unless `last` is False."""
    layers: list[nn.Module] = []
    for width, next_width in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(width, next_width), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*(layers[:-1] if last else layers))


class CellEncoder(nn.Module):
    """Mean and log-variance of the basal state of cells.

    Parameters
    ----------
    n_genes, hidden, latent
        Widths.
    """

    def __init__(self, n_genes: int, hidden: int, latent: int) -> None:
        super().__init__()
        first = nn.Linear(n_genes, hidden)
        # Genes in rows, unlike in nn.Linear: a sparse product adds up whole rows.
        self.weight = nn.Parameter(first.weight.detach().T.contiguous())
        self.bias = nn.Parameter(first.bias.detach())
        self.rest = nn.Sequential(nn.LeakyReLU(0.2, inplace=True), network(hidden, hidden, last=False))
        self.head = nn.Linear(hidden, 2 * latent)

    def forward(self, cells: CellBatch, centres: Tensor, of_centre: Tensor) -> tuple[Tensor, Tensor]:
        """Encode cells, each minus one of the centres (m, n_genes), where `of_centre` (n, m) holds a 1."""
        values = centred_times(cells, self.weight, centres, of_centre) + self.bias
        mean, log_variance = self.head(self.rest(values)).chunk(2, dim=1)
        return mean, log_variance


class StatisticsNetwork(nn.Module):
    """The network T of the mutual-information bound: one number for a basal state and a perturbation.

    Parameters
    ----------
    latent, hidden
        Widths.
    """

    def __init__(self, latent: int, hidden: int) -> None:
        super().__init__()
        self.of_state = nn.Linear(latent, hidden)
        self.of_rest = nn.Linear(latent, hidden, bias=False)
        self.last = nn.Sequential(nn.LeakyReLU(0.2), network(hidden, hidden, 1))

    def forward(self, state: Tensor, others: Iterable[Tensor]) -> list[Tensor]:
        """Return T of the states (n, latent) with each of several partners (n, latent)."""
        part = self.of_state(state)
        return [
            self.last(part + self.of_rest(other))[:, 0].clamp(-LARGEST_STATISTIC, LARGEST_STATISTIC) for other in others
        ]
