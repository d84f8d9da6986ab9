"""The similarity penalty: genes that are alike before the projector shall be alike behind it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dnaclip._errors import InputError

__all__ = ["similarity_penalty"]


def similarity_penalty(embeddings: Tensor, raw: Tensor) -> Tensor:
    r"""Mean squared difference between the similarities of genes in the shared space and in a modality's own space.

    .. math::

        \frac{1}{n^2} \left\lVert S S^\top - X X^\top \right\rVert_F^2
        = \frac{1}{n^2} \left( \lVert S^\top S \rVert^2 - 2 \lVert S^\top X \rVert^2 + \lVert X^\top X \rVert^2 \right)

    The right side needs no matrix of n by n. Rows of :math:`X` are brought to length 1, since :math:`S` has cosines. The
    paper prints one term a gene, :math:`(s_i s_i' - X_i X_i')^2`, which compares lengths alone; its text means the
    interaction of genes, which is what is compared here.

    Parameters
    ----------
    embeddings
        Projected vectors S, (n, d), rows of length 1.
    raw
        The same genes before the projector X, (n, p).

    Returns
    -------
    The penalty, a scalar of 0 or more; without gradient to `raw`.

    Raises
    ------
    InputError
        The two do not hold the same genes.

    References
    ----------
    DNACLIP, A.3.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import similarity_penalty
    >>> genes = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    >>> similarity_penalty(torch.eye(2), genes).item()  # at right angles before and after
    0.0
    >>> similarity_penalty(torch.ones(2, 1), genes).item()  # alike after, at right angles before
    0.5
    """
    if embeddings.ndim != 2 or raw.ndim != 2 or len(embeddings) != len(raw):
        msg = (
            f"The penalty compares two matrices (n, d) and (n, p) of the same genes, got {tuple(embeddings.shape)} and "
            f"{tuple(raw.shape)}."
        )
        raise InputError(msg)
    with torch.autocast(embeddings.device.type, enabled=False):
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        s = embeddings.to(dtype)
        x = functional.normalize(raw.detach().to(dtype), dim=1)
        # The smaller of the two forms of ||XX'||: both hold the same sum of squares.
        own = x.T @ x if x.shape[1] < len(x) else x @ x.T
        total = (s.T @ s).square().sum() - 2 * (s.T @ x).square().sum() + own.square().sum()
        return total.clamp(min=0) / len(s) ** 2
