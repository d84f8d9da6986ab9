"""Take out of a database's text what is not about the gene, and keep what says how sure it is."""

from __future__ import annotations

import re

__all__ = ["clean_function", "clean_summary"]

_PROVIDED = re.compile(r"\s*\[(provided|supplied) by ([^\]]+)\]\.?", re.IGNORECASE)
_NOTES = re.compile(r"(?:Publication|Sequence|CCDS|COMPLETENESS)\s*Note:.*?(?=$|\s##)|##.*?##(?:.*?##)?", re.DOTALL)
_PUBMED = re.compile(r"\s*\((?:PubMed:\d+(?:,\s*)?)+\)")
_ECO = re.compile(r"\s*\{(ECO:[^}]*)\}\.?")
_CODES = re.compile(r"ECO:(\d{7})")
# What each kind of evidence without an experiment is called in the text.
_HEDGES = {
    "0000250": "by similarity",
    "0000255": "predicted",
    "0000256": "predicted",
    "0000259": "predicted",
    "0000303": "stated by the authors",
    "0000305": "inferred by the curator",
}
_EXPERIMENT = {"0000269", "0007744", "0007829"}
_SPACE = re.compile(r"\s+")


def clean_summary(text: str) -> tuple[str, str]:
    """Take the signature and notes on the sequence off a summary of RefSeq.

    Returns
    -------
    The text, and who provided it when.

    Examples
    --------
    >>> clean_summary("Encodes a kinase. [provided by RefSeq, Jul 2008].")
    ('Encodes a kinase.', 'RefSeq, Jul 2008')
    """
    provided = "; ".join(found[1] for found in _PROVIDED.findall(text))
    return _SPACE.sub(" ", _NOTES.sub(" ", _PROVIDED.sub("", text))).strip(), provided


def clean_function(text: str) -> tuple[str, str]:
    """Turn the codes of evidence in a text of UniProt into words, and take the references out.

    Returns
    -------
    The text, and the kinds of evidence.

    Examples
    --------
    >>> clean_function("Binds DNA (PubMed:1, PubMed:2). May cut it. {ECO:0000250|UniProtKB:P1, ECO:0000269|PubMed:1}.")
    ('Binds DNA. May cut it. (by similarity)', 'by similarity; experiment')
    """
    kinds: list[str] = []

    def words(match: re.Match[str]) -> str:
        codes = _CODES.findall(match[1])
        hedges = list(dict.fromkeys(_HEDGES[code] for code in codes if code in _HEDGES))
        kinds.extend(hedges)
        if _EXPERIMENT.intersection(codes):
            kinds.append("experiment")
        return f" ({', '.join(hedges)})" if hedges else ""

    text = _ECO.sub(words, _PUBMED.sub("", text))
    return _SPACE.sub(" ", text).strip(), "; ".join(dict.fromkeys(kinds))
