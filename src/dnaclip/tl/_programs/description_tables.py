"""Descriptions of programs as tables that can be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from dnaclip.llm import Description, Evidence
    from dnaclip.tl._programs.names import ProgramName

__all__ = ["claims_table", "description_row", "evidence_table"]


def description_row(
    program: str,
    n_genes: int,
    offline: ProgramName,
    described: Description | None,
    *,
    asked: bool,
    min_confidence: float,
) -> dict[str, Any]:
    """Return one row of the descriptions: the model's where it stands, and the one without a model where not."""
    row = {
        "program": program,
        "name": offline.name,
        "summary": offline.summary,
        "confidence": offline.confidence,
        "n_genes": n_genes,
        "source": offline.source,
        "evidence": ";".join(item.id for item in offline.evidence),
        "status": "described without a language model",
    }
    if asked:
        row["status"] = "the model was not asked, or failed" if described is None else described.status
    if described is not None and described.name and offline.confidence * described.support < min_confidence:
        row["status"] = "too few of the model's claims are supported"
    elif described is not None and described.name:
        cited = dict.fromkeys(name for claim in described.claims for name in claim.evidence)
        row |= {
            "name": described.name,
            "summary": described.summary,
            "confidence": offline.confidence * described.support,
            "source": "language model",
            "evidence": ";".join(cited),
        }
    return row


def evidence_table(
    named: dict[str, ProgramName], single: dict[str, dict[str, Evidence]], described: dict[str, Description]
) -> pd.DataFrame:
    """Return all enriched terms, and the single genes that claims rest on."""
    rows = [(program, item) for program, name in named.items() for item in name.evidence]
    for program, description in described.items():
        cited = {name for claim in description.claims for name in claim.evidence}
        rows += [(program, item) for name, item in single[program].items() if name in cited]
    return pd.DataFrame(
        {
            "program": [program for program, _ in rows],
            "id": [item.id for _, item in rows],
            "kind": [item.kind for _, item in rows],
            "title": [item.title for _, item in rows],
            "text": [item.text for _, item in rows],
            "n_overlap": np.array([len(item.genes) for _, item in rows], dtype=np.int64),
            "n_term": np.array([item.n_term for _, item in rows], dtype=np.int64),
            "fdr": np.array([item.fdr for _, item in rows], dtype=np.float64),
            "genes": [";".join(item.genes) for _, item in rows],
        }
    )


def claims_table(described: dict[str, Description]) -> pd.DataFrame:
    """Return all claims with their verdicts."""
    rows = [(program, claim) for program, description in described.items() for claim in description.claims]
    return pd.DataFrame(
        {
            "program": [program for program, _ in rows],
            "stage": [claim.stage for _, claim in rows],
            "claim": [claim.text for _, claim in rows],
            "genes": [";".join(claim.genes) for _, claim in rows],
            "verdict": [claim.verdict for _, claim in rows],
            "evidence": [";".join(claim.evidence) for _, claim in rows],
            "note": [claim.note for _, claim in rows],
        }
    )
