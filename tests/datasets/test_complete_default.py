"""Completing the shipped human table with the shipped model, from a server laid out like Ensembl's."""

from __future__ import annotations

import gzip

import numpy as np

from dnaclip.datasets import EmbeddingTable, complete_table, load_table
from dnaclip.datasets._expected import BsdSum
from dnaclip.models import load_pretrained

PLACE = "/pub/release-113/fasta/homo_sapiens/cds"
NAME = "Homo_sapiens.GRCh38.cds.all.fa.gz"


def test_default_model_fills_the_default_table(server, tmp_path):
    shipped = load_table("human")
    lacks = ~shipped.has("dna") & (shipped.genes["ensembl_id"] != "").to_numpy()
    gene = shipped.genes["ensembl_id"][lacks].iloc[0]
    sequence = "ATG" + "GCTAAAGAACTGTGGGATCGT" * 20 + "TAA"
    record = (
        f">ENST0.1 cds chromosome:GRCh38:1:1:9:1 gene:{gene}.7 gene_biotype:protein_coding gene_symbol:X\n{sequence}\n"
    )
    body = gzip.compress(record.encode(), mtime=0)
    digest = BsdSum()
    digest.update(body)
    server.put(f"{PLACE}/{NAME}", body)
    server.put(f"{PLACE}/CHECKSUMS", f"{digest.hexdigest()} {-(-len(body) // 1024)} {NAME}\n".encode())

    out = tmp_path / "human.safetensors"
    complete_table("human", feature="cds", base_url=f"{server.url}/pub", out=out, progress=False)

    completed = EmbeddingTable.load(out)
    row = int(np.flatnonzero(completed.genes["ensembl_id"] == gene)[0])
    expected = load_pretrained().encode_dna([sequence])[0]
    assert completed.has("dna").sum() == shipped.has("dna").sum() + 1
    assert completed.vectors("dna")[row] @ expected > 0.997  # rounded when stored
