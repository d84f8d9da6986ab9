"""Names and summaries of gene programs, with the evidence for them."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._errors import InputError, LanguageModelError
from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import clean_params
from dnaclip.datasets import gene_sets as read_gene_sets
from dnaclip.llm import ChatClient, Description, Evidence, describe_program
from dnaclip.llm._cache import fingerprint
from dnaclip.llm._prompts import PROMPTS
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._programs.description_tables import claims_table, description_row, evidence_table
from dnaclip.tl._programs.enrich import ENRICHMENT_KEY
from dnaclip.tl._programs.enrich_genes import background_genes, program_genes
from dnaclip.tl._programs.evidence import enriched_sets, enriched_words, no_terms, single_genes, stored_terms
from dnaclip.tl._programs.gene_texts import KnownGenes, given_texts
from dnaclip.tl._programs.names import ProgramName, name_program

if TYPE_CHECKING:
    import anndata

__all__ = ["describe"]

# Written below `adata.uns[program_key]`; those of an earlier description go.
PARTS = ("descriptions", "evidence", "claims")


def describe(
    data: anndata.AnnData | Mapping[str, Iterable[Any]],
    *,
    gene_sets: Any = None,
    texts: Any = None,
    llm: Callable[[list[dict[str, str]]], str] | None = None,
    context: str = "",
    program_key: str = PROGRAM_KEY,
    gene_symbols: str | None = None,
    organism: str | None = "human",
    background: Iterable[Any] | str | None = None,
    min_confidence: float = 0.15,
    copy: bool = False,
) -> anndata.AnnData | pd.DataFrame | None:
    """Name and summarise gene programs, with the evidence, or say that their genes have no function in common.

    A program takes its name from the gene sets it is enriched in (:func:`enrich`), or from words that the names of its
    genes share more often than chance; the summary also tells the genes whose texts are nearest to the middle of the
    program. This needs no network and gives the same every time.

    With `llm`, a language model writes name and summary, and every claim it makes is checked against the enriched
    terms and the texts of the genes (:func:`dnaclip.llm.describe_program`). Where no description stands up, or the
    model cannot be reached, the one above is kept and `status` says why.

    Parameters
    ----------
    data
        Annotated data with gene programs, or a dictionary of lists of genes.
    gene_sets
        Whatever :func:`dnaclip.datasets.gene_sets` reads. `None` takes what :func:`enrich` has written, and only words
        of gene names if there is nothing.
    texts
        Texts of genes, in a dictionary, a series, or a table with the columns `gene` and `text`; they are told to the
        language model and checked against. Genes without one have their name.
    llm
        A :class:`dnaclip.llm.ChatClient`, or any function from messages to text. It is sent the genes, their texts and
        the enriched terms. `None` asks no model.
    context
        What the genes come from, such as a tissue or a disease, for the language model.
    program_key
        Column of `adata.var` that holds the program of each gene, NaN for none.
    gene_symbols
        Column of `adata.var` with the names of the genes; `None` is `adata.var_names`.
    organism
        Species of the embedding table that knows the genes' names; ids and aliases become approved symbols. `None`
        takes names as they are, and knows nothing of the genes.
    background
        Genes that could have been in a program: a list, or a boolean column of `adata.var`; `None` is all genes of
        `adata`.
    min_confidence
        Below it a program has the name `no common function`.
    copy
        Return a changed copy instead of changing `adata`.

    Returns
    -------
    For a dictionary, the table of descriptions, with evidence and claims as lists of dictionaries in `attrs`. For
    annotated data `None`, or the copy with `copy=True`. Written are, in `adata.uns[program_key]`,

    `descriptions`
        One row per program: `program`, `name`, `summary`, `confidence`, `n_genes`, `source` (`gene sets`, `words in gene
        names`, `language model` or `none`), `evidence` (ids, joined by `;`) and `status`.
    `evidence`
        One row per piece of evidence: `program`, `id`, `kind` (`gene set`, `words` or `gene`), `title`, `text`,
        `n_overlap`, `n_term`, `fdr` and `genes` (joined by `;`). Those of genes stand there if a claim rests on them.
    `claims`
        With `llm`, one row per claim: `program`, `stage` (`draft` or `revision`), `claim`, `genes`, `verdict`
        (`supported`, `partly`, `refuted` or `not checkable`), `evidence` (ids) and `note`.
    `description_params`
        The parameters; with `llm` also model, fingerprint of the prompts, and date.

    `confidence` estimates which part of the genes has a function in common, 0 to 1. On sets of genes of which all, half or
    none are of one known pathway it is 0.6 to 0.9, 0.3 to 0.6 and 0.0 on average (`benchmarks/RESULTS-programs.md`). With
    `llm` it is multiplied by the share of the claims that are supported.

    Raises
    ------
    MissingKeyError
        A key or column is not there.
    InputError
        No gene is in a program, a dictionary comes without `background`, genes and gene sets do not fit, or `llm`
        cannot be called or returns something else than text.

    Warns
    -----
    UserWarning
        The language model failed or a limit was reached: what it described so far is kept, with the rest described
        without it.

    Examples
    --------
    >>> import dnaclip
    >>> ribosome = ["RPL3", "RPL4", "RPL5", "RPL6", "RPS2", "RPS3", "RPS4X"]
    >>> measured = [*ribosome, "ACTB", "CD3D", "LYZ", "TP53", "ALB", "INS", "MYH6", "GFAP", "CD19", "KIT", "HBB", "RHO"]
    >>> table = dnaclip.tl.describe({"P1": ribosome, "P2": ["ALB", "KIT", "RHO"]}, background=measured)
    >>> table[["program", "name"]]
      program                name
    0      P1   ribosomal protein
    1      P2  no common function
    """
    adata: Any = None if isinstance(data, Mapping) else data
    if adata is not None:
        check_adata(adata, copy=copy)
    _check_arguments(llm, min_confidence, context)
    record = {} if adata is None else adata.uns.get(program_key, {})
    if not isinstance(record, Mapping):
        msg = f"adata.uns[{program_key!r}] exists and is not a record of programs."
        raise InputError(msg)
    programs = program_genes(data, program_key, gene_symbols, None)
    measured = list(background_genes(adata, background, gene_symbols, None))
    known = None if gene_sets is None else read_gene_sets(gene_sets)
    stored = stored_terms(adata, program_key) if known is None and ENRICHMENT_KEY in record else no_terms()
    given = given_texts(texts)
    # Every name is translated by one look into the table.
    in_terms = [genes.split(";") for genes in stored["genes"]]
    listed: list[Iterable[str]] = [*programs.values(), *(known or {}).values(), *in_terms, measured, given]
    about = KnownGenes(chain.from_iterable(listed), organism)
    programs = {program: about.symbols(genes) for program, genes in programs.items()}
    measured = about.symbols(measured)
    known = None if known is None else {term: about.symbols(genes) for term, genes in known.items()}
    gene_texts = about.names | {symbol: text for gene, text in given.items() for symbol in about.symbols([gene])}

    if known is None:
        sets = stored.assign(genes=[";".join(about.symbols(genes)) for genes in in_terms])
    else:
        sets = enriched_sets(programs, known, measured)
    words = enriched_words(programs, about.names, measured)
    named = {
        program: name_program(
            len(genes),
            sets[sets["program"] == program],
            words[words["program"] == program],
            about.central(genes),
            min_confidence=min_confidence,
        )
        for program, genes in programs.items()
    }
    single = {} if llm is None else single_genes(programs, gene_texts, known or {})
    described = {} if llm is None else _asked(llm, programs, named, single, context)
    asked = llm is not None
    rows = [
        description_row(p, len(programs[p]), named[p], described.get(p), asked=asked, min_confidence=min_confidence)
        for p in programs
    ]
    result = {
        "descriptions": pd.DataFrame(rows),
        "evidence": evidence_table(named, single, described),
    }
    if asked:
        result["claims"] = claims_table(described)

    if adata is None:
        table = result.pop("descriptions")
        table.attrs = {name: part.to_dict("records") for name, part in result.items()}
        return table
    params = {
        "gene_symbols": gene_symbols,
        "organism": organism,
        "gene_sets": "enrichment" if known is None else len(known),
        "background": background if background is None or isinstance(background, str) else "list",
        "texts": len(gene_texts),
        "context": context,
        "min_confidence": float(min_confidence),
        "dnaclip_version": __version__,
    }
    if llm is not None:
        params |= {
            # Of other clients not even the repr: it might show a key.
            "llm": repr(llm) if isinstance(llm, ChatClient) else getattr(llm, "__name__", type(llm).__name__),
            "prompts": fingerprint(PROMPTS),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
    adata = adata.copy() if copy else adata
    kept = {key: value for key, value in record.items() if key not in PARTS}
    with quiet_view():
        adata.uns[program_key] = {**kept, **result, "description_params": clean_params(params)}
    return adata if copy else None


def _check_arguments(llm: object, min_confidence: object, context: object) -> None:
    if llm is not None and not callable(llm):
        msg = f"llm must be a dnaclip.llm.ChatClient or a function from messages to text, got {type(llm).__name__}."
        raise InputError(msg)
    if (
        isinstance(min_confidence, bool)
        or not isinstance(min_confidence, (int, float, np.number))
        or not 0 <= min_confidence <= 1
    ):
        msg = f"min_confidence must be a number from 0 to 1, got {min_confidence!r}."
        raise InputError(msg)
    if not isinstance(context, str):
        msg = f"context must be text, got {type(context).__name__}."
        raise InputError(msg)


def _asked(
    llm: Callable[[list[dict[str, str]]], str],
    programs: dict[str, list[str]],
    named: dict[str, ProgramName],
    single: dict[str, dict[str, Evidence]],
    context: str,
) -> dict[str, Description]:
    """Let the model describe one program after the other, until there is none left or it fails."""
    from tqdm.auto import tqdm

    described: dict[str, Description] = {}
    for program, genes in tqdm(programs.items(), desc="programs", disable=len(programs) < 2):
        try:
            evidence = [*named[program].evidence, *single[program].values()]
            described[program] = describe_program(llm, genes, evidence, context=context)
        except LanguageModelError as error:
            msg = f"{len(programs) - len(described)} of {len(programs)} programs are described without it. {error}"
            warnings.warn(msg, UserWarning, stacklevel=3)
            break
    return described
