"""Encode proteins, or the proteins that genes may make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from dnaclip._validate import check_choice
from dnaclip.encoders._huggingface.encoder import HuggingFaceEncoder
from dnaclip.encoders._protein.frames import longest_proteins

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np

__all__ = ["ProteinEncoder"]

Input = Literal["protein", "dna"]
INPUTS: tuple[Input, ...] = ("protein", "dna")


class ProteinEncoder:
    """A frozen protein language model, ESM-2, ESM C or another one, as an encoder of proteins or of genes.

    Needs the extra ``dnaclip[huggingface]``.

    Parameters
    ----------
    model
        `"owner/model"` on the Hugging Face hub, or a folder. :func:`dnaclip.encoders.load` knows some by shorter names.
    input
        What is given: `"protein"`, or `"dna"`, of which the longest open reading frame is translated, see
        :func:`dnaclip.encoders.longest_proteins`.
    options
        Of :class:`dnaclip.encoders.HuggingFaceEncoder`: `layer`, `max_tokens`, `revision`, `device`, `precision`, `name` and others.

    Attributes
    ----------
    name
        What it is called.
    settings
        The options that change vectors.

    Raises
    ------
    InputError
        An option is not known, or the model's files cannot be read.
    DownloadError
        The model is not there.
    MissingDependencyError
        transformers is not installed.

    References
    ----------
    Lin et al., Evolutionary-scale prediction of atomic-level protein structure with a language model, Science 379 (2023).

    Examples
    --------
    >>> from dnaclip.encoders import ProteinEncoder
    >>> ProteinEncoder("facebook/esm2_t6_8M_UR50D", input="rna")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: input='rna' is not known. Use one of: 'protein', 'dna'.
    """

    def __init__(self, model: str | os.PathLike[str], *, input: Input = "protein", **options: Any) -> None:
        check_choice("input", input, INPUTS)
        self.input = input
        self._encoder = HuggingFaceEncoder(model, kind="protein", **options)
        self.name = self._encoder.name
        self.settings = {**self._encoder.settings, "input": input}

    def __repr__(self) -> str:
        return f"ProteinEncoder({self.name!r}, input={self.input!r})"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._encoder.dimension

    def check(self, sequences: Sequence[str]) -> None:
        """Raise an InputError for a sequence that :meth:`encode` would refuse."""
        self._encoder.check(self._proteins(sequences))

    def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn proteins, or genes, into vectors.

        Parameters
        ----------
        sequences
            One string each, of the kind that `input` says.
        progress
            Whether to show a progress bar, in residues.

        Returns
        -------
        float32 (n, dimension), in the order of `sequences`: the mean over residues of the hidden states.

        Raises
        ------
        InputError
            A sequence is empty, not a string or of another kind.
        """
        return self._encoder.encode(self._proteins(sequences), progress=progress)

    def _proteins(self, sequences: Sequence[str]) -> Sequence[str]:
        return sequences if self.input == "protein" else longest_proteins(sequences)
