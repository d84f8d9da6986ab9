"""`dnaclip annotate`: into a file, from where it was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import dnaclip
from dnaclip._errors import InputError
from dnaclip.cli import app
from dnaclip.datasets import EmbeddingTable
from dnaclip.tl import annotate
from dnaclip.tl._annotation import stream
from dnaclip.tl._annotation.annotator import Annotator

if TYPE_CHECKING:
    from pathlib import Path

    from dnaclip.models import DnaClip


@pytest.fixture(scope="module")
def loaded() -> tuple[DnaClip, EmbeddingTable]:
    """The model, and every fiftieth gene of the human table."""
    table = dnaclip.datasets.load_table("human")
    rows = np.arange(0, len(table), 50)
    sides = {side: table.vectors(side)[rows] for side in table.sides}
    genes = table.genes.iloc[rows].reset_index(drop=True)
    part = EmbeddingTable(genes, sides, table.species, table.taxon_id, table.model, table.model_sha256)
    return dnaclip.models.load_pretrained(), part


@pytest.fixture(autouse=True)
def _loaded_once(loaded: tuple[DnaClip, EmbeddingTable], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnaclip.models, "load_pretrained", lambda _=None: loaded[0])
    monkeypatch.setattr(dnaclip.datasets, "load_table", lambda *_: loaded[1])


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    """Seven genes, of which one is ubiquitin."""
    rng = np.random.default_rng(0)
    codons = ["GCC", "AAG", "CTG", "GAT", "TGC", "GAA"]
    genes = {f"g{i}": "ATG" + "".join(rng.choice(codons, 100)) for i in range(6)}
    genes["ubi"] = (
        "ATGCAGATTTTTGTGAAAACCCTGACCGGCAAAACCATTACCCTGGAAGTGGAACCGAGCGATACCATTGAAAACGTGAAAGCGAAAATTCAGGATAAAGAA"
        "GGCATTCCGCCGGATCAGCAGCGCCTGATTTTTGCGGGCAAACAGCTGGAAGATGGCCGCACCCTGAGCGATTATAACATTCAGAAAGAAAGCACCCTGCAT"
    )
    path = tmp_path / "genes.fa"
    path.write_text("".join(f">{name} x\n{sequence}\n" for name, sequence in genes.items()))
    return path


def test_table_and_report(fasta: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "deep/annotations.tsv", tmp_path / "report.html"
    result = CliRunner().invoke(
        app, ["annotate", str(fasta), "-o", str(out), "--report", str(page), "--n-neighbors", "2", "--no-progress"]
    )
    assert result.exit_code == 0, result.output
    assert "of 7 genes annotated" in result.output
    table = pd.read_csv(out, sep="\t", keep_default_na=False)
    assert len(table) == 14
    expected = annotate(fasta, n_neighbors=2)
    assert table["gene"].tolist() == expected["gene"].tolist()
    assert table["annotation"].tolist() == expected["annotation"].tolist()
    assert sorted(path.name for path in out.parent.iterdir()) == ["annotations.tsv"]
    html = page.read_text()
    assert "<b>7</b>genes" in html
    assert "http" not in html
    assert "ubi" in html


def test_an_interrupted_run_goes_on(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stream.annotate_file(fasta, out=tmp_path / "whole.tsv", n_neighbors=1, progress=False)
    out = tmp_path / "table.tsv"
    real, asked = Annotator.annotate, []

    def stop_at_the_third(self: Annotator, queries: Any) -> pd.DataFrame:
        asked.append(queries.names)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(self, queries)

    monkeypatch.setattr(Annotator, "annotate", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        stream.annotate_file(fasta, out=out, batch_size=2, n_neighbors=1, progress=False)
    assert not out.exists()
    # A kill in the middle of writing leaves half a line.
    with (tmp_path / ".table.tsv.partial").open("ab") as file:
        file.write(b"g4\t1\thalf a li")
    with pytest.raises(InputError, match="other genes or options.*--restart"):
        stream.annotate_file(fasta, out=out, batch_size=2, n_neighbors=2, progress=False)
    again = stream.annotate_file(fasta, out=out, batch_size=2, n_neighbors=1, progress=False)
    assert asked[3] == ["g4", "g5"]
    assert out.read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    pd.testing.assert_frame_equal(again, whole)
    assert not list(tmp_path.glob(".table*"))


def test_restart_begins_anew(fasta: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.tsv"
    (tmp_path / ".table.tsv.partial").write_text("rubbish")
    (tmp_path / ".table.tsv.state.json").write_text('{"mark": "other", "done": 3, "bytes": 4}')
    table = stream.annotate_file(fasta, out=out, n_neighbors=1, restart=True, progress=False)
    assert len(table) == 7


def test_genes_of_a_genome(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    genome = tmp_path / "genome.fa"
    bases = "".join(rng.choice(list("ACGT"), 2000))
    genome.write_text(f">chr1\n{bases}\n")
    annotation = tmp_path / "genes.gff3"
    lines = ["##gff-version 3"]
    for name, kind, start, end in (("a", "mRNA", 101, 400), ("b", "lnc_RNA", 601, 900)):
        lines += [f"chr1\tx\tgene\t{start}\t{end}\t.\t+\t.\tID=gene:{name};gene_id={name}"]
        lines += [f"chr1\tx\t{kind}\t{start}\t{end}\t.\t+\t.\tID=transcript:{name}1;Parent=gene:{name}"]
        lines += [f"chr1\tx\texon\t{start}\t{end}\t.\t+\t.\tParent=transcript:{name}1"]
    lines += ["chr1\tx\tCDS\t131\t190\t.\t+\t0\tID=CDS:a;Parent=transcript:a1"]
    annotation.write_text("\n".join(lines) + "\n")
    found = stream._genes(genome, annotation, "auto")
    assert found.names == ["a", "b"]
    assert found.sequences == [bases[130:190], bases[600:900]]
    with pytest.raises(InputError, match="feature='exon'"):
        stream._genes(genome, annotation, "exon")


def test_mistakes_are_one_line(fasta: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.tsv"
    result = CliRunner().invoke(app, ["annotate", str(fasta), "-o", str(out), "--evidence", "diamond"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: evidence aligns with known sequences")
    assert not out.exists()
    result = CliRunner().invoke(app, ["annotate", str(tmp_path / "none.fa"), "-o", str(out)])
    assert result.exit_code == 1
    assert "There is no file" in result.stderr
