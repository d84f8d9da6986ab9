"""A trained model as its user sees it: encode DNA, encode text, save, load."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dnaclip._errors import InputError
from dnaclip._validate import check_count
from dnaclip.encoders import TextEncoder
from dnaclip.models._folder import load_folder, save_folder
from dnaclip.models._projector import Projector, ProjectorConfig
from dnaclip.models._state import dna_side_from_state, dna_side_state, half, with_prefix, without_prefix

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from dnaclip.models._dna_side import DnaSide

__all__ = ["DnaClip"]


class DnaClip:
    """DNA and text of genes in one space of 128 dimensions.

    Load one with :func:`~dnaclip.models.load_pretrained` or :meth:`load`, train one with :func:`dnaclip.train.fit`.

    Parameters
    ----------
    dna
        The DNA side.
    text
        The text projector, which takes the vectors of `text_encoder`.
    config
        Name, architecture, training data, splits, seeds and metrics, as JSON can hold them; `config["text_encoder"]` names
        the frozen text model.
    text_encoder
        The frozen text model; `None` loads the one that `config` names when it is first needed.

    Examples
    --------
    >>> import dnaclip
    >>> model = dnaclip.models.load_pretrained()
    >>> model.modalities, model.dimension
    (('dna', 'text'), 128)
    """

    def __init__(
        self, dna: DnaSide, text: Projector, config: dict[str, Any], *, text_encoder: TextEncoder | None = None
    ) -> None:
        self.dna = dna
        self.text = text.eval()
        self.config = config
        if text_encoder is not None:
            self.text_encoder = text_encoder

    @property
    def modalities(self) -> tuple[str, ...]:
        """What can be encoded."""
        return ("dna", "text")

    @property
    def dimension(self) -> int:
        """Dimension of the shared space."""
        return self.text.config.out_dim

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """The frozen text model, loaded when it is first used."""
        return TextEncoder(self.config["text_encoder"])

    def encode_dna(
        self,
        sequences: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        batch_size: int = 1024,
        progress: bool = False,
    ) -> np.ndarray:
        """Embed genes by their DNA.

        Parameters
        ----------
        sequences
            One string a gene, read 5' to 3' on the gene's own strand: coding sequence or mRNA for a protein-coding gene,
            the transcript or the gene itself for others. Lower case, U and IUPAC letters are legal.
        names
            Gene names for error messages.
        batch_size
            Genes at once; changes memory, not the result.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, 128), rows of length 1.

        Raises
        ------
        InputError
            A sequence is empty, holds an illegal letter (gene and position are named) or is mostly ambiguous.

        Examples
        --------
        >>> import dnaclip
        >>> model = dnaclip.models.load_pretrained()
        >>> model.encode_dna(["ATGGCTAAGTCTGAA" * 20]).shape
        (1, 128)
        """
        if isinstance(sequences, str):
            msg = "sequences is a single string. Pass a list with one string a gene: [sequence]."
            raise InputError(msg)
        check_count("batch_size", batch_size)
        return self.dna.encode(list(sequences), names=names, batch_size=batch_size, progress=progress)

    def encode_text(self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False) -> np.ndarray:
        """Embed genes, or questions about genes, by text.

        Parameters
        ----------
        texts
            Function descriptions or free words, in English.
        batch_size
            Texts at once.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, 128), rows of length 1.

        Raises
        ------
        InputError
            A text is empty or not a string.
        MissingDependencyError
            The text model needs ``pip install 'dnaclip[text]'``.
        DownloadError
            The files of the text model are not here and cannot be fetched.
        """
        return self.project_text(self.text_encoder.encode(texts, batch_size=batch_size, progress=progress))

    @torch.no_grad()
    def project_text(self, vectors: np.ndarray) -> np.ndarray:
        """Bring vectors of the frozen text model into the shared space.

        Parameters
        ----------
        vectors
            What the frozen model gives for the texts, (n, in_dim).

        Returns
        -------
        float32 (n, 128), rows of length 1.

        Raises
        ------
        InputError
            The vectors are not those of this model's text encoder: their dimension differs.
        """
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.text.config.in_dim:
            msg = f"vectors must have the shape (n, {self.text.config.in_dim}), got {vectors.shape}."
            raise InputError(msg)
        self.text.eval()
        return self.text(torch.tensor(vectors)).numpy()

    def save(self, folder: str | os.PathLike[str], *, card: str) -> Path:
        """Write the model folder, whole or not at all.

        Parameters
        ----------
        folder
            Where to; an earlier model there is replaced.
        card
            The model card, Markdown.

        Returns
        -------
        The folder.

        Raises
        ------
        InputError
            `folder` is something else than a dnaclip model, which is left alone.
        """
        architecture = {
            "composition": asdict(self.dna.composition.config),
            "text": asdict(self.text.config),
            "n_neighbours": self.dna.n_neighbours,
            "gate": asdict(self.dna.gate),
        }
        tensors = dna_side_state(self.dna) | with_prefix("text", half(self.text.state_dict()))
        config = {**self.config, "architecture": architecture, "dimension": self.dimension}
        return save_folder(folder, tensors, config, card)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> DnaClip:
        """Read a model folder; its checksum is verified.

        Parameters
        ----------
        folder
            What :meth:`save` wrote.

        Returns
        -------
        The model.

        Raises
        ------
        InputError
            The folder is not a model folder, was changed, or is of a newer format.
        """
        config, tensors = load_folder(folder)
        try:
            architecture = config["architecture"]
            text = Projector(ProjectorConfig(**architecture["text"]))
            text.load_state_dict(without_prefix("text", tensors))
            return cls(dna_side_from_state(tensors, architecture), text, config)
        except (KeyError, TypeError, RuntimeError) as error:
            msg = (
                f"The weights in {Path(folder)} do not fit the architecture in its config.json ({error}). Fetch or train the "
                "model again."
            )
            raise InputError(msg) from error
