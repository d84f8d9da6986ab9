"""The recipes of docs/species.md that build species on many machines, run as they stand on two tiny species."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dnaclip import pp
from dnaclip.cli import app
from dnaclip.datasets._expected import BsdSum

if TYPE_CHECKING:
    from collections.abc import Iterator

build_pairs: Any = pp.build_pairs
PAGE = Path(__file__).parents[2] / "docs" / "species.md"
SPECIES = ["Petromyzon marinus", "Latimeria chalumnae"]

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not beside the tests")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of `/shared`, and a mirror of Ensembl with two species of ten genes each."""
    rng = np.random.default_rng(0)
    for name in SPECIES:
        bases = "".join(rng.choice(list("ACGT"), 2000))
        lines = [f"1\ttoy\tgene\t{i * 150 + 1}\t{i * 150 + 99}\t.\t+\t.\tID=gene:{name[0]}{i}\n" for i in range(10)]
        folder, file = name.lower().replace(" ", "_"), name.replace(" ", "_")
        for place, file_name, text in (
            (f"fasta/{folder}/dna", f"{file}.TOY1.dna.toplevel.fa.gz", f">1\n{bases}\n"),
            (f"gff3/{folder}", f"{file}.TOY1.113.gff3.gz", "".join(lines)),
        ):
            into = tmp_path / "mirror" / "ensembl" / "release-113" / place
            into.mkdir(parents=True)
            content = gzip.compress(text.encode(), mtime=0)
            (into / file_name).write_bytes(content)
            digest = BsdSum()
            digest.update(content)
            (into / "CHECKSUMS").write_text(f"{digest.hexdigest()} {-(-len(content) // 1024)} {file_name}\n")
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path / "mirror"))
    made = tmp_path / "shared"
    made.mkdir()
    return made


def recipe(language: str, having: str, shared: Path) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if having in block]
    return found.replace("/shared", str(shared))


def whole(folder: Path) -> bytes:
    """The table as one call makes it."""
    build_pairs(SPECIES, folder / "expected.parquet", progress=False)
    return (folder / "expected.parquet").read_bytes()


@pytest.fixture
def _numpy_state() -> Iterator[None]:
    """Distributed draws from NumPy's global state."""
    state = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.usefixtures("_numpy_state")
def test_dask(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    code = recipe("python", "dask.distributed", shared)
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None, local_directory=shared / "dask"
    ) as client:
        clients = {"tcp://scheduler:8786": client}
        monkeypatch.setattr("dask.distributed.Client", clients.pop)
        exec(code, {"names": SPECIES})
    assert not clients
    assert (shared / "pairs.parquet").read_bytes() == whole(shared)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this system")
def test_slurm(shared: Path, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    names = " ".join(f'"{name}"' for name in SPECIES)
    text, n = re.subn(r"species=\(.*?\)", f"species=({names})", recipe("bash", "#SBATCH", shared))
    assert n == 1
    script.write_text(text)
    subprocess.run(["bash", "-n", script], check=True, timeout=60)
    # The command notes what it is called with; what it does then is done in this process.
    command = tmp_path / "bin" / "dnaclip"
    command.parent.mkdir()
    command.write_text('#!/bin/bash\nprintf "%s\\n" "$DNACLIP_DATA_DIR" "$@"\n')
    command.chmod(0o755)
    for task, name in enumerate(SPECIES):
        environment = {"PATH": f"{command.parent}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": str(task)}
        done = subprocess.run(["bash", "-eu", script], env=environment, capture_output=True, text=True, check=True)
        data, *arguments = done.stdout.splitlines()
        assert data == str(shared / "dnaclip")
        assert name in arguments
        result = CliRunner().invoke(app, arguments, env={"DNACLIP_DATA_DIR": data})
        assert result.exit_code == 0, result.output
        assert not (shared / "pairs.parquet").exists()
    join = recipe("console", "--species all --out /shared/", shared).strip().removeprefix("$ dnaclip ")
    arguments = join.replace("all", "NAMES").split()
    at = arguments.index("NAMES")
    arguments[at : at + 1] = [SPECIES[0], "--species", SPECIES[1]]
    result = CliRunner().invoke(app, [*arguments, "--no-progress"])
    assert result.exit_code == 0, result.output
    assert (shared / "pairs.parquet").read_bytes() == whole(shared)
