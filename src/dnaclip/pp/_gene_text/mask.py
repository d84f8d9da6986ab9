"""Take out of a text what would give an answer away: the gene's own names, diseases, terms of the Gene Ontology."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["MASKS", "TermMask", "mask_diseases", "mask_go", "mask_names"]

MASKS = ("symbol", "disease", "go")

_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z(\[])")
# Word stems, written as the start of a word or as its end.
_DISEASE = re.compile(
    r"\b(?:diseas|disorder|syndrom|cancer|carcino|tumou?r|leuk[a]?emi|lymphom|sarcom|melanom|gliom|glioblastom|neoplas|malignan"
    r"|metasta|oncogen|patholog|patient|mutations? in this gene|mutation|deficien|dystroph|dysplas|neuropath|myopath"
    r"|cardiomyopath|encephalopath|retinopath|epilep|autis|schizophren|alzheimer|parkinson|huntington|diabet|obes|asthma"
    r"|arthrit|anemi|anaemi|thalass|hemophil|immunodefic|autoimmun|infect|virus susceptib|retardation|intellectual disab"
    r"|congenital|hereditary|susceptib|suscept|defects? (?:in|of) this gene|clinical|lupus|sclerosis|stroke|infarct"
    r"|hypertens|cirrhos|fibrosis|nephropath|nephrot|blindness|deafness|cataract|glaucom|ataxi|palsy|seizure|dementia)\w*",
    re.IGNORECASE,
)
# How the sentences begin that programs write from annotations with GO terms.
_GO = re.compile(
    r"^(?:Predicted to |Enables |Contributes to |Involved in |Acts upstream of |Located in |Part of |Is active in |Colocalizes with "
    r"|Implicated in |Is expressed in |Expressed in |Human orthologs? |Orthologous to |Is predicted to |Exhibits |Localizes to "
    r"|Used to study |This gene is predicted to )",
    re.IGNORECASE,
)


def mask_names(text: str, names: Iterable[str]) -> str:
    """Write `this gene` for each of the names; short ones count only as they are spelt.

    Examples
    --------
    >>> mask_names("TP53 binds DNA; tp53-like, MTP53.", ["TP53"])
    'this gene binds DNA; this gene-like, MTP53.'
    """
    longest_first = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)
    for name in longest_first:
        flags = re.IGNORECASE if len(name) > 3 else 0
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "this gene", text, flags=flags)
    return text


def mask_diseases(text: str, *, whole_sentences: bool = True) -> str:
    """Leave out sentences that speak of diseases; of a name, which is no sentence, only the words.

    Examples
    --------
    >>> mask_diseases("Repairs DNA. Mutations cause cancer.")
    'Repairs DNA.'
    >>> mask_diseases("breast cancer type 1 protein", whole_sentences=False)
    'breast type 1 protein'
    """
    if not whole_sentences:
        return " ".join(_DISEASE.sub("", text).split())
    return " ".join(sentence for sentence in _SENTENCE.split(text) if not _DISEASE.search(sentence))


def mask_go(text: str) -> str:
    """Leave out sentences that a program composed from terms of the Gene Ontology.

    Examples
    --------
    >>> mask_go("Enables ATP binding. The enzyme is found in yeast.")
    'The enzyme is found in yeast.'
    """
    return " ".join(sentence for sentence in _SENTENCE.split(text) if not _GO.match(sentence))


class TermMask:
    """Leaves out every sentence that holds one of many terms, such as the names of the GO terms to be predicted.

    Examples
    --------
    >>> TermMask(["DNA repair"])("It takes part in dna repair. It is small.")
    'It is small.'
    """

    def __init__(self, terms: Collection[str]) -> None:
        self._terms = {" ".join(_words(term)) for term in terms} - {""}
        self._most_words = max((term.count(" ") + 1 for term in self._terms), default=0)

    def __call__(self, text: str) -> str:
        """Return `text` without such sentences."""
        return " ".join(sentence for sentence in _SENTENCE.split(text) if not self._holds_term(sentence))

    def _holds_term(self, sentence: str) -> bool:
        # Looking up runs of words costs the same however many terms there are.
        words = _words(sentence)
        runs = (" ".join(words[i : i + n]) for n in range(1, self._most_words + 1) for i in range(len(words) - n + 1))
        return any(run in self._terms for run in runs)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'+/-]+", text.casefold())
