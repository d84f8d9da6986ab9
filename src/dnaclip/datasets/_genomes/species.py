"""The species that pairs are built for, and what each provider calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError, examples
from dnaclip.datasets._species import SPECIES

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["DIVISIONS", "SpeciesFiles", "choose_species", "load_species"]

DIVISIONS = ("vertebrates", "metazoa", "plants", "fungi", "protists", "bacteria")
CONFIG = Path(__file__).with_name("species.yaml")
_GENOMES = ("dna.toplevel", "dna.primary_assembly")


@dataclass(frozen=True)
class SpeciesFiles:
    """What is fetched for a species; empty where a provider has nothing. `species.yaml` explains the fields."""

    name: str
    taxon_id: int = 0
    division: str = "vertebrates"
    folder: str = ""
    genome: str = "dna.toplevel"
    assembly: str = ""
    gene_info: str = ""
    uniprot: str = ""
    alliance: str = ""
    hgnc: bool = False

    @property
    def ensembl(self) -> str:
        """Folder of the species."""
        return self.folder or self.name.lower().replace(" ", "_")


def load_species(config: str | os.PathLike[str] | None = None) -> list[SpeciesFiles]:
    """Read a list of species, that of the package by default.

    Raises
    ------
    InputError
        The file is not such a list.
    """
    import yaml

    path = CONFIG if config is None else Path(config)
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{str(path)!r} cannot be read as a list of species ({error})."
        raise InputError(msg) from error
    entries = content.get("species") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        msg = f"{str(path)!r} must hold a list 'species:' with at least one entry such as {{name: Ciona savignyi}}."
        raise InputError(msg)
    return [_entry(entry, path) for entry in entries]


def choose_species(names: Sequence[str], known: Sequence[SpeciesFiles], *, division: str) -> list[SpeciesFiles]:
    """Find species by their Latin or English names; any other Latin name is taken to be one of Ensembl's, without texts of others.

    Raises
    ------
    InputError
        A name is no Latin name, or comes twice.
    """
    if list(names) == ["all"]:
        return list(known)
    by_name = {each.name.lower(): each for each in known}
    # English names, as elsewhere in dnaclip.
    for each in SPECIES:
        listed = by_name.get(each.ensembl.replace("_", " "))
        by_name |= {name.replace("_", " "): listed for name in (each.name, *each.also) if listed}
    chosen = []
    for name in names:
        plain = " ".join(name.replace("_", " ").split())
        if plain.lower() in by_name:
            chosen.append(by_name[plain.lower()])
        elif re.fullmatch(r"[A-Za-z]+( [A-Za-z0-9.-]+)+", plain):
            chosen.append(SpeciesFiles(plain[0].upper() + plain[1:], division=division))
        else:
            msg = (
                f"species={name!r} is no Latin name such as 'Ciona savignyi'. Known with all their texts: "
                f"{examples([each.name for each in known], 24)}."
            )
            raise InputError(msg)
    twice = sorted({each.name for each in chosen if sum(other.name == each.name for other in chosen) > 1})
    if twice or not chosen:
        msg = f"species names {examples(twice)} more than once." if twice else "species is empty. Name one, or 'all'."
        raise InputError(msg)
    return chosen


def _entry(entry: Any, path: Path) -> SpeciesFiles:
    allowed = [each.name for each in fields(SpeciesFiles)]
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or set(entry) - set(allowed):
        msg = f"{path.name}: {entry!r} is no species. Give a name and, as far as they apply, {', '.join(allowed[1:])}."
        raise InputError(msg)
    wrong = [
        f"{key} {value!r}" for key, value in entry.items() if type(value) is not type(getattr(SpeciesFiles, key, ""))
    ]
    if wrong:
        msg = f"{path.name}, {entry['name']}: {examples(wrong)} cannot be; taxon_id is a whole number, hgnc true or false, the others text."
        raise InputError(msg)
    found = SpeciesFiles(**entry)
    if found.division not in DIVISIONS or found.genome not in _GENOMES:
        msg = f"{path.name}, {found.name}: division must be one of {DIVISIONS}, and genome one of {_GENOMES}."
        raise InputError(msg)
    if found.assembly and not re.fullmatch(r"GC[AF]_\d{9}\.\d+_[A-Za-z0-9._-]+", found.assembly):
        msg = (
            f"{path.name}, {found.name}: assembly must be as NCBI's folder is named, such as GCF_000005845.2_ASM584v2."
        )
        raise InputError(msg)
    return found
