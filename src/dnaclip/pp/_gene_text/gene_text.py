"""One text per gene from public databases."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_key
from dnaclip.pp._gene_text.compose import STYLES, Composer, is_informative
from dnaclip.pp._gene_text.mask import MASKS, TermMask
from dnaclip.pp._gene_text.match import HOW, GeneIndex
from dnaclip.pp._gene_text.named import read_alliance, read_frame, read_hgnc
from dnaclip.pp._gene_text.ncbi import read_gene_info, read_gene_summary
from dnaclip.pp._gene_text.rows import KINDS, Source, Statement
from dnaclip.pp._gene_text.uniprot import read_uniprot

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Sequence

__all__ = ["TEXT_COLUMNS", "check_composition", "compose_texts", "gene_text", "read_sources"]

logger = logging.getLogger(__name__)

_READERS: dict[str, Callable[..., Source]] = {
    "ncbi_gene_info": read_gene_info,
    "ncbi_summary": read_gene_summary,
    "uniprot": read_uniprot,
    "hgnc": read_hgnc,
    "alliance": read_alliance,
}
TEXT_COLUMNS = [
    "gene_id",
    "symbol",
    "entrez_id",
    "text",
    "text_level",
    "text_source",
    "evidence",
    "text_date",
    "mapping",
    "informative",
]


def gene_text(
    genes: pd.DataFrame,
    sources: Mapping[str, str | os.PathLike[str] | pd.DataFrame],
    *,
    taxon_id: int | None = None,
    style: Literal["genept", "full"] = "genept",
    mask: Collection[str] = (),
    mask_terms: Collection[str] = (),
    releases: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compose what is known of each gene into one text, with its sources and their dates.

    Parameters
    ----------
    genes
        One row per gene with the column `gene_id`, and if possible `symbol`, `entrez_id` and `description`, as
        :func:`gene_sequences` makes it. The description counts as a source of its own, named `annotation`.
    sources
        Files by kind, packed or not: `"ncbi_gene_info"` and `"ncbi_summary"` (`gene_info`, `gene_summary` of NCBI Gene),
        `"uniprot"` (a flat file, for which Biopython is needed, or a table exported from the website with the columns
        Entry, Protein names, Gene Names, Function [CC] and if possible GeneID, Ensembl, Reviewed), `"hgnc"` (the complete
        set) and `"alliance"` (`GENE-DESCRIPTION-TSV_*`: mouse, rat, zebrafish, fly, worm, yeast). Under any other name, a
        table with the column `text`, `gene_id`, `symbol` or `entrez_id`, and perhaps `kind` (summary, function,
        description or name) and `evidence`.
    taxon_id
        NCBI taxonomy number, for files of many species.
    style
        `"genept"`: `Gene Symbol X`, then the summary (or else the description, or the name), then `Protein summary:` and
        the function of the protein, as GenePT does. `"full"`: the name beside a summary or description too.
    mask
        What to leave out, so that it cannot give the answer to a task away: `"symbol"` (the gene's own names, in the text
        and before it), `"disease"` (sentences that speak of diseases), `"go"` (sentences that a program wrote from
        annotations with terms of the Gene Ontology).
    mask_terms
        Terms, such as the names of the GO terms of a task; sentences that hold one are left out.
    releases
        Release or date by kind of source, where the file does not tell.

    Returns
    -------
    Table with the index of `genes` and the columns

    * `gene_id`; `symbol` and `entrez_id`, completed from the sources;
    * `text`: str, empty where nothing is known;
    * `text_level`: the richest statement in it: `summary`, `function`, `description`, `name`, or empty;
    * `text_source`: sources with accession and date, joined by semicolons;
    * `evidence`: what the statements rest on, in the sources' terms (RefSeq and date, experiment, by similarity, ...);
    * `text_date`: when the youngest of them was last changed, as YYYY-MM-DD or YYYY-MM, empty where no source tells;
    * `mapping`: `id` if all came by identifier, `symbol` or `alias` if one came by that alone, empty without text;
    * `informative`: bool, whether the text says anything of function.

    Raises
    ------
    InputError
        A source is not what it is said to be, or an option is not valid; the message names file and line.
    MissingKeyError
        `genes` has no column `gene_id`.
    MissingDependencyError
        A flat file of UniProt is to be read without Biopython.

    References
    ----------
    The composition: GenePT :cite:p:`Chen2024`, which section A.2 of the DNACLIP paper follows.

    Examples
    --------
    >>> import pandas as pd
    >>> from dnaclip.pp import gene_text
    >>> genes = pd.DataFrame({"gene_id": ["g1", "g2"], "symbol": ["abc", ""], "description": ["a kinase", ""]})
    >>> mine = pd.DataFrame({"gene_id": ["g1"], "text": ["May cut DNA."], "kind": ["function"]})
    >>> texts = gene_text(genes, {"my lab": mine})
    >>> texts["text"].tolist(), texts["text_level"].tolist()
    (['Gene Symbol abc a kinase Protein summary: May cut DNA.', ''], ['function', ''])
    """
    check_key("gene_id", genes.columns, where="the columns of genes")
    check_composition(style, mask, mask_terms)
    _check_sources(sources)
    read = read_sources(sources, taxon_id=taxon_id, releases=releases or {})
    return compose_texts(genes, read, style=style, mask=mask, mask_terms=mask_terms)


def read_sources(
    sources: Mapping[str, str | os.PathLike[str] | pd.DataFrame], *, taxon_id: int | None, releases: Mapping[str, str]
) -> list[Source]:
    """Read files and tables; parameters as in :func:`gene_text`."""
    read = []
    for kind, where in sources.items():
        if isinstance(where, pd.DataFrame):
            source = read_frame(where, kind)
        else:
            source = _READERS[kind](where, taxon_id=taxon_id)
        source.release = releases.get(kind, source.release)
        read.append(source)
    return read


def compose_texts(
    genes: pd.DataFrame, read: Sequence[Source], *, style: str, mask: Collection[str], mask_terms: Collection[str]
) -> pd.DataFrame:
    """Match statements with genes and compose the texts; parameters and table as in :func:`gene_text`."""
    own = _own(genes)
    read = [own, *read]
    index = GeneIndex(genes)
    index.learn(statement for source in read for statement in source.statements)
    said: list[list[tuple[Source, Statement]]] = [[] for _ in range(len(genes))]
    how: dict[tuple[int, int], str] = {}
    for row, statement in enumerate(own.statements):
        said[row].append((own, statement))
    for source in read[1:]:
        n = 0
        for statement in source.statements:
            if statement.text and (found := index.find(statement)):
                row, certainty = found
                said[row].append((source, statement))
                how[row, id(statement)] = certainty
                n += 1
        logger.info("%s: %d of %d statements are about these genes.", source.name, n, len(source.statements))
    compose = Composer(style, mask, TermMask(mask_terms) if mask_terms else None)
    rows = []
    for row, gene_id in enumerate(genes["gene_id"].fillna("").astype(str)):
        text, level, used = compose(index.symbols[row], index.aliases[row], said[row])
        certainties = [how.get((row, id(statement)), HOW[0]) for _, statement in used]
        rows.append(
            (
                gene_id,
                index.symbols[row],
                index.entrez_ids[row],
                text,
                level,
                "; ".join(dict.fromkeys(_cite(source, statement) for source, statement in used)),
                "; ".join(dict.fromkeys(statement.evidence for _, statement in used if statement.evidence)),
                max((statement.date for _, statement in used), default=""),
                max(certainties, key=HOW.index, default=""),
                is_informative(used[0][1].text if used else "", level),
            )
        )
    return pd.DataFrame(rows, columns=TEXT_COLUMNS, index=genes.index)


def _own(genes: pd.DataFrame) -> Source:
    """Take the descriptions of the annotation as a source; a short one without full stop is a name."""
    source = Source("annotation", "genes")
    texts = genes["description"].fillna("").astype(str) if "description" in genes else pd.Series("", index=genes.index)
    for text in texts:
        is_name = len(text.split()) <= 12 and not text.endswith(".")
        source.statements.append(Statement("name" if is_name else "description", text))
    return source


def _cite(source: Source, statement: Statement) -> str:
    return " ".join(part for part in (source.name, statement.accession, source.release) if part)


def check_composition(style: str, mask: Collection[str], mask_terms: Collection[str]) -> None:
    """Check the options of the composition."""
    check_choice("style", style, STYLES)
    for name, value in (("mask", mask), ("mask_terms", mask_terms)):
        if isinstance(value, str):
            msg = f"{name} is a single string. Pass a list: [{value!r}]."
            raise InputError(msg)
    for each in mask:
        check_choice("mask", each, MASKS)


def _check_sources(sources: Any) -> None:
    if not isinstance(sources, Mapping):
        msg = f"sources must be a dictionary of files by kind ({', '.join(_READERS)}), got {type(sources).__name__}."
        raise InputError(msg)
    for kind, where in sources.items():
        if not isinstance(where, pd.DataFrame):
            check_choice("The kind of a source that is a file,", kind, tuple(_READERS))
            continue
        check_key("text", where.columns, where=f"the table {kind!r}")
        if not {"gene_id", "symbol", "entrez_id"} & set(where.columns):
            msg = f"The table {kind!r} names no gene: give it a column gene_id, entrez_id or symbol."
            raise InputError(msg)
        if "kind" in where and (unknown := set(where["kind"]) - set(KINDS)):
            msg = f"The table {kind!r} has the kind {sorted(map(str, unknown))[0]!r}. Use one of: {', '.join(KINDS)}."
            raise InputError(msg)
