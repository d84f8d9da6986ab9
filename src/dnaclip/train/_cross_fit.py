"""Composition embeddings of the training genes themselves, from networks that saw neither them nor their near copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import GroupKFold
from torch import nn

from dnaclip._validate import as_generator, torch_seed
from dnaclip.models import ClipModel, DnaClip, Projector
from dnaclip.train._evaluate import embed_feed
from dnaclip.train._feed import Feed
from dnaclip.train._loop import train_clip
from dnaclip.train._recipe import Recipe

if TYPE_CHECKING:
    from typing import Any

__all__ = ["cross_fit_composition"]


def cross_fit_composition(
    model: DnaClip,
    composition: np.ndarray,
    texts: np.ndarray,
    *,
    text_of: np.ndarray,
    cluster: np.ndarray,
    n_folds: int = 5,
    recipe: Recipe | None = None,
    rng: int | np.random.Generator | None = 0,
    **loop: Any,
) -> np.ndarray:
    """Embed genes by their composition as if the model had never seen them.

    A network remembers its training genes, so the composition part of a finished model says more about them than about
    new ones. Here, genes are cut into folds that no cluster straddles, and each fold is embedded by a composition
    projector that was trained on the others, towards the text side of the finished model, which stays as it is.

    Parameters
    ----------
    model
        The finished model: its text projector is the target, and the shape of its composition projector is used.
    composition
        Composition features of n genes, (n, f).
    texts
        Vectors of the distinct texts from the text encoder, (t, in_dim).
    text_of
        int64 (n,): row of `texts` of each gene.
    cluster
        int64 (n,): genes of one cluster have near-identical sequences or equal texts.
    n_folds
        Networks to train.
    recipe
        Settings of training; `None` takes the defaults.
    rng
        Seed of the folds, the weights and the order.
    **loop
        `device` and `progress` of :func:`train_clip`.

    Returns
    -------
    float32 (n, d), rows of length 1.

    Raises
    ------
    InputError
        A setting cannot be used.

    Examples
    --------
    >>> from dnaclip.train import cross_fit_composition
    >>> def honest(model, prepared):
    ...     return cross_fit_composition(
    ...         model,
    ...         prepared.features.composition,
    ...         prepared.texts,
    ...         text_of=prepared.text_of,
    ...         cluster=prepared.cluster,
    ...     )
    """
    generator = as_generator(rng)
    recipe = recipe or Recipe()
    inputs = {
        "composition": (composition - model.dna.mean) / model.dna.scale,
        "text": model.project_text(texts)[text_of],
    }
    folds = GroupKFold(n_folds, shuffle=True, random_state=torch_seed(generator)).split(composition, groups=cluster)
    embedded = np.empty((len(composition), model.dimension), np.float32)
    for others, fold in folds:
        projector = Projector(model.dna.composition.config, seed=torch_seed(generator))
        clip = ClipModel({"composition": projector, "text": nn.Identity()}, logit_scale=recipe.logit_scale)
        train, held_out = (Feed(inputs, rows=rows, same=text_of) for rows in (others, fold))
        train_clip(clip, train, held_out, recipe.training, rng=generator, **loop)
        embedded[fold] = embed_feed(clip.cpu(), held_out)["composition"].numpy()
    return embedded
