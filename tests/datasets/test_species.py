from __future__ import annotations

import pytest

from dnaclip._errors import InputError
from dnaclip.datasets._species import SPECIES, find_species


@pytest.mark.parametrize("name", ["human", "Human", " homo sapiens ", "homo_sapiens", "Homo Sapiens"])
def test_names_of_one_species(name):
    assert find_species(name).taxon_id == 9606


def test_names_are_unique():
    names = [name for species in SPECIES for name in (species.name, species.ensembl, *species.also)]
    assert len(names) == len(set(names))
    assert all(find_species(name).name in names for name in names)


def test_any_latin_name():
    found = find_species("Ciona savignyi")
    assert (found.name, found.ensembl, found.taxon_id) == ("ciona_savignyi", "ciona_savignyi", 0)


@pytest.mark.parametrize(
    "name", ["martian", "", "../homo_sapiens", "homo/sapiens", "homo_sapiens\n/x", "_", "9606", "x" * 200, None, 7227]
)
def test_no_species(name):
    with pytest.raises(InputError, match=r"is not known\. Use one of human, mouse, .* or a Latin name"):
        find_species(name)
