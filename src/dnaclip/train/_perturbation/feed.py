"""Batches of cells under perturbation, in a seeded order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from dnaclip._matrix import blocks
from dnaclip.models._perturbation.batch import PerturbationBatch
from dnaclip.models._perturbation.cell_batch import CellBatch
from dnaclip.models._perturbation.loss import adversarial_vectors
from dnaclip.models._seed import mix_seed
from dnaclip.train._processes import ALONE, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dnaclip.models._perturbation.cells import PerturbationCells

__all__ = ["CellFeed", "TargetGenes", "in_memory"]


def in_memory(x: Any) -> Any:
    """Return expression from which rows can be drawn: arrays and CSR as they are, all else read into CSR, float32."""
    if isinstance(x, np.ndarray) or (sparse.issparse(x) and x.format == "csr"):
        return x
    parts = [sparse.csr_array(block, dtype=np.float32) for *_, block in blocks(x)]
    stack = sparse.hstack if getattr(x, "format", None) == "csc" else sparse.vstack
    return stack(parts, format="csr")


class TargetGenes:
    """The measured genes that conditions target, for the target-gene head.

    Parameters
    ----------
    cells
        Conditions and names of the measured genes.
    gene_vectors
        Gene to its vector; targeted genes without one are left out.
    """

    def __init__(self, cells: PerturbationCells, gene_vectors: Mapping[str, np.ndarray]) -> None:
        position = {gene: i for i, gene in enumerate(cells.genes)}
        targeted = sorted(
            {gene for genes in cells.conditions for gene in genes} & position.keys() & gene_vectors.keys()
        )
        row = {gene: i for i, gene in enumerate(targeted)}
        self.genes = np.array([position[gene] for gene in targeted], dtype=np.int64)
        self.vectors = np.array([gene_vectors[gene] for gene in targeted], dtype=np.float32)
        widest = max((len(genes) for genes in cells.conditions), default=0)
        self.of_condition = np.full((len(cells.conditions), widest), -1, dtype=np.int64)
        for i, genes in enumerate(cells.conditions):
            for j, gene in enumerate(genes):
                self.of_condition[i, j] = row.get(gene, -1)


class CellFeed:
    """Training cells, each with an index of its condition and context, and batches of them.

    Parameters
    ----------
    x
        Expression of all cells: CSR or array (n_cells, n_genes).
    rows
        Cells to train on.
    condition, context
        Condition and context of every cell.
    coordinates
        Coordinates of the vector of each condition (n_conditions, r), on the training device.
    n_contexts, latent
        Widths of what batches hold.
    epsilon
        Size of the adversarial step in each coordinate, relative to the length of the vector.
    context_vectors
        (n_contexts, e), on the training device, or `None`.
    targets
        Targeted genes, their coordinates (t, r), and the control mean of each context (n_contexts, n_genes); or `None`.
    processes
        Who shares the batches: each process draws the same ones and takes its part of the cells.
    """

    def __init__(
        self,
        x: Any,
        rows: np.ndarray,
        condition: np.ndarray,
        context: np.ndarray,
        coordinates: Tensor,
        *,
        n_contexts: int,
        latent: int,
        epsilon: float = 0.0,
        context_vectors: Tensor | None = None,
        targets: tuple[TargetGenes, Tensor, np.ndarray] | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.x, self.rows, self.coordinates, self.processes = x, rows, coordinates, processes
        self.condition, self.context = condition, context
        self.n_contexts, self.latent, self.context_vectors, self.targets = n_contexts, latent, context_vectors, targets
        self.device, self.epsilon = coordinates.device, epsilon
        self._on_device = _move(x, self.device)
        self._ascent = torch.zeros_like(coordinates)

    def __len__(self) -> int:
        return len(self.rows)

    def steps(self, batch_size: int) -> int:
        """Number of batches in an epoch: of nearly equal size, as near to `batch_size` as can be."""
        return max(1, round(len(self) / batch_size))

    def epoch(self, *, seed: int, epoch: int, batch_size: int) -> Iterator[PerturbationBatch]:
        """Yield batches of nearly equal size that hold each cell once, the same for the same `seed` and `epoch`."""
        self._ascent.zero_()  # so that an epoch depends on nothing that a checkpoint does not hold
        order = np.random.default_rng([seed, epoch]).permutation(self.rows)
        noise = torch.Generator(self.device).manual_seed(mix_seed(seed, epoch, 1))
        for rows in np.array_split(order, self.steps(batch_size)):
            yield self._take(np.sort(rows), noise)

    def learn_directions(self, batch: PerturbationBatch) -> None:
        """Keep the gradient of the vectors of a batch after its backward pass, for their next adversarial step."""
        if batch.moved.grad is not None:
            self._ascent[batch.conditions] = self.processes.mean(batch.moved.grad)

    def _take(self, rows: np.ndarray, generator: torch.Generator) -> PerturbationBatch:
        # What is random is drawn for the whole batch, so that it does not depend on the number of processes.
        n, own = len(rows), self.processes.share(len(rows))
        conditions, position = np.unique(self.condition[rows], return_inverse=True)
        drawn = torch.randint(n, (n,), generator=generator, device=self.device)[own]
        noise = torch.randn(n, self.latent, generator=generator, device=self.device)[own]
        which = torch.as_tensor(conditions, device=self.device).long()
        vectors = self.coordinates[which]
        mine, place = rows[own], torch.as_tensor(position, device=self.device).long()
        x = self.x[mine] if self._on_device is None else self._on_device[torch.as_tensor(mine, device=self.device)]
        return PerturbationBatch(
            cells=CellBatch(x, self.device),
            vectors=vectors,
            moved=adversarial_vectors(vectors, self._ascent[which], self.epsilon).requires_grad_(),
            conditions=which,
            of_condition=F.one_hot(place[own], len(conditions)).float(),
            of_context=F.one_hot(
                torch.as_tensor(self.context[mine], device=self.device).long(), self.n_contexts
            ).float(),
            drawn=F.one_hot(place[drawn], len(conditions)).float(),
            noise=noise,
            n_cells=n,
            context_vectors=self.context_vectors,
            gather=self.processes.gather,
            **self._targets(rows, mine),
        )

    def _targets(self, rows: np.ndarray, mine: np.ndarray) -> dict[str, Any]:
        if self.targets is None:
            return {}
        genes, coordinates, control_means = self.targets
        which = genes.of_condition[self.condition[mine]]
        cell, slot = np.nonzero(which >= 0)
        row = which[cell, slot]
        column = genes.genes[row]
        value = np.asarray(self.x[mine[cell], column]).ravel() - control_means[self.context[mine[cell]], column]
        return {
            "target_cell": torch.as_tensor(cell, device=self.device),
            "target_vectors": coordinates[torch.as_tensor(row, device=self.device)],
            "target_value": torch.as_tensor(value, dtype=torch.float32, device=self.device),
            "n_targets": int((genes.of_condition[self.condition[rows]] >= 0).sum()),
        }

    def fingerprint(self) -> str:
        """Digest of what is learned from: indices, vectors, and the expression of 1,000 evenly spaced cells."""
        some = self.x[self.rows[np.linspace(0, len(self.rows) - 1, min(len(self.rows), 1000)).astype(int)]]
        parts = [self.rows, self.condition, self.context, self.coordinates.cpu().numpy()]
        parts += [some.indices, some.indptr, some.data] if sparse.issparse(some) else [some]
        if self.context_vectors is not None:
            parts.append(self.context_vectors.cpu().numpy())
        if self.targets is not None:
            parts += [self.targets[0].of_condition, self.targets[0].genes, self.targets[1].cpu().numpy()]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{part.dtype} {part.shape} ".encode() + np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def _move(x: Any, device: torch.device) -> Tensor | None:
    """Put all cells on a GPU, dense, if they take at most half of its free memory; `None` leaves them where they are."""
    n, n_genes = x.shape
    if device.type != "cuda" or 4 * n * n_genes > torch.cuda.mem_get_info(device)[0] / 2:
        return None
    moved = torch.empty(n, n_genes, device=device)
    for rows, _, block in blocks(x):
        dense = block.toarray() if sparse.issparse(block) else block
        moved[rows] = torch.as_tensor(dense, dtype=torch.float32).to(device)
    return moved
