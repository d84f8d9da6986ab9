"""Names of species: what users say, where Ensembl keeps them, their NCBI taxonomy number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dnaclip._errors import InputError

__all__ = ["SPECIES", "Species", "find_species"]


@dataclass(frozen=True)
class Species:
    """One species.

    Parameters
    ----------
    name
        Name in dnaclip.
    ensembl
        Latin name as Ensembl's folders have it.
    taxon_id
        NCBI taxonomy number, 0 when not known.
    also
        Other names that users may give.
    """

    name: str
    ensembl: str
    taxon_id: int = 0
    also: tuple[str, ...] = ()


SPECIES = (
    Species("human", "homo_sapiens", 9606),
    Species("mouse", "mus_musculus", 10090),
    Species("rat", "rattus_norvegicus", 10116),
    Species("zebrafish", "danio_rerio", 7955),
    Species("fly", "drosophila_melanogaster", 7227, ("fruit_fly", "drosophila")),
    Species("worm", "caenorhabditis_elegans", 6239, ("c_elegans", "nematode")),
    # Ensembl's yeast is the strain S288C, which has a taxonomy number of its own.
    Species("yeast", "saccharomyces_cerevisiae", 559292, ("baker's_yeast",)),
    Species("chicken", "gallus_gallus", 9031),
    Species("macaque", "macaca_mulatta", 9544, ("rhesus_macaque", "rhesus")),
    Species("chimpanzee", "pan_troglodytes", 9598, ("chimp",)),
    Species("pig", "sus_scrofa", 9823),
    Species("cow", "bos_taurus", 9913, ("cattle",)),
    Species("dog", "canis_lupus_familiaris", 9615),
    Species("cat", "felis_catus", 9685),
    Species("horse", "equus_caballus", 9796),
    Species("sheep", "ovis_aries_rambouillet", 9940, ("ovis_aries",)),
    Species("rabbit", "oryctolagus_cuniculus", 9986),
    Species("frog", "xenopus_tropicalis", 8364, ("xenopus",)),
    Species("medaka", "oryzias_latipes", 8090),
)


def find_species(name: str) -> Species:
    """Find a species by its English or Latin name.

    Any Latin name of two or more words is accepted: Ensembl has more species than the table here.

    Raises
    ------
    InputError
        It is neither in the table nor a Latin name.

    Examples
    --------
    >>> find_species("Mus musculus").name
    'mouse'
    >>> find_species("Ciona savignyi").ensembl
    'ciona_savignyi'
    """
    folded = re.sub(r"[\s.-]+", "_", name.strip().lower()) if isinstance(name, str) else ""
    for species in SPECIES:
        if folded in (species.name, species.ensembl, *species.also):
            return species
    if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", folded) and len(folded) <= 100:
        return Species(folded, folded)
    known = ", ".join(species.name for species in SPECIES)
    msg = f"species={name!r} is not known. Use one of {known}, or a Latin name as Ensembl has it, such as 'ciona_savignyi'."
    raise InputError(msg)
