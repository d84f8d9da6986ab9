"""Annotates block after block of genes with the same known genes."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, LanguageModelError
from dnaclip._validate import check_choice, check_count, check_share
from dnaclip.tl._annotation.candidates import read_known
from dnaclip.tl._annotation.summary import extractive_summary

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from dnaclip.models import DnaClip
    from dnaclip.models._annotation.calibration import Calibration
    from dnaclip.tl._annotation.queries import Queries
    from dnaclip.tl._annotation.ranker import Ranked, Ranker

__all__ = ["EVIDENCE", "Annotator"]

EVIDENCE = ("blast", "diamond", "mmseqs")


class Annotator:
    """Annotates block after block with the same known genes; parameters are those of :func:`annotate`."""

    def __init__(
        self,
        *,
        candidates: Any = None,
        texts: Any = None,
        evidence: str | None = None,
        reference: pd.DataFrame | None = None,
        n_neighbors: int = 5,
        min_confidence: float = 0.5,
        llm: Callable[[list[dict[str, str]]], str] | None = None,
        model: str | DnaClip | None = None,
        calibration: str | os.PathLike[str] | None = None,
        threads: int = 1,
        progress: bool = False,
    ) -> None:
        from dnaclip.encoders import Aligner
        from dnaclip.encoders._alignment.programs import check_installed
        from dnaclip.models import load_pretrained

        check_count("n_neighbors", n_neighbors)
        check_share("min_confidence", min_confidence)
        check_count("threads", threads)
        if evidence is not None:
            check_choice("evidence", evidence, EVIDENCE)
            check_installed(evidence)  # before texts are encoded, which takes long
        if llm is not None and not callable(llm):
            msg = f"llm must be a dnaclip.llm.ChatClient or a function from messages to text, got {type(llm).__name__}."
            raise InputError(msg)
        self._model = load_pretrained(model) if model is None or isinstance(model, str) else model
        self._calibration, self._calibrated = _calibration(self._model, calibration)
        self._n_neighbors, self._min_confidence, self._llm = n_neighbors, float(min_confidence), llm
        if evidence is not None and reference is None:
            _check_sequences(candidates)
        self.candidates = read_known(candidates, texts, self._model, progress=progress)
        self._reference = self.candidates
        if evidence is not None and reference is not None:
            _check_sequences(reference)
            self._reference = read_known(reference, None, self._model, progress=progress)
        self._aligner = (
            None if evidence is None else Aligner(self._reference.sequences or [], evidence, threads=threads)
        )
        self._ranker: Ranker | None = None
        self.parameters = {
            "model": self._model.config.get("name", ""),
            "candidates": len(self.candidates),
            "evidence": "" if self._aligner is None else self._aligner.version,
            "reference": 0 if self._aligner is None else len(self._reference),
            "n_neighbors": n_neighbors,
            "min_confidence": self._min_confidence,
        }

    def __enter__(self) -> Annotator:
        from dnaclip.tl._annotation.ranker import Ranker

        with contextlib.ExitStack() as stack:
            if self._aligner is not None:
                stack.enter_context(self._aligner)
            self._ranker = Ranker(
                self.candidates,
                self._calibration,
                reference=None if self._aligner is None else self._reference,
                aligner=self._aligner,
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def annotate(self, queries: Queries) -> pd.DataFrame:
        """Annotate some genes; the table is that of :func:`dnaclip.tl.annotate`."""
        from dnaclip.models._annotation.embedding import embed_with_significance
        from dnaclip.tl._annotation.ranker import kind_of

        if self._ranker is None:
            msg = "Use the annotator in a with statement."
            raise InputError(msg)
        if queries.sequences is None:
            dna, significance = queries.vectors, np.zeros(len(queries), np.float32)
            if dna is None or dna.shape[1] != self.candidates.vectors.shape[1]:
                msg = f"The embeddings have {0 if dna is None else dna.shape[1]} dimensions, those of the candidates {self.candidates.vectors.shape[1]}."
                raise InputError(msg)
        else:
            dna, significance = embed_with_significance(self._model, queries.sequences, names=queries.names)
        ranked = self._ranker.rank(dna, significance, queries.sequences, self._n_neighbors)
        if self._calibrated and queries.sequences is not None:
            confidence = self._calibration.reliability[kind_of(ranked.features)].confidence(ranked.features)
        else:
            confidence = np.full(len(queries), np.nan)
        return self._table(queries, ranked, confidence.round(3))

    def _table(self, queries: Queries, ranked: Ranked, confidence: np.ndarray) -> pd.DataFrame:
        n, k = ranked.rows.shape
        neighbours = self.candidates.genes.iloc[ranked.rows.ravel()].reset_index(drop=True)
        unsure = confidence < self._min_confidence  # False for NaN
        summaries, status = self._summaries(queries.names, ranked, unsure)
        table = pd.DataFrame(
            {"query": np.repeat(np.array(queries.names, object), k), "rank": np.tile(np.arange(1, k + 1), n)}
        )
        table[list(neighbours.columns)] = neighbours
        table["similarity"] = ranked.similarity.ravel().round(4)
        table["score"] = ranked.scores.ravel().round(4)
        table["confidence"] = confidence.repeat(k)
        table["annotation"] = np.repeat(np.array(summaries, object), k)
        table["status"] = np.repeat(np.array(status, object), k)
        if ranked.hits is None:
            return table
        hit = ranked.hits["hit"].to_numpy()
        genes = self._reference.genes
        table["nearest"] = self.candidates.genes["gene"].to_numpy()[ranked.nearest].repeat(k)
        table["hit"] = np.where(hit >= 0, genes["gene"].to_numpy()[hit], "").repeat(k)
        for column in ("level", "identity", "bitscore", "evalue", "query_coverage", "target_coverage"):
            values = ranked.hits[column]
            table[column] = np.repeat((values.fillna("") if column == "level" else values.astype(float)).to_numpy(), k)
        table["hit_text"] = np.where(hit >= 0, genes["text"].to_numpy()[hit], "").repeat(k)
        table["agreement"] = ranked.agreement.ravel().round(4)
        return table

    def _summaries(self, names: list[str], ranked: Ranked, unsure: np.ndarray) -> tuple[list[str], list[str]]:
        texts, ids = (self.candidates.genes[column].to_numpy() for column in ("text", "gene"))
        summaries, status = [], []
        for i in range(len(names)):
            if unsure[i]:
                summaries.append("")
                status.append(f"no annotation: confidence below {self._min_confidence:g}")
                continue
            rows = ranked.rows[i]
            summary, how = extractive_summary(texts[rows].tolist()), "annotated"
            if self._llm is not None:
                summary, how = self._by_llm(ids[rows].tolist(), texts[rows].tolist(), summary)
            summaries.append(summary)
            status.append(how)
        return summaries, status

    def _by_llm(self, genes: list[str], texts: list[str], fallback: str) -> tuple[str, str]:
        from dnaclip.tl._annotation.llm_summary import llm_summary

        if self._llm is None:
            return fallback, "annotated"
        try:
            described = llm_summary(self._llm, genes, texts)
        except LanguageModelError as error:
            self._llm = None  # a limit that is reached stays reached
            warnings.warn(f"The rest is summarised without the language model. {error}", UserWarning, stacklevel=5)
            return fallback, "annotated"
        if not described.name:
            return fallback, f"annotated; {described.status}"
        return f"{described.name}. {described.summary}".strip(), f"annotated; {described.status}"


def _check_sequences(table: Any) -> None:
    if not isinstance(table, pd.DataFrame) or "sequence" not in table:
        msg = (
            "evidence aligns with known sequences, and there are none: give a table with the column 'sequence' as reference "
            "(or as candidates). The tables of dnaclip hold no sequences."
        )
        raise InputError(msg)


def _calibration(model: DnaClip, path: str | os.PathLike[str] | None) -> tuple[Calibration, bool]:
    """Read the calibration, and say whether its confidence holds for this model."""
    from dnaclip.models._annotation.calibration import Calibration

    found = Calibration.load(path)
    name = model.config.get("name", "")
    fits = path is not None or found.model == name
    if not fits:
        msg = (
            f"There is no calibration for the model {name!r}: confidence is NaN and nothing is held back. "
            "scripts/fit_annotation.py makes one."
        )
        warnings.warn(msg, UserWarning, stacklevel=4)
    return found, fits
