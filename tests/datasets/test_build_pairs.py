"""Pairs of two made-up species, from a local server laid out like Ensembl's, NCBI's and UniProt's."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from dnaclip import pp
from dnaclip.cli import app
from dnaclip.datasets._expected import BsdSum
from dnaclip.datasets._genomes import fetch
from dnaclip.datasets._genomes.species import choose_species, load_species
from dnaclip.datasets._transfer import ask_size
from dnaclip.errors import DownloadError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Server

build_pairs: Any = pp.build_pairs
summarize_pairs: Any = pp.summarize_pairs
CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]
COMPLEMENT = str.maketrans("ACGT", "TGCA")
CIONA = "release-113/{}/ciona_savignyi"
YEAST = "fungi/release-60/{}/saccharomyces_cerevisiae"
GENE_INFO_HEAD = "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\tdescription\tModification_date\n"


@dataclass
class World:
    """What the server holds, and the config that names it."""

    server: Server
    config: Path
    out: Path
    genes: dict[str, dict[str, str]] = field(default_factory=dict)

    def put(self, provider: str, place: str, name: str, content: bytes) -> None:
        """Serve a file; of Ensembl's, with the list of checksums beside it."""
        self.server.put(f"/{provider}/{place}/{name}", content)
        if provider.startswith("ensembl"):
            digest = BsdSum()
            digest.update(content)
            listing = f"{digest.hexdigest()} {-(-len(content) // 1024)} {name}\n12345 7 README\n"
            self.server.put(f"/{provider}/{place}/CHECKSUMS", listing.encode())

    def build(self, *names: str, **options: Any) -> pd.DataFrame:
        options = {"config": self.config, "base_url": self.server.url, "progress": False, **options}
        return build_pairs(list(names) or ["all"], self.out, **options)

    def put_genome(
        self, provider: str, layout: str, name: str, *, prefix: str, rng: np.random.Generator, number: int
    ) -> None:
        """Serve a genome of 60 genes on both strands of two contigs, which fall into 12 families."""
        contigs: dict[str, list[str]] = {"1": [], "2": []}
        lines = ["##gff-version 3\n", "#!genome-version TOY1\n", "#!genebuild-last-updated 2024-01\n"]
        sequences = {}
        families = rng.choice(CODONS, (12, 80))
        for i in range(60):
            codons = np.where(rng.random(80) < 0.1, rng.choice(CODONS, 80), families[i % 12])
            gene = "ATG" + "".join(codons) + "TAA"
            contig, strand = str(i % 2 + 1), "+-"[i // 2 % 2]
            here = contigs[contig]
            here.append("".join(rng.choice(list("ACGT"), 30)))
            start = sum(map(len, here)) + 1
            here.append(gene if strand == "+" else gene[::-1].translate(COMPLEMENT))
            lines.append(
                f"{contig}\ttoy\tgene\t{start}\t{start + len(gene) - 1}\t.\t{strand}\t.\tID=gene:{prefix}{i:04d};"
                f"Name=sym{i};biotype=protein_coding;description=toy protein {i % 12} member {i} [Source:toy]\n"
            )
            sequences[f"{prefix}{i:04d}"] = gene
        self.genes[name] = sequences
        fasta = "".join(f">{contig} dna:chromosome\n{''.join(parts)}\n" for contig, parts in contigs.items())
        for kind, ending, text in (("gff3", f"{number}.gff3", "".join(lines)), ("fasta", "dna.toplevel.fa", fasta)):
            place = layout.format(kind) + ("/dna" if kind == "fasta" else "")
            self.put(provider, place, f"{name}.TOY1.{ending}.gz", gzip.compress(text.encode(), mtime=0))


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    config = tmp_path / "species.yaml"
    entries = [
        {"name": "Ciona savignyi", "taxon_id": 51511},
        {
            "name": "Saccharomyces cerevisiae",
            "taxon_id": 559292,
            "division": "fungi",
            "gene_info": "Fungi/Saccharomyces_cerevisiae",
            "uniprot": "fungi",
        },
    ]
    config.write_text(yaml.safe_dump({"species": entries}))
    made = World(server, config, tmp_path / "pairs.parquet")
    rng = np.random.default_rng(0)
    made.put_genome("ensembl", CIONA, "Ciona_savignyi", prefix="ENSCSAVG0000000", rng=rng, number=113)
    made.put_genome("ensemblgenomes", YEAST, "Saccharomyces_cerevisiae", prefix="YAL", rng=rng, number=60)
    info = GENE_INFO_HEAD + "".join(
        f"559292\t{1000 + i}\tSYM{i}\t-\tEnsembl:YAL{i:04d}\ttoy enzyme {i}\t20250101\n" for i in range(60)
    )
    summary = "#tax_id\tGeneID\tSource\tSummary\n559292\t1003\tRefSeq\tIt cuts toys. [provided by RefSeq, Jul 2008]\n"
    made.put(
        "ncbi",
        "gene/DATA/GENE_INFO/Fungi",
        "Saccharomyces_cerevisiae.gene_info.gz",
        gzip.compress(info.encode(), mtime=0),
    )
    made.put("ncbi", "gene/DATA", "gene_summary.gz", gzip.compress(summary.encode(), mtime=0))
    flat = (
        "ID   TOY_YEAST               Reviewed;           3 AA.\nAC   P00001;\n"
        "DT   01-JAN-2000, integrated into UniProtKB/Swiss-Prot.\nDT   01-JAN-2000, sequence version 1.\n"
        "DT   05-FEB-2025, entry version 9.\nDE   RecName: Full=Toy cutter;\nGN   Name=SYM3; OrderedLocusNames=YAL0003;\n"
        "OS   Saccharomyces cerevisiae.\nOC   Eukaryota.\nOX   NCBI_TaxID=559292;\nRN   [1]\nRP   X.\nRA   A.;\nRL   Nature 1:1-2(1985).\n"
        "CC   -!- FUNCTION: Cuts toys in two. {ECO:0000250}.\nDR   GeneID; 1003; -.\nPE   1: Evidence at protein level;\n"
        "SQ   SEQUENCE   3 AA;  43653 MW;  AD5C149FD8106131 CRC64;\n     MEE\n//\n"
    )
    packed = gzip.compress(flat.encode(), mtime=0)
    place = "current_release/knowledgebase/taxonomic_divisions"
    made.put("uniprot", place, "uniprot_sprot_fungi.dat.gz", packed)
    digest = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    metalink = (
        '<metalink xmlns="http://www.metalinker.org/"><files><file name="uniprot_sprot_fungi.dat.gz">'
        f'<size>{len(packed)}</size><verification><hash type="md5">{digest}</hash></verification></file></files></metalink>'
    )
    made.put("uniprot", place, "RELEASE.metalink", metalink.encode())
    return made


def test_the_command_builds_two_species_that_a_model_is_trained_on_and_embeds(world: World, tmp_path: Path) -> None:
    pytest.importorskip("Bio")
    from dnaclip.models import DnaClip
    from dnaclip.train import train_folder

    command = ["build-pairs", "--species", "all", "--out", str(world.out), "--config", str(world.config)]
    done = CliRunner().invoke(app, [*command, "--base-url", world.server.url, "--no-progress"])
    assert done.exit_code == 0, done.output
    assert f"Pairs written to {world.out}" in done.output
    pairs = pd.read_parquet(world.out)
    assert pairs.groupby("species", sort=False).size().to_dict() == {
        "Ciona savignyi": 60,
        "Saccharomyces cerevisiae": 60,
    }
    for name, genes in world.genes.items():
        mine = pairs[pairs["species"] == name.replace("_", " ")]
        assert dict(zip(mine["gene_id"], mine["sequence"], strict=True)) == genes
    row = pairs.set_index("gene_id").loc["YAL0003"]
    assert row["text"] == "Gene Symbol sym3 It cuts toys. Protein summary: Cuts toys in two. (by similarity)"
    assert row["text_date"] == "2025-02-05"
    rng = np.random.default_rng(0)
    np.save(tmp_path / "vectors.npy", rng.normal(size=(len(pairs), 8)).astype(np.float32))
    train_folder(
        world.out,
        tmp_path / "model",
        text_vectors=tmp_path / "vectors.npy",
        max_epochs=1,
        batch_size=64,
        progress=False,
    )
    vectors = DnaClip.load(tmp_path / "model").encode_dna(pairs["sequence"].tolist()[:3])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_the_manifest_names_every_source_and_a_rebuild_gives_the_same_bytes(world: World) -> None:
    pytest.importorskip("Bio")
    world.build()
    first, manifest = world.out.read_bytes(), world.out.with_suffix(".manifest.json").read_bytes()
    world.out.unlink()
    world.build()
    assert world.out.read_bytes() == first
    assert world.out.with_suffix(".manifest.json").read_bytes() == manifest
    content = json.loads(manifest)
    assert content["file"]["sha256"] == hashlib.sha256(first).hexdigest()
    assert content["rows"] == 120
    yeast = content["species"][1]
    assert yeast["annotation"] == {"genome-version": "TOY1", "genebuild-last-updated": "2024-01"}
    assert (yeast["rows"], yeast["with_text"]) == (60, 60)
    sources = {each["role"]: each for each in yeast["sources"]}
    assert list(sources) == ["genome", "annotation", "ncbi_gene_info", "ncbi_summary", "uniprot"]
    assert sources["uniprot"]["published"].startswith("md5 ")
    assert sources["uniprot"]["date"] == "2025-02-05"
    assert sources["uniprot"]["statements"] == 2
    assert sources["genome"]["published"].startswith("sum -r ")
    assert sources["ncbi_gene_info"]["date"] == "2025-01-01"
    assert sources["genome"]["url"].endswith("/dna/Saccharomyces_cerevisiae.TOY1.dna.toplevel.fa.gz")
    assert not world.out.with_name("pairs.parquet.parts").exists()


def test_an_interrupted_build_goes_on_where_it_stopped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("Bio")
    genome = f"/ensemblgenomes/{YEAST.format('fasta')}/dna/Saccharomyces_cerevisiae.TOY1.dna.toplevel.fa.gz"
    good = world.server.routes[genome]
    world.server.put(genome, world.server.status(503))
    with pytest.raises(DownloadError, match="503"):
        world.build()
    assert not world.out.exists()
    world.server.routes[genome] = good
    world.build()
    ciona = f"/ensembl/{CIONA.format('gff3')}/Ciona_savignyi.TOY1.113.gff3.gz"
    assert world.server.gets[ciona] == 1
    # Each species by itself, as on a cluster, and then joined without reading any again.
    whole = world.out.read_bytes()
    for name in ("Ciona savignyi", "Saccharomyces cerevisiae"):
        assert world.build(name, parts_only=True).index.tolist() == [name]
    caplog.set_level("INFO", logger="dnaclip")
    world.build()
    assert "Ciona savignyi is there already." in caplog.text
    assert world.out.read_bytes() == whole


def test_a_species_without_texts_still_yields_sequences(world: World) -> None:
    name = "Petromyzon marinus"
    rng = np.random.default_rng(1)
    layout = "release-113/{}/petromyzon_marinus"
    world.put_genome("ensembl", layout, "Petromyzon_marinus", prefix="ENSPMAG0000000", rng=rng, number=113)
    place, file = layout.format("gff3"), "Petromyzon_marinus.TOY1.113.gff3.gz"
    bare = "1\ttoy\tgene\t31\t276\t.\t+\t.\tID=gene:ENSPMAG00000000001.2;biotype=lncRNA\n"
    world.put("ensembl", place, file, gzip.compress(bare.encode(), mtime=0))
    summary: Any = world.build(name)
    assert summary.loc[name, ["genes", "with_text", "informative", "biotype_lncRNA"]].tolist() == [1, 0, 0, 1]
    (row,) = pd.read_parquet(world.out).itertuples()
    assert (row.gene_id, row.text, row.text_level) == ("ENSPMAG00000000001", "", "")
    assert len(str(row.sequence)) == 246


def test_genome_and_annotation_may_come_from_ncbi(world: World) -> None:
    entry = {"name": "Toy bacterium", "assembly": "GCF_000001405.40_TOY1"}
    world.config.write_text(yaml.safe_dump({"species": [entry]}))
    place = "genomes/all/GCF/000/001/405/GCF_000001405.40_TOY1"
    contents = {
        "GCF_000001405.40_TOY1_genomic.fna.gz": b">NC_1.1 Toy chromosome\nAAACCCGGGTTTACGTACGTACG\n",
        "GCF_000001405.40_TOY1_genomic.gff.gz": b"##gff-version 3\n#!annotation-date 2024-02-03\n"
        b"NC_1.1\tRefSeq\tgene\t4\t9\t.\t-\t.\tID=gene-b1;locus_tag=b1;gene=thrA;Dbxref=GeneID:9\n"
        b"NC_1.1\tRefSeq\tCDS\t4\t9\t.\t-\t0\tID=cds-1;Parent=gene-b1;product=toy kinase\n",
    }
    lines = []
    for name, text in contents.items():
        packed = gzip.compress(text, mtime=0)
        world.put("ncbi", place, name, packed)
        lines.append(f"{hashlib.md5(packed, usedforsecurity=False).hexdigest()}  ./{name}\n")
    world.put("ncbi", place, "md5checksums.txt", "".join(lines).encode())
    world.build()
    (row,) = pd.read_parquet(world.out).itertuples()
    assert (row.gene_id, row.symbol, row.sequence, row.entrez_id) == ("b1", "thrA", "CCCGGG", "9")
    assert row.text == "Gene Symbol thrA toy kinase"
    manifest = json.loads(world.out.with_suffix(".manifest.json").read_text())
    assert manifest["species"][0]["annotation"] == {"annotation-date": "2024-02-03"}


def test_gaps_in_the_assembly_are_left_out_and_counted(world: World) -> None:
    place, file = CIONA.format("fasta") + "/dna", "Ciona_savignyi.TOY1.dna.toplevel.fa.gz"
    gaps = ">1\n" + "N" * 9000 + "\n>2\n" + "ACGT" * 2250 + "\n"
    world.put("ensembl", place, file, gzip.compress(gaps.encode(), mtime=0))
    assert world.build("Ciona savignyi").loc["Ciona savignyi", "genes"] == 30
    manifest = json.loads(world.out.with_suffix(".manifest.json").read_text())
    assert manifest["species"][0]["left_out"] == 30


def test_a_file_that_is_not_what_its_checksum_says_is_refused(world: World) -> None:
    genome = f"/ensembl/{CIONA.format('fasta')}/dna/Ciona_savignyi.TOY1.dna.toplevel.fa.gz"
    handler = world.server.routes[genome][0]
    broken = bytearray(gzip.compress(b">1\nACGT\n"))
    world.server.put(genome, bytes(broken))
    with pytest.raises(DownloadError, match=r"toplevel.fa.gz.* could not be fetched .*(checksum|blocks of 1024 bytes)"):
        world.build("Ciona savignyi")
    assert not world.out.exists()
    world.server.routes[genome] = [handler]
    assert world.build("Ciona savignyi").loc["Ciona savignyi", "genes"] == 60


def test_a_broken_annotation_is_named_and_leaves_no_part(world: World) -> None:
    place, file = CIONA.format("gff3"), "Ciona_savignyi.TOY1.113.gff3.gz"
    world.put("ensembl", place, file, gzip.compress(b"1\ttoy\tgene\t9\t4\t.\t+\t.\tID=gene:a\n"))
    with pytest.raises(InputError, match=r"113.gff3.gz, line 1: start 9 is behind end 4"):
        world.build("Ciona savignyi")
    assert not list(world.out.parent.rglob("*.part")) + list(world.out.parent.rglob("*savignyi.parquet"))


def test_the_room_needed_is_said_before_and_too_little_is_refused(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", logger="dnaclip")
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(
        InputError, match=r"MB are to be fetched and about .* to be written, but .* has room for 0.0 MB only"
    ):
        world.build()
    assert "7 of 7 files are to be fetched" in caplog.text
    assert not [path for path in world.server.gets if path.endswith(".gz")]


def test_sizes_that_nobody_publishes_are_asked_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("Bio")
    caplog.set_level("INFO", logger="dnaclip")
    unpublished = [
        f"/ncbi/gene/DATA/{name}.gz" for name in ("GENE_INFO/Fungi/Saccharomyces_cerevisiae.gene_info", "gene_summary")
    ]
    world.server.sizes |= dict.fromkeys(unpublished, 3_000_000)
    world.build()
    # Published are blocks of 1024 bytes for the genomes, and bytes for UniProt.
    assert re.search(
        r"7 of 7 files are to be fetched: 6\.0 MB\. About 0\.0 MB will be written\. There is room", caplog.text
    )
    assert sorted(world.server.heads) == sorted(unpublished)
    caplog.clear()
    world.build()
    assert "0 of 7 files are to be fetched: 0.0 MB." in caplog.text


def test_a_server_that_says_no_size_is_no_hindrance(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("Bio")
    caplog.set_level("INFO", logger="dnaclip")
    del world.server.sizes["/ncbi/gene/DATA/gene_summary.gz"]
    world.build("Saccharomyces cerevisiae")
    assert "5 of 5 files are to be fetched: 0.0 MB, and 1 whose size nobody says." in caplog.text


def test_the_size_of_a_file_is_asked_of_folders_and_servers(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"abc")
    assert ask_size(tmp_path / "a.gz") == 3
    assert ask_size(tmp_path / "b.gz") is None
    assert ask_size(world.server.put("/a.gz", b"abcd")) == 4
    assert ask_size(f"{world.server.url}/b.gz") is None
    assert ask_size("http://127.0.0.1:9/a.gz") is None


def test_offline_no_server_is_asked(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    file = fetch.Located("ncbi_summary", "ncbi/gene_summary.gz", f"{world.server.url}/gene_summary.gz", None)
    caplog.set_level("INFO", logger="dnaclip")
    assert fetch.check_room([file], at_once=1) == 0
    assert "1 of 1 files are to be fetched: 0.0 MB, and 1 whose size nobody says." in caplog.text
    assert world.server.heads == []


def test_a_missing_species_and_a_missing_assembly_are_explained(world: World) -> None:
    with pytest.raises(DownloadError, match="404"):
        world.build("Homo martianus")
    world.server.put(f"/ensembl/{CIONA.format('gff3')}/CHECKSUMS", b"1 2 README\n")
    with pytest.raises(DownloadError, match="must name one file for the annotation, but names none; it lists 1 files"):
        world.build("Ciona savignyi")


def test_feature_and_biotypes_reach_the_table(world: World) -> None:
    world.build("Ciona savignyi", feature="promoter", promoter=(20, 3), texts=False)
    pairs = pd.read_parquet(world.out)
    assert set(pairs["seq_type"]) == {"promoter"}
    assert pairs["sequence"].str.len().max() == 23
    with pytest.raises(
        InputError, match="none with the feature and the biotype asked for. Its biotypes: 'protein_coding'"
    ):
        world.build("Ciona savignyi", biotypes=["miRNA"])


def test_rows_stand_in_groups_that_can_be_read_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip.pp._pairs import shard

    monkeypatch.setattr(shard, "_ROWS", 25)
    world.build("Ciona savignyi")
    with pq.ParquetFile(world.out) as file:
        assert file.num_row_groups == 3  # the two contigs have 30 genes each, and a group may hold both
    whole = summarize_pairs(pd.read_parquet(world.out))
    pd.testing.assert_frame_equal(summarize_pairs(world.out), whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature": "exon"}, "feature='exon' is not known"),
        ({"release": 13}, "release must be a whole number of at least 54"),
        ({"division": "fish"}, "division='fish' is not known"),
        ({"at_once": 0}, "at_once must be a whole number"),
        ({"out": "pairs.csv"}, "must be the path of a Parquet file"),
        ({"species": ["Ciona"]}, "is no Latin name such as 'Ciona savignyi'"),
        ({"species": ["Ciona savignyi", "ciona_savignyi"]}, "species names 'Ciona savignyi' more than once"),
        ({"species": []}, "species is empty"),
        ({"config": "none.yaml"}, "cannot be read as a list of species"),
    ],
)
def test_options_are_checked_before_anything_is_fetched(options: dict[str, Any], message: str) -> None:
    options = {"species": "Ciona savignyi", "out": "pairs.parquet"} | options
    with pytest.raises(InputError, match=message):
        build_pairs(**options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("species: []", "must hold a list 'species:'"),
        ("species: [{taxon_id: 1}]", "is no species. Give a name"),
        ("species: [{name: A b, colour: red}]", "is no species. Give a name"),
        ("species: [{name: A b, assembly: 5, hgnc: true}]", "A b: 'assembly 5' cannot be"),
        ("species: [{name: A b, division: fish}]", "division must be one of"),
        ("species: [{name: A b, assembly: ../x}]", "assembly must be as NCBI's folder is named"),
        ("species: [", "cannot be read as a list of species"),
    ],
)
def test_a_list_of_species_is_checked(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "species.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_species(path)


def test_the_list_of_the_package_has_the_24_species_that_the_paper_counts() -> None:
    species = load_species()
    assert len({each.name for each in species}) == 24
    assert {"Homo sapiens", "Mus musculus", "Escherichia coli", "Ciona savignyi", "Tursiops truncatus"} < {
        each.name for each in species
    }
    assert all(each.taxon_id and each.gene_info and each.uniprot for each in species)


def test_species_may_be_named_in_english() -> None:
    chosen = choose_species(["human", "Fruit fly", "c_elegans"], load_species(), division="vertebrates")
    assert [each.name for each in chosen] == ["Homo sapiens", "Drosophila melanogaster", "Caenorhabditis elegans"]
