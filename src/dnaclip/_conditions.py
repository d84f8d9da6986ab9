"""Names of perturbations: `ctrl`, `A`, `A+ctrl`, `A+B`, and the genes that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CONTROL", "condition_name", "condition_genes"]

CONTROL = "ctrl"
SEPARATOR = "+"


def condition_genes(name: str, control: str = CONTROL) -> tuple[str, ...]:
    """Return the genes that a condition perturbs, sorted; none for the control.

    Parameters
    ----------
    name
        Genes joined by `+`, in any order; the name of the control may stand among them, as in `A+ctrl`.
    control
        Name of the control condition.

    Raises
    ------
    InputError
        The name is not a string, or holds an empty or repeated gene.

    Examples
    --------
    >>> condition_genes("KLF1+BAK1"), condition_genes("KLF1+ctrl"), condition_genes("ctrl")
    (('BAK1', 'KLF1'), ('KLF1',), ())
    """
    if not isinstance(name, str):
        msg = f"A condition must be a string such as 'ctrl', 'A' or 'A+B', got {name!r}. Drop or rename these cells."
        raise InputError(msg)
    genes = [part.strip() for part in name.split(SEPARATOR)]
    genes = [gene for gene in genes if gene != control]
    if "" in genes or len(set(genes)) < len(genes):
        msg = f"Condition {name!r} holds an empty or repeated gene. Write each gene once, joined by '+', as in 'A+B'."
        raise InputError(msg)
    return tuple(sorted(genes))


def condition_name(genes: Iterable[str], control: str = CONTROL) -> str:
    """Return the one spelling of a condition: its genes, sorted and joined by `+`, or the name of the control.

    Examples
    --------
    >>> condition_name(["KLF1", "BAK1"]), condition_name(["KLF1"]), condition_name([])
    ('BAK1+KLF1', 'KLF1', 'ctrl')
    """
    return SEPARATOR.join(sorted(genes)) or control
