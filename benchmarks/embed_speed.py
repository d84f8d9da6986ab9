"""How long it takes to load a table of the human size, to recognise 36,000 identifiers, and to embed them.

The table holds the identifiers of the real genes and random vectors. Run with:
DNACLIP_SHARED_DATA=../shared/data python benchmarks/embed_speed.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip.datasets import EmbeddingTable
from dnaclip.pp import match_genes
from dnaclip.tl import embed

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from gene_index import PAIR_COLUMNS, gene_index_human, pair_genes

N_IDS = 36_000
REPEATS = 5


def random_table(shared: Path) -> EmbeddingTable:
    """Real human genes; one random vector per distinct text, and per gene with a sequence."""
    rng = np.random.default_rng(0)
    genes = gene_index_human(shared)
    codes, texts = pd.factorize(genes["text"])
    text = rng.normal(size=(len(texts), 128)).astype(np.float32)[codes]
    text[(genes["text"] == "").to_numpy()] = np.nan
    pairs = pd.read_parquet(
        shared / "genes" / "pairs.parquet", columns=PAIR_COLUMNS, filters=[("species", "==", "Homo sapiens")]
    )
    rows = np.unique(pair_genes(genes, pairs))
    dna = np.full_like(text, np.nan)
    dna[rows[rows >= 0]] = rng.normal(size=((rows >= 0).sum(), 128))
    return EmbeddingTable(genes, {"dna": dna, "text": text}, "human", 9606, "random", "0" * 64)


def measure(label: str, action: Callable[[], object]) -> None:
    wall, cpu = [], []
    for _ in range(REPEATS):
        start = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    print(f"{label:<45} {min(wall):6.2f} s wall {min(cpu):6.2f} s CPU (best of {REPEATS})")


def main() -> None:
    table = random_table(Path(os.environ["DNACLIP_SHARED_DATA"]))
    with tempfile.TemporaryDirectory() as folder:
        path = table.save(Path(folder) / "human.safetensors")
        again = EmbeddingTable.load(path)
        print(f"{again}\n{path.stat().st_size / 1e6:.2f} MB, {len(table.genes):,} genes")
        for side, vectors in table.sides.items():
            cosine = np.einsum("ij,ij->i", vectors, again.sides[side])
            print(f"{side}: lowest cosine after rounding {np.nanmin(cosine):.5f}")
        measure("load the table", lambda: EmbeddingTable.load(path))
        for column in ("symbol", "ensembl_id", "entrez_id"):
            ids = table.genes[column][table.genes[column] != ""].drop_duplicates().sample(N_IDS, random_state=0)
            adata = ad.AnnData(sparse.csr_matrix((10, N_IDS), dtype=np.float32), var=pd.DataFrame(index=ids.to_numpy()))

            def match_first(ids: pd.Series = ids) -> None:
                again.__dict__.pop("lookup", None)
                match_genes(ids, again)

            measure(f"match {N_IDS:,} by {column}, first time", match_first)
            measure(f"match {N_IDS:,} by {column}, again", lambda ids=ids: match_genes(ids, again))
            measure(f"tl.embed {N_IDS:,} by {column}, table loaded too", lambda adata=adata: embed(adata, path))


if __name__ == "__main__":
    main()
