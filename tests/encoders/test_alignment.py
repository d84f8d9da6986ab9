"""Alignment by installed programs."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.encoders import Aligner
from dnaclip.encoders._alignment import programs
from dnaclip.encoders._alignment.proteins import longest_proteins

if TYPE_CHECKING:
    import pandas as pd

PROGRAMS = {"blast": "blastx", "diamond": "diamond", "mmseqs": "mmseqs"}


@pytest.mark.parametrize("program", ["blast", "diamond", pytest.param("mmseqs", marks=pytest.mark.slow)])
def test_relatives_are_found_among_strangers(families: tuple[pd.DataFrame, np.ndarray], program: str) -> None:
    if shutil.which(PROGRAMS[program]) is None:
        pytest.skip(f"{PROGRAMS[program]} is not installed")
    pairs, _ = families
    known = pairs[pairs["family"] < 6].groupby("family").head(4)
    with Aligner(known["sequence"].tolist(), program, max_hits=3) as aligner:
        queries = pairs.iloc[[5, 17, 143]]  # relatives of families 0 and 1, and a stranger
        found = aligner.search(queries["sequence"].tolist())
        folder = aligner._work
        again = aligner.search(queries["sequence"].tolist()[1:2])
    assert not folder.exists()
    family = known["family"].to_numpy()[found["hit"]]
    assert (family == found["query"]).all()
    assert {0, 1} <= set(found["query"])
    assert found.groupby("query").size().max() <= 3
    assert (found.groupby("query")["bitscore"].diff().dropna() <= 0).all()
    assert found["level"].eq("protein").all()
    assert found["identity"].between(20, 100).all()
    assert found["target_coverage"].between(0.3, 1.001).all()
    assert set(again["hit"]) == set(found.loc[found["query"] == 1, "hit"])
    assert aligner.version.startswith(PROGRAMS[program])


def test_genes_without_a_protein_are_compared_as_bases() -> None:
    if shutil.which("diamond") is None or shutil.which("blastn") is None:
        pytest.skip("diamond and blastn are not installed")
    rng = np.random.default_rng(0)
    # Three stops in every frame each thirty bases: no protein anywhere.
    gene = "".join("".join(rng.choice(list("ACGT"), 26)) + "TAACTAACTAAC" for _ in range(6))
    with Aligner([gene, "ATG" + "GCCAAGCTG" * 40], "diamond") as aligner:
        found = aligner.search([gene])
    assert found[["hit", "level"]].to_numpy().tolist() == [[0, "bases"]]


def test_missing_program_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for program in PROGRAMS:
        with pytest.raises(MissingDependencyError, match=r"not installed.*(apt|conda) install"):
            Aligner(["ATGGCC" * 20], program)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"program": "fasta"}, "program='fasta' is not known"),
        ({"max_hits": 0}, "max_hits"),
        ({"threads": 0}, "threads"),
        ({"evalue": 0}, "evalue"),
        ({"reference": []}, "no reference genes"),
    ],
)
def test_options_are_checked_before_anything_runs(options: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Aligner(**{"reference": ["ATG"], "program": "blast", **options})


def test_a_failing_program_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 3, stdout="", stderr="first\nno room on the disk\n")

    monkeypatch.setattr(programs, "find_program", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(programs.subprocess, "run", fail)
    with pytest.raises(programs.AlignmentError, match="diamond stopped with exit code 3.*no room on the disk"):
        programs.run("diamond", "makedb")


def test_longest_frame_on_the_own_strand() -> None:
    assert longest_proteins(["ATGGCCAAGTAAGG", "TA", "ATGNNNAAG"])[::2] == ["WPSK", "MXK"]
