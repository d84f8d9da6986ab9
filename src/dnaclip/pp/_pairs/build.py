"""From the providers' servers to a table of pairs for training."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm.auto import tqdm

from dnaclip._errors import InputError
from dnaclip._files import write_atomic
from dnaclip._validate import check_choice, check_count
from dnaclip.datasets._genomes.fetch import check_room, fetch_files, locate
from dnaclip.datasets._genomes.layout import bases, wanted_files
from dnaclip.datasets._genomes.species import DIVISIONS, choose_species, load_species
from dnaclip.pp._gene_text.gene_text import check_composition, compose_texts, read_sources
from dnaclip.pp._genome.gene_sequences import plan_genes
from dnaclip.pp._genome.lines import numbered_lines
from dnaclip.pp._genome.plan import read_sequences
from dnaclip.pp._genome.request import FEATURES
from dnaclip.pp._pairs.shard import join_shards, write_shard
from dnaclip.pp._pairs.summary import summarize_pairs

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence

    import pandas as pd

    from dnaclip.datasets._genomes.fetch import Fetched
    from dnaclip.datasets._genomes.species import SpeciesFiles

__all__ = ["build_pairs"]

logger = logging.getLogger(__name__)

_FORMAT = 1
# Hundredths of the size of packed genomes that a table of their genes takes, its parts and the whole.
_ROOM_FOR_GENES, _ROOM_FOR_OTHERS = 140, 20


def build_pairs(
    species: str | Sequence[str],
    out: str | os.PathLike[str],
    *,
    release: int = 113,
    feature: Literal["gene", "transcript", "cds", "promoter"] = "gene",
    flank: int | tuple[int, int] = 0,
    promoter: tuple[int, int] = (1000, 0),
    biotypes: Collection[str] | None = None,
    texts: bool = True,
    style: Literal["genept", "full"] = "genept",
    mask: Collection[str] = (),
    config: str | os.PathLike[str] | None = None,
    division: str = "vertebrates",
    base_url: str | os.PathLike[str] | None = None,
    at_once: int = 2,
    parts_only: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Fetch genomes, annotations and texts of species, and write a table of pairs.

    Files come from Ensembl (and Ensembl Genomes), NCBI Gene, UniProt, HGNC and the Alliance of Genome Resources, are
    checked against the checksums that these publish, and stay in the cache folder. Of those that are recalculated daily
    and have no published checksum (NCBI Gene, HGNC, the Alliance) the first copy is kept, and later ones must equal it.

    An interrupted run is taken up where it stopped when it is started again: files that are here are not fetched again,
    and species that are done are not read again. The same files and options give the same bytes.

    Parameters
    ----------
    species
        Latin or English name or names, or `"all"` for the 24 of the package. One that is not among them is taken from Ensembl, with
        the descriptions that stand in its annotation as texts.
    out
        Parquet file to write. Beside it stand `<name>.manifest.json`, and while it is built the folder `<name>.parts`.
    release
        Release of Ensembl; Ensembl Genomes is taken from the release of the same time.
    feature, flank, promoter, biotypes
        As in :func:`gene_sequences`; one transcript of each gene.
    texts
        Whether to fetch texts. Without, only what the annotation says of genes is taken.
    style, mask
        As in :func:`gene_text`.
    config
        YAML file with a list of species in place of the package's.
    division
        Where Ensembl keeps species that are not in the list: `"vertebrates"`, `"metazoa"`, `"plants"`, `"fungi"`,
        `"protists"` or `"bacteria"`.
    base_url
        Address or folder with the folders `ensembl`, `ensemblgenomes`, `ncbi`, `uniprot`, `alliance` and `hgnc`, laid out
        as on the providers' servers; by default `DNACLIP_MIRROR`, or the public servers.
    at_once
        Files fetched at the same time. Providers ask for few.
    parts_only
        Write the species' parts and leave them unjoined, so that many machines can each build some; the same call with all
        species and without this joins them.
    progress
        Whether to show progress bars.

    Returns
    -------
    What :func:`summarize_pairs` says of the table (with `parts_only`, of the parts).

    Written to `out`, a row per gene: `species`, `taxon_id`, `gene_id`, `symbol`, `biotype`, `seqid`, `start`, `end`,
    `strand`, `sequence`, `seq_type` (the feature), `text`, `text_level`, `text_source`, `evidence`, `text_date`, `mapping`,
    `informative`, `entrez_id`, `transcript_id`, as :func:`gene_sequences` and :func:`gene_text` explain; genes without text
    have an empty one. Left out are genes whose sequence is a gap in the assembly (N) for more than half.

    Raises
    ------
    InputError
        An option is not valid, the disk is too small, or a file cannot be read.
    DownloadError
        A file cannot be had, or is not what its provider says.
    MissingDependencyError
        UniProt's files are to be read without Biopython.

    Examples
    --------
    >>> from dnaclip.pp import build_pairs
    >>> build_pairs("Ciona", "pairs.parquet")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: species='Ciona' is no Latin name such as 'Ciona savignyi'. Known with all their texts: ...
    """
    names = [species] if isinstance(species, str) else list(species)
    chosen = choose_species(names, load_species(config), division=division)
    check_choice("division", division, DIVISIONS)
    check_choice("feature", feature, FEATURES)
    check_composition(style, mask, ())
    check_count("release", release, least=54)
    check_count("at_once", at_once)
    out = Path(out)
    if out.suffix != ".parquet":
        msg = f"out={str(out)!r} must be the path of a Parquet file, such as 'pairs.parquet'."
        raise InputError(msg)
    options: dict[str, Any] = {
        "release": release,
        "feature": feature,
        "flank": list(flank) if isinstance(flank, tuple) else flank,
        "promoter": list(promoter) if feature == "promoter" else None,
        "biotypes": None if biotypes is None else sorted(biotypes),
        "style": style,
        "mask": sorted(mask),
    }
    where = bases(base_url)
    located = [[locate(each, where) for each in wanted_files(one, release=release, texts=texts)] for one in chosen]
    every = [file for files in located for file in files]
    check_room(every, at_once=at_once, more=_ROOM_FOR_GENES if feature == "gene" else _ROOM_FOR_OTHERS)
    fetched = iter(fetch_files(every, at_once=at_once, progress=progress))
    parts = out.with_name(f"{out.name}.parts")
    records = []
    bar = tqdm(zip(chosen, located, strict=True), total=len(chosen), desc="species", disable=not progress)
    for one, files in bar:
        have = [next(fetched) for _ in files]
        records.append(_build_species(one, have, parts, options, flank=flank, promoter=promoter, biotypes=biotypes))
    shards = [_shard(parts, one) for one in chosen]
    if parts_only:
        import pandas as pd

        return pd.concat([summarize_pairs(shard) for shard in shards]).fillna(0)
    join_shards(shards, out)
    manifest = {
        "format": _FORMAT,
        "options": options,
        "file": {"name": out.name, "sha256": _sha256(out), "bytes": out.stat().st_size},
        "rows": sum(record["rows"] for record in records),
        "species": records,
    }
    write_atomic(out.with_suffix(".manifest.json"), (json.dumps(manifest, indent=2) + "\n").encode())
    shutil.rmtree(parts)
    return summarize_pairs(out)


def _build_species(
    species: SpeciesFiles,
    fetched: list[Fetched],
    parts: Path,
    options: dict[str, Any],
    *,
    flank: int | tuple[int, int],
    promoter: tuple[int, int],
    biotypes: Collection[str] | None,
) -> dict[str, Any]:
    """Write the shard of a species unless it is there, and return its entry of the manifest."""
    shard = _shard(parts, species)
    note = shard.with_suffix(".json")
    sources: list[dict[str, Any]] = [
        {"role": each.role, "url": each.url, "published": each.published, "sha256": each.sha256, "bytes": each.bytes}
        for each in fetched
    ]
    made_from = {"format": _FORMAT, "species": asdict(species), "options": options, "sources": sources}
    if shard.is_file() and note.is_file():
        with suppress(ValueError, KeyError, TypeError):  # a note that cannot be read counts as not there
            record = json.loads(note.read_text(encoding="utf-8"))
            if record["made_from"] == made_from and record["sha256"] == _sha256(shard):
                logger.info("%s is there already.", species.name)
                return record["entry"]
    paths = {each.role: each.path for each in fetched}
    plan, genome = plan_genes(
        paths["genome"],
        paths["annotation"],
        options["feature"],
        flank,
        promoter=promoter,
        transcripts="one",
        biotypes=biotypes,
        circular=(),
        keep_versions=False,
        index=False,
    )
    of_texts = {role: path for role, path in paths.items() if role not in ("genome", "annotation")}
    read = read_sources(of_texts, taxon_id=species.taxon_id or None, releases={})
    texts = compose_texts(plan.table, read, style=options["style"], mask=options["mask"], mask_terms=())
    extracted = read_sequences(plan, genome, seqid_map=None, missing="error", genome_name=paths["genome"].name)
    counts = write_shard(
        shard, plan, texts, extracted, species=species.name, taxon_id=species.taxon_id, feature=options["feature"]
    ).iloc[0]
    dates = {kind: source.release for kind, source in zip(of_texts, read, strict=True)}
    statements = {kind: len(source.statements) for kind, source in zip(of_texts, read, strict=True)}
    entry = {
        "name": species.name,
        "taxon_id": species.taxon_id,
        "rows": int(counts["genes"]),
        "left_out": len(plan.table) - int(counts["genes"]),
        "with_text": int(counts["with_text"]),
        "informative": int(counts["informative"]),
        "annotation": _facts(paths["annotation"]),
        "sources": [
            each | {"date": dates.get(each["role"], ""), "statements": statements.get(each["role"], 0)}
            for each in sources
        ],
    }
    record = {"made_from": made_from, "sha256": _sha256(shard), "entry": entry}
    write_atomic(note, json.dumps(record).encode())
    logger.info("%s: %d genes, %d with text.", species.name, entry["rows"], entry["with_text"])
    return entry


def _shard(parts: Path, species: SpeciesFiles) -> Path:
    return parts / f"{species.name.replace(' ', '_')}.parquet"


def _facts(path: Path) -> dict[str, str]:
    """What the head of the annotation says of assembly and date, as `#!genome-version CSAV2.0`."""
    facts = {}
    for _, line in numbered_lines(path):
        if not line.startswith(b"#"):
            break
        key, _, value = line.decode("utf-8", "replace").strip().partition(" ")
        if key.startswith("#!"):
            facts[key[2:]] = value.strip()
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
