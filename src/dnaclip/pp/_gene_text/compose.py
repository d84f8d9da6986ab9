"""One text per gene from the statements of all sources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dnaclip.pp._gene_text.mask import mask_diseases, mask_go, mask_names
from dnaclip.pp._gene_text.rows import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from dnaclip.pp._gene_text.rows import Source, Statement

__all__ = ["STYLES", "Composer", "is_informative"]

STYLES = ("genept", "full")
_EMPTY = re.compile(
    r"(?:conserved |putative |predicted |probable )*(?:hypothetical|uncharacteri[sz]ed|unknown|novel|unnamed)\b.*"
    r"|(?:protein of unknown function|unknown function|expressed protein|predicted gene.*|pseudogene|LOC\d+)\.?",
    re.IGNORECASE,
)
# Which source's name of a gene is taken, the first that has one.
_NAMES_FROM = ("HGNC", "NCBI Gene", "UniProt")


class Composer:
    """Composes texts in one style, with the same things masked in all.

    Parameters
    ----------
    style
        One of `STYLES`.
    mask
        Which of `dnaclip.pp._gene_text.mask.MASKS` to leave out.
    mask_terms
        Leaves out sentences that hold a term; None for none.
    """

    def __init__(self, style: str, mask: Collection[str], mask_terms: Callable[[str], str] | None) -> None:
        self._style = style
        self._mask = frozenset(mask)
        self._mask_terms = mask_terms

    def __call__(
        self, symbol: str, aliases: Iterable[str], said: list[tuple[Source, Statement]]
    ) -> tuple[str, str, list[tuple[Source, Statement]]]:
        """Compose the text of one gene.

        Returns
        -------
        The text, the richest kind of statement in it (empty for no text), and the statements used.
        """
        names = [symbol, *aliases] if "symbol" in self._mask else []
        best: dict[str, tuple[str, tuple[Source, Statement]]] = {}
        for kind in KINDS:
            for source, statement in sorted((each for each in said if each[1].kind == kind), key=_preference):
                text = self._masked(statement, names)
                if text:
                    best[kind] = text, (source, statement)
                    break
        main = next((best[kind] for kind in ("summary", "description", "name") if kind in best), None)
        parts, used = [], []
        if self._style == "full" and "name" in best and main is not best["name"]:
            parts.append(_sentence(best["name"][0]))
            used.append(best["name"][1])
        if main is not None:
            parts.append(main[0])
            used.append(main[1])
        if "function" in best:
            parts.append(f"Protein summary: {best['function'][0]}")
            used.append(best["function"][1])
        if not parts:
            return "", "", []
        head = f"Gene Symbol {symbol} " if symbol and "symbol" not in self._mask else ""
        level = next(kind for kind in KINDS if kind in {statement.kind for _, statement in used})
        return head + " ".join(parts), level, used

    def _masked(self, statement: Statement, names: list[str]) -> str:
        text = statement.text
        if "go" in self._mask:
            text = "" if "composed from GO" in statement.evidence else mask_go(text)
        if "disease" in self._mask:
            text = mask_diseases(text, whole_sentences=statement.kind != "name")
        if self._mask_terms is not None:
            text = self._mask_terms(text)
        return mask_names(text, names) if names else text


def is_informative(text: str, level: str) -> bool:
    """Whether a text says anything of a gene's function: not that it is hypothetical.

    Examples
    --------
    >>> is_informative("DNA ligase", "name"), is_informative("conserved hypothetical protein", "name")
    (True, False)
    """
    return bool(text) and not (level == "name" and _EMPTY.fullmatch(text))


def _preference(said: tuple[Source, Statement]) -> tuple[bool, bool, int, int, str]:
    """Reviewed before not reviewed, written before composed, then by source, then the longest."""
    source, statement = said
    order = _NAMES_FROM.index(source.name) if source.name in _NAMES_FROM else len(_NAMES_FROM)
    return (
        "not reviewed" in statement.evidence,
        "composed" in statement.evidence,
        order if statement.kind == "name" else 0,
        -len(statement.text),
        statement.text,
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
