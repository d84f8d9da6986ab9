"""Damage every kind of file that dnaclip reads, at random, and see what its reader makes of it.

    python benchmarks/mutated_files.py [--cases 100000] [--only NAME]

A file is cut off, or gets bits flipped, bytes written over, bytes inserted, bytes deleted, or an extreme number. A reader may
refuse it with a `DnaclipError`, and with nothing else; a file with a checksum must be refused or give exactly what was saved;
one without, such as a genome, may read as another file of its kind. No reading may take 5 seconds.
"""

from __future__ import annotations

import argparse
import gzip
import io
import pickle
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from dnaclip._dataframe import read_dataframe
from dnaclip._fasta import read_records
from dnaclip.datasets import EmbeddingTable, gene_sets
from dnaclip.datasets._genomes.species import load_species
from dnaclip.datasets._table import GENE_COLUMNS
from dnaclip.encoders import (
    HyenaDna,
    HyenaDnaConfig,
    VectorTable,
    load_hyenadna,
    read_vectors,
    save_hyenadna,
)
from dnaclip.errors import DnaclipError
from dnaclip.models import Projector, ProjectorConfig, load_folder, save_folder
from dnaclip.models._annotation.calibration import Calibration
from dnaclip.pp import gene_sequences, gene_text
from dnaclip.tl._annotation.queries import read_genes
from dnaclip.train import Recipe, TrainConfig
from dnaclip.train._checkpoint import RunState, load_checkpoint, save_checkpoint
from dnaclip.train._pairs_file import read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXTREMES = (b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7, b"9" * 30, b"-1", b"nan", b"1e999")
SLOWEST = 5.0


@dataclass(frozen=True)
class Kind:
    """A kind of file: how to write one into a folder, which file of it to damage, how to read it, and what is kept whole."""

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    checked: bool = False
    damaged: str = ""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one damage of six kinds."""
    content, at = bytearray(data), int(rng.integers(len(data)))
    match int(rng.integers(6)):
        case 0:
            del content[at:]
        case 1:
            content[at] ^= 1 << int(rng.integers(8))
        case 2:
            content[at : at + 8] = rng.bytes(8)
        case 3:
            content[at:at] = rng.bytes(int(rng.integers(1, 20)))
        case 4:
            del content[at : at + int(rng.integers(1, 20))]
        case _:
            extreme = EXTREMES[int(rng.integers(len(EXTREMES)))]
            content[at : at + len(extreme)] = extreme
    return bytes(content)


def outcomes(kind: Kind, folder: Path, n_cases: int, seed: int) -> Iterator[tuple[str, str, float]]:
    """Yield `read`, `refused`, `silently wrong` or `error` for each case, what was raised, and the seconds it took."""
    place = folder / kind.name.replace(" ", "_")
    place.mkdir()
    path = kind.write(place)
    file = path / kind.damaged if kind.damaged else path
    whole, expected = file.read_bytes(), plain(kind.read(path))
    rng = np.random.default_rng(seed)
    for _ in range(n_cases):
        damaged = mutate(whole, rng)
        file.write_bytes(damaged)
        start = time.perf_counter()
        what, said = "read", ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = kind.read(path)
            if kind.checked and damaged != whole and plain(found) != expected:
                what = "silently wrong"
        except DnaclipError:
            what = "refused"
        except Exception as error:  # noqa: BLE001 (that there is none is what is tested)
            what, said = "error", f"{type(error).__name__}: {str(error)[:90]}"
        yield what, said, time.perf_counter() - start


def plain(value: Any) -> Any:
    """Return something that `==` compares by content."""
    match value:
        case torch.Tensor() | np.ndarray():
            array = np.asarray(value)
            return (array.dtype.str, array.shape, array.tobytes() if array.dtype != object else tuple(array.ravel()))
        case pd.DataFrame():
            return {column: list(map(str, value[column])) for column in value}
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case torch.nn.Module():
            return plain(dict(value.state_dict()))
        case EmbeddingTable():
            return [plain(value.genes), plain(dict(value.sides)), value.species, value.model, value.model_sha256]
        case VectorTable():
            return [list(value.ids), plain(value.encode(value.ids)), value.name, plain(value.facts)]
        case RunState():
            return plain(vars(value))
    return value


def text(name: str, content: str, *, packed: bool = False) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        data = content.encode()
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return folder / name

    return write


RNG = np.random.default_rng(0)
BASES = ["".join(RNG.choice(list("ACGT"), 300)) for _ in range(3)]
FASTA = "".join(f">chr{i} toy\n{one[:150]}\n{one[150:]}\n" for i, one in enumerate(BASES))
GTF = "".join(
    f'chr{i}\ttoy\t{part}\t{11 + 20 * i}\t{190 + 20 * i}\t.\t{"+-+"[i]}\t0\tgene_id "g{i}"; transcript_id "t{i}"; gene_name "N{i}";\n'
    for i in range(3)
    for part in ("gene", "transcript", "exon", "CDS")
)
GFF3 = "##gff-version 3\n" + "".join(
    f"chr{i}\ttoy\tgene\t11\t190\t.\t+\t.\tID=gene:g{i};Name=N{i}\n"
    f"chr{i}\ttoy\tmRNA\t11\t190\t.\t+\t.\tID=transcript:t{i};Parent=gene:g{i}\n"
    f"chr{i}\ttoy\tCDS\t11\t190\t.\t+\t0\tID=CDS:p{i};Parent=transcript:t{i}\n"
    for i in range(3)
)
GMT = "".join(f"set{i}\tabout {i}\t" + "\t".join(f"G{j}" for j in range(i, i + 9)) + "\n" for i in range(5))
VECTORS = "".join(f"G{i} " + " ".join(f"{x:.3f}" for x in RNG.normal(size=5)) + "\n" for i in range(9))
HGNC = "hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\tgene_group\tensembl_gene_id\tentrez_id\n" + "".join(
    f"HGNC:{i}\tG{i}\tgene number {i}\tA{i}|B{i}\t\tGroup {i % 2}\tENSG{i:011d}\t{i + 100}\n" for i in range(6)
)
GENE_INFO = "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\tdescription\n" + "".join(
    f"9606\t{i + 100}\tG{i}\tA{i}|B{i}\tEnsembl:ENSG{i:011d}\tgene number {i}\n" for i in range(6)
)
SUMMARY = "#tax_id\tGeneID\tSource\tSummary\n" + "".join(
    f"9606\t{i + 100}\tRefSeq\tThis gene does thing number {i}. [provided by RefSeq, Jul 2008]\n" for i in range(6)
)
ALLIANCE = "# Date file generated: 2025-03-01\n" + "".join(
    f"ENSG{i:011d}\tG{i}\tIs predicted to do thing number {i}.\n" for i in range(6)
)
UNIPROT = "Entry\tReviewed\tProtein names\tGene Names\tFunction [CC]\tGeneID\tEnsembl\n" + "".join(
    f"P{i:05d}\treviewed\tProtein {i}\tG{i} A{i}\tFUNCTION: Does thing {i}. {{ECO:0000269}}.\t{i + 100};\t\n"
    for i in range(6)
)
SPECIES = "species:\n" + "".join(
    f"  - {{name: Toy animal{i}, taxon_id: {i + 10}, assembly: GCF_00000584{i}.1_ASM{i}, division: vertebrates, hgnc: true}}\n"
    for i in range(4)
)
GENES = pd.DataFrame({"gene_id": [f"ENSG{i:011d}" for i in range(6)], "entrez_id": [str(i + 100) for i in range(6)]})
TABLE = pd.DataFrame({"sequence": BASES, "text": ["one", "two", "three"], "gene_id": ["a", "b", "c"]})


def in_files(name: str, content: str, **other: str) -> Callable[[Path], Path]:
    """Write one file, and others that stay whole beside it."""

    def write(folder: Path) -> Path:
        for title, whole in {name: content, **{key.replace("_", "."): value for key, value in other.items()}}.items():
            (folder / title).write_text(whole)
        return folder

    return write


def write_genbank(folder: Path) -> Path:
    from Bio import SeqIO
    from Bio.Seq import Seq
    from Bio.SeqFeature import SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    record = SeqRecord(Seq(BASES[0]), id="NC_1.1", name="NC_1", annotations={"molecule_type": "DNA"})
    for i in range(3):
        for kind in ("gene", "CDS"):
            place = SimpleLocation(30 * i, 30 * i + 60, 1 - 2 * (i % 2))
            record.features.append(SeqFeature(place, type=kind, qualifiers={"locus_tag": [f"b{i}"], "gene": [f"g{i}"]}))
    SeqIO.write([record], folder / "genome.gbk", "genbank")
    return folder / "genome.gbk"


def write_model(folder: Path) -> Path:
    return save_folder(
        folder / "model", {"w": torch.randn(4, 3, generator=torch.Generator().manual_seed(0))}, {"a": 1}, "toy"
    )


def write_embeddings(folder: Path) -> Path:
    genes = pd.DataFrame({name: [f"{name}{i}" for i in range(5)] for name in GENE_COLUMNS})
    sides = {"dna": RNG.normal(size=(5, 16)), "text": RNG.normal(size=(5, 16))}
    return EmbeddingTable(genes, sides, "human", 9606, "toy", "0" * 64).save(folder / "table.safetensors")


def write_vectors(folder: Path) -> Path:
    return VectorTable([f"G{i}" for i in range(5)], RNG.normal(size=(5, 6)), name="toy").save(folder / "v.safetensors")


def write_pickle(folder: Path) -> Path:
    vectors = {"G1": [0.5] * 12, "G2": np.arange(12.0), "G3": list(range(12))}
    (folder / "v.pickle").write_bytes(pickle.dumps(vectors))
    return folder / "v.pickle"


def write_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "v.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v.txt", VECTORS)
    return folder / "v.zip"


def write_hyenadna(folder: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=1, l_max=16))
    return save_hyenadna(network, folder / "model.safetensors")


def write_original(folder: Path) -> Path:
    content = io.BytesIO()
    weights = {
        f"model.{name.removeprefix('hyena.')}": value for name, value in load_file(write_hyenadna(folder)).items()
    }
    torch.save({"state_dict": weights}, content)
    (folder / "weights.ckpt").write_bytes(content.getvalue())
    return folder / "weights.ckpt"


CONFIG = TrainConfig()


def write_run(folder: Path) -> Path:
    model = Projector(ProjectorConfig(in_dim=4, out_dim=3), seed=0)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    state = RunState(0, 3, 2, 0.5, [{"epoch": 1, "loss": 1.0}], dict(model.state_dict()))
    save_checkpoint(folder / "run.safetensors", state, model, optimizer, config=CONFIG, data={"pairs": "abc"})
    return folder / "run.safetensors"


def write_table(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (TABLE.to_parquet if name.endswith("parquet") else TABLE.to_csv)(folder / name)
        return folder / name

    return write


def write_recipe(folder: Path) -> Path:
    Recipe().save(folder / "recipe.json")
    return folder / "recipe.json"


def write_calibration(folder: Path) -> Path:
    Calibration.load().save(folder / "calibration.json")
    return folder / "calibration.json"


KINDS = [
    Kind("model weights", write_model, load_folder, checked=True, damaged="model.safetensors"),
    Kind("model config", write_model, load_folder, checked=True, damaged="config.json"),
    Kind("embedding table", write_embeddings, EmbeddingTable.load, checked=True),
    Kind("vector table", write_vectors, VectorTable.load, checked=True),
    Kind(
        "checkpoint",
        write_run,
        lambda p: load_checkpoint(p, seed=None, config=CONFIG, data={"pairs": "abc"}),
        checked=True,
    ),
    Kind("hyenadna safetensors", write_hyenadna, load_hyenadna),
    Kind("hyenadna ckpt", write_original, load_hyenadna),
    Kind("pickled vectors", write_pickle, read_vectors),
    Kind("zipped vectors", write_zip, read_vectors),
    Kind("vectors as text", text("v.txt", VECTORS), read_vectors),
    Kind("vectors of two files", in_files("v.csv", "1,2\n3,4\n", v_txt="A\nB\n"), read_vectors, damaged="v.csv"),
    Kind("names of two files", in_files("v.txt", "A\nB\n", v_csv="1,2\n3,4\n"), read_vectors, damaged="v.txt"),
    Kind("gtf", in_files("g.gtf", GTF, g_fa=FASTA), lambda p: gene_sequences(p / "g.fa", p / "g.gtf"), damaged="g.gtf"),
    Kind(
        "gff3",
        in_files("g.gff3", GFF3, g_fa=FASTA),
        lambda p: gene_sequences(p / "g.fa", p / "g.gff3"),
        damaged="g.gff3",
    ),
    Kind(
        "genome", in_files("g.fa", FASTA, g_gtf=GTF), lambda p: gene_sequences(p / "g.fa", p / "g.gtf"), damaged="g.fa"
    ),
    Kind("fasta to annotate", text("g.fa", FASTA), lambda p: list(read_genes(p))),
    Kind("packed fasta to annotate", text("g.fa.gz", FASTA, packed=True), lambda p: list(read_genes(p))),
    Kind("fasta to encode", text("g.fa", FASTA), lambda p: list(read_records(p))),
    Kind("packed fasta to encode", text("g.fa.gz", FASTA, packed=True), lambda p: list(read_records(p))),
    Kind("gene sets", text("s.gmt", GMT), gene_sets),
    Kind("pairs", write_table("pairs.parquet"), lambda p: read_pairs(p).table),
    Kind("known genes, parquet", write_table("known.parquet"), read_dataframe),
    Kind("known genes, csv", write_table("known.csv"), read_dataframe),
    Kind("recipe", write_recipe, Recipe.load),
    Kind("calibration", write_calibration, Calibration.load),
    Kind("hgnc", text("hgnc.txt", HGNC), lambda p: gene_text(GENES, {"hgnc": p})),
    Kind("gene_info", text("gene_info.gz", GENE_INFO, packed=True), lambda p: gene_text(GENES, {"ncbi_gene_info": p})),
    Kind("alliance", text("alliance.tsv", ALLIANCE), lambda p: gene_text(GENES, {"alliance": p})),
    Kind("uniprot table", text("uniprot.tsv", UNIPROT), lambda p: gene_text(GENES, {"uniprot": p})),
    Kind("genbank", write_genbank, lambda p: gene_sequences(p)),
    Kind("species", text("species.yaml", SPECIES), load_species),
    Kind("gene_summary", text("gene_summary", SUMMARY), lambda p: gene_text(GENES, {"ncbi_summary": p})),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="in all, the same number for each kind of file")
    parser.add_argument("--only", default="", help="only kinds of file whose name has this in it")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if options.only in kind.name]
    each = -(-options.cases // len(kinds))
    print("| file | checksum | cases | read | refused | silently wrong | other errors | slowest, s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in kinds:
        count: Counter[str] = Counter()
        errors: Counter[str] = Counter()
        slowest = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for what, said, seconds in outcomes(kind, Path(folder), each, options.seed):
                count[what] += 1
                slowest = max(slowest, seconds)
                errors.update([said] if said else [])
        numbers = " | ".join(f"{count[what]:,}" for what in ("read", "refused", "silently wrong", "error"))
        print(f"| {kind.name} | {'yes' if kind.checked else 'no'} | {each:,} | {numbers} | {slowest:.2f} |", flush=True)
        for said, n in errors.most_common(5):
            print(f"    {n} x {said}", flush=True)


if __name__ == "__main__":
    main()
