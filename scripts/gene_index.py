"""Lists of genes with their identifiers, one row per gene: what an embedding table is keyed by.

Each list has the seven columns of `dnaclip.datasets.EmbeddingTable.genes` and a column `text`, the function text
("" when there is none). Rows of the pairs file are put beside it by :func:`pair_genes`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dnaclip.datasets._lookup import UNKNOWN, GeneLookup
from dnaclip.datasets._table import GENE_COLUMNS

COLUMNS = [*GENE_COLUMNS, "text"]
# NCBI's words for what Ensembl calls a biotype.
NCBI_BIOTYPES = {"protein-coding": "protein_coding", "pseudo": "pseudogene", "unknown": "", "other": ""}
PAIR_COLUMNS = ["species", "gene_id", "symbol", "biotype", "seqid", "text", "informative", "entrez_id"]


def gene_index_human(shared: str | Path) -> pd.DataFrame:
    """Every human gene with text or sequence, text columns, one row per gene."""
    folder = Path(shared) / "genes"
    found = pd.read_parquet(folder / "human_gene_text.parquet").fillna("")
    official = pd.read_parquet(folder / "hgnc_2024.parquet", columns=["hgnc_id", "ensembl_gene_id"]).fillna("")
    genes = pd.DataFrame(
        {
            "ensembl_id": _one_owner(found, official),
            "entrez_id": found["entrez_id"],
            "symbol": found["symbol"],
            "aliases": _aliases(found),
            "name": found["name"],
            "biotype": found["biotype"].where(found["biotype"] != "", found["ncbi_type"].replace(NCBI_BIOTYPES)),
            "chromosome": _chromosome(found["location"]),
            "text": found["text"],
        }
    )
    return _with_pairs_only(_joined(genes), shared, "Homo sapiens")


def gene_index_other(shared: str | Path, species: str) -> pd.DataFrame:
    """Every gene of another species (scientific name as in the data) with text or sequence, one row per gene."""
    found = pd.read_parquet(
        Path(shared) / "genes" / "other_species_gene_text.parquet", filters=[("species", "==", species)]
    ).fillna("")
    genes = found.reindex(columns=COLUMNS, fill_value="")
    genes["biotype"] = genes["biotype"].replace(NCBI_BIOTYPES)
    genes["ensembl_id"] = genes["ensembl_id"].mask(genes["ensembl_id"].duplicated(), "")
    return _with_pairs_only(_joined(genes), shared, species)


def pair_genes(genes: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Position in `genes` of each row of the pairs file (rows of one species), -1 where there is none.

    The gene id decides, then the Entrez id, then the approved symbol; aliases are not trusted.
    """
    lookup = GeneLookup(genes)
    gene_id = pairs["gene_id"].str.replace(r"^(ENS[A-Z]*G\d+)\.\d+$", r"\1", regex=True)
    numbered = gene_id.str.extract(r"^GeneID:(\d+)$")[0].fillna("")
    rows = np.full(len(pairs), UNKNOWN)
    for index, names in (
        (lookup.ensembl, gene_id),
        (lookup.entrez, numbered.where(numbered != "", pairs["entrez_id"])),
        (lookup.symbol, _name(pairs)),
    ):
        rows = np.where(rows < 0, lookup.find(index, names.to_numpy(object)), rows)
    return np.maximum(rows, UNKNOWN)


def _name(pairs: pd.DataFrame) -> pd.Series:
    return pairs["symbol"].mask(pairs["symbol"] == "", pairs["gene_id"])


def _one_owner(found: pd.DataFrame, official: pd.DataFrame) -> pd.Series:
    """Ensembl ids, each on one row: the row that HGNC gives it to, else the one with the lowest Entrez id."""
    given = found["hgnc_id"].map(official.drop_duplicates("hgnc_id").set_index("hgnc_id")["ensembl_gene_id"])
    order = pd.DataFrame(
        {
            "id": found["ensembl_id"],
            "other": found["ensembl_id"] != given,
            "entrez": pd.to_numeric(found["entrez_id"], errors="coerce"),
        }
    ).sort_values(["other", "entrez"], kind="stable")
    return found["ensembl_id"].mask(order["id"].duplicated().reindex(found.index), "")


def _aliases(found: pd.DataFrame) -> pd.Series:
    """Aliases and previous symbols joined by `|`.

    A name that was once the approved symbol of exactly one gene is left to that gene: SEPT2 means SEPTIN2, although
    SEPTIN6 lists it as an alias.
    """
    split = {column: found[column].str.split("|").explode() for column in ("prev_symbols", "aliases")}
    previous = split["prev_symbols"]
    owned = previous[(previous != "") & ~previous.duplicated(keep=False)]
    alias = split["aliases"]
    owner = pd.Series(owned.index, index=owned.to_numpy()).reindex(alias.to_numpy()).to_numpy()
    alias = alias[np.isnan(owner) | (owner == alias.index)]
    both = pd.concat([previous, alias]).rename("alias").rename_axis("row").reset_index()
    both = both[both["alias"] != ""].drop_duplicates()
    return both.groupby("row")["alias"].agg("|".join).reindex(found.index, fill_value="")


def _chromosome(location: pd.Series) -> pd.Series:
    """Chromosome of a cytogenetic band such as `17p13.1`, or of a sequence name such as `hg19:chr5`."""
    pattern = r"^(?:\w+:)?(?:[Cc]hr)?(\d{1,2}[LR]?|[IVX]+|[YWZ]|MT?|mitochondria)(?:[pqc]|\b)"
    name = location.str.extract(pattern)[0]
    return name.where(name.notna(), "").replace({"M": "MT", "mitochondria": "MT"})


def _joined(genes: pd.DataFrame) -> pd.DataFrame:
    """Join pairs of rows of one gene: same symbol, one row with the Ensembl id only, one with the Entrez id only."""
    genes = genes.reset_index(drop=True)
    named = genes[genes["symbol"] != ""]
    ensembl_only = named[(named["ensembl_id"] != "") & (named["entrez_id"] == "")]
    entrez_only = named[(named["ensembl_id"] == "") & (named["entrez_id"] != "")]
    # More rows than these two mean a family name (5S_rRNA), not one gene.
    twins = named["symbol"].value_counts().loc[lambda n: n == 2].index
    other = pd.Series(entrez_only.index, index=entrez_only["symbol"])
    mine = ensembl_only[ensembl_only["symbol"].isin(twins.intersection(other.index))]
    theirs = genes.loc[other[mine["symbol"]]].set_index(mine.index)
    # Where both rows say something, Ensembl's row wins, except that the longer text is kept.
    text = genes.loc[mine.index, "text"]
    genes.loc[mine.index, "text"] = text.where(text.str.len() >= theirs["text"].str.len(), theirs["text"])
    for column in GENE_COLUMNS:
        own = genes.loc[mine.index, column]
        genes.loc[mine.index, column] = own.where(own != "", theirs[column])
    return genes.drop(index=pd.Index(other[mine["symbol"]])).reset_index(drop=True)


def _with_pairs_only(genes: pd.DataFrame, shared: str | Path, species: str) -> pd.DataFrame:
    """Add the genes that only the pairs file knows; their text counts when it is informative."""
    pairs = pd.read_parquet(
        Path(shared) / "genes" / "pairs.parquet", columns=PAIR_COLUMNS, filters=[("species", "==", species)]
    )
    pairs = pairs[pair_genes(genes, pairs) == UNKNOWN]
    numbered = pairs["gene_id"].str.extract(r"^GeneID:(\d+)$")[0].fillna("")
    # The other ids are Ensembl's or locus tags, save those that name a transcript or repeat a symbol (not Arabidopsis').
    stable = ~pairs["gene_id"].str.contains(r":|^[NX][MR]_") & (
        (pairs["gene_id"] != pairs["symbol"]) | pairs["gene_id"].str.match(r"^AT[1-5CM]G\d{5}$")
    )
    ensembl_id = pairs["gene_id"].where(stable, "")
    entrez_id = numbered.where(numbered != "", pairs["entrez_id"])
    extra = pd.DataFrame(
        {
            "ensembl_id": ensembl_id,
            "entrez_id": entrez_id,
            "symbol": pairs["symbol"].where((ensembl_id != "") | (entrez_id != ""), _name(pairs)),
            "aliases": "",
            "name": "",
            "biotype": pairs["biotype"],
            "chromosome": _chromosome(pairs["seqid"]),
            "text": pairs["text"].where(pairs["informative"], ""),
        }
    )
    for column in ("ensembl_id", "entrez_id"):
        extra = extra[(extra[column] == "") | ~extra[column].duplicated()]
    by_symbol_only = (extra["ensembl_id"] == "") & (extra["entrez_id"] == "")
    extra = extra[~(by_symbol_only & extra["symbol"].duplicated())]
    return pd.concat([genes, extra], ignore_index=True)[COLUMNS]
