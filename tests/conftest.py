"""Fixtures and switches shared by all tests."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import hypothesis
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip.datasets import EmbeddingTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SWITCHES = {
    "gpu": "needs a CUDA device; run with --gpu",
    "internet": "reaches the network; run with --internet",
    "slow": "takes more than a few seconds; run with --slow",
}


# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("dnaclip", deadline=None)
hypothesis.settings.load_profile("dnaclip")


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, reason in SWITCHES.items():
        parser.addoption(f"--{name}", action="store_true", help=f"also run tests marked {name!r}: {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for name, reason in SWITCHES.items():
            if item.get_closest_marker(name) and not config.getoption(f"--{name}"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _global_random_state_is_left_alone() -> Iterator[None]:
    torch = sys.modules.get("torch")
    numpy_before = np.random.get_state()  # noqa: NPY002
    torch_before = torch.random.get_rng_state() if torch else None
    yield
    numpy_after = np.random.get_state()  # noqa: NPY002
    same = all(np.array_equal(before, after) for before, after in zip(numpy_before, numpy_after, strict=True))
    assert same, "the test changed NumPy's global random state"
    if torch is not None:
        assert torch.equal(torch_before, torch.random.get_rng_state()), "the test changed torch's global random state"


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def run_blocks() -> Callable[..., dict[str, Any]]:
    """Runner of the Python in a page of the documentation, with the names that it expects to be there."""
    block = re.compile(r"(<!-- not run by the tests: .+? -->\n\n)?```python\n(.*?)```", re.DOTALL)

    def run(text: str, /, **names: Any) -> dict[str, Any]:
        for i, (not_run, code) in enumerate(block.findall(text)):
            if not not_run:
                exec(compile(code, f"block {i}", "exec", dont_inherit=True), names)
        return names

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real genes and cells; a test that asks for it is skipped where there is none."""
    folder = os.environ.get("DNACLIP_SHARED_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: set DNACLIP_SHARED_DATA to the folder that holds it")
    return Path(folder)


@pytest.fixture
def tiny_adata() -> ad.AnnData:
    """Thirty cells of three types and twelve human genes, counts, sparse."""
    genes = ["CD3D", "CD3E", "CD79A", "MS4A1", "NKG7", "GNLY", "LYZ", "S100A8", "FCER1A", "CST3", "ACTB", "GAPDH"]
    counts = np.random.default_rng(0).poisson(2.0, (30, len(genes))).astype(np.float32)
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(np.repeat(["T cell", "B cell", "monocyte"], 10))},
        index=[f"cell{i}" for i in range(30)],
    )
    return ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=genes))


@pytest.fixture(scope="session")
def gene_table() -> EmbeddingTable:
    """Sixteen human genes with every kind of identifier and every kind of clash, eight dimensions."""
    # Ensembl id, Entrez id, symbol, aliases and previous symbols, sides (d: dna, t: text)
    rows = [
        ("ENSG00000141510", "7157", "TP53", "p53|LFS1", "dt"),
        ("ENSG00000075624", "60", "ACTB", "PS1TP5BP1", "dt"),
        ("ENSG00000145416", "55016", "MARCHF1", "MARCH1|RNF171", "dt"),
        ("ENSG00000186205", "64757", "MTARC1", "MARC1|MOSC1", "d"),
        ("ENSG00000168385", "4735", "SEPTIN2", "SEPT2|DIFF6", "t"),
        ("ENSG00000180096", "1731", "SEPTIN1", "DIFF6|PNUTL3", "t"),  # DIFF6 is an alias of two genes
        ("ENSG00000204531", "5460", "POU5F1", "OCT3|Oct4", "dt"),
        ("ENSG00000183291", "9403", "SELENOF", "SEP15", "dt"),
        ("ENSG00000173077", "50514", "DELEC1", "DEC1", "t"),
        ("ENSG00000134107", "8553", "BHLHE40", "DEC1|STRA13", "dt"),  # DEC1 too
        ("", "100287102", "DDX11L1", "ACTB", "t"),  # an alias that is another gene's symbol
        ("ENSG00000277411", "", "5S_rRNA", "", "t"),  # a family name, not one gene's
        ("ENSG00000285912", "", "5S_rRNA", "", "t"),
        ("ENSG00000256069", "3", "A2MP1", "", "t"),  # two entries of one gene; this one has more identifiers
        ("ENSG00000291190", "", "A2MP1", "", "t"),
        ("ENSG00000243485", "", "", "", ""),
    ]
    table = pd.DataFrame(rows, columns=["ensembl_id", "entrez_id", "symbol", "aliases", "sides"])
    genes = table.drop(columns="sides").assign(name="", biotype="protein_coding", chromosome="1")
    sides = np.random.default_rng(7).normal(size=(2, len(rows), 8))
    for vectors, letter in zip(sides, "dt", strict=True):
        vectors[~table["sides"].str.contains(letter)] = np.nan
    return EmbeddingTable(genes, {"dna": sides[0], "text": sides[1]}, "human", 9606, "toy", "0" * 64)


@pytest.fixture
def embedded() -> ad.AnnData:
    """Sixty cells of three types, and 43 genes: four groups of ten with similar embeddings, and three without one.

    Group k is expressed in cell type k; the fourth everywhere alike.
    """
    rng = np.random.default_rng(1)
    group = np.append(np.repeat([0, 1, 2, 3], 10), [3, 3, 3])
    vectors = np.eye(4)[group] + 0.1 * rng.normal(size=(43, 4))
    vectors[40:] = np.nan
    cell_type = np.repeat([0, 1, 2], 20)
    rate = np.where((group == cell_type[:, None]) | (group == 3), 4.0, 0.5)
    return ad.AnnData(
        sparse.csr_matrix(np.log1p(rng.poisson(rate)).astype(np.float32)),
        obs=pd.DataFrame(
            {"cell_type": pd.Categorical(np.array(["T cell", "B cell", "monocyte"])[cell_type])},
            index=[f"cell{i}" for i in range(60)],
        ),
        var=pd.DataFrame({"group": group.astype(str)}, index=[f"gene{i}" for i in range(43)]),
        varm={"dnaclip": vectors.astype(np.float32)},
        uns={"mine": {"a": 1}},
    )


@pytest.fixture
def unchanged() -> Callable[[ad.AnnData], contextlib.AbstractContextManager[None]]:
    """Context in which nothing of an AnnData object may change."""

    def plain(value: object) -> object:
        """Turn tables, which NumPy cannot compare, into dictionaries of arrays."""
        if isinstance(value, pd.DataFrame):
            return {"index": value.index.to_numpy(), **{name: value[name].to_numpy() for name in value.columns}}
        return {key: plain(part) for key, part in value.items()} if isinstance(value, Mapping) else copy.deepcopy(value)

    def parts(adata: ad.AnnData) -> dict[str, object]:
        x = adata.X.toarray() if sparse.issparse(adata.X) else adata.X
        matrices = {name: {k: np.array(v) for k, v in getattr(adata, name).items()} for name in ("varm", "obsm")}
        return {"X": None if x is None else np.array(x), "uns": plain(adata.uns), **matrices}

    @contextlib.contextmanager
    def check(adata: ad.AnnData) -> Iterator[None]:
        before, obs, var, is_view = parts(adata), adata.obs.copy(), adata.var.copy(), adata.is_view
        yield
        np.testing.assert_equal(parts(adata), before)
        pd.testing.assert_frame_equal(adata.obs, obs)
        pd.testing.assert_frame_equal(adata.var, var)
        assert adata.is_view == is_view

    return check


@pytest.fixture(scope="session")
def families() -> tuple[pd.DataFrame, np.ndarray]:
    """Pairs of 12 protein families with 12 members each, which differ in a third of their residues, and text vectors.

    Codons are random, so only the proteins tell that genes are related. The vector of a text, (144, 16), is that of the
    family and noise. Members 0 to 9 are of the species "mouse", the last two of "zebrafish".
    """
    rng = np.random.default_rng(5)
    codons = np.array([a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"])
    amino_acids = np.array(list("KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF"))
    choices = [codons[amino_acids == letter] for letter in "ACDEFGHIKLMNPQRSTVWY"]
    rows: list[tuple[str, str, str, str, int]] = []
    vectors = []
    centres = rng.normal(size=(12, 16))
    for family, centre in enumerate(centres):
        ancestor = rng.integers(20, size=120)
        for member in range(12):
            changed = rng.random(120) < rng.uniform(0.25, 0.4)
            residues = np.where(changed, rng.integers(20, size=120), ancestor)
            sequence = "".join(rng.choice(choices[residue]) for residue in residues)
            text = f"family {family} member {member}"
            species = "mouse" if member < 10 else "zebrafish"
            rows.append((f"gene{len(rows)}", sequence, text, species, family))
            vectors.append(centre + 0.3 * rng.normal(size=16))
    pairs = pd.DataFrame(rows, columns=["gene_id", "sequence", "text", "species", "family"])
    return pairs, np.array(vectors, np.float32)


@pytest.fixture
def mudata() -> Iterator[Any]:
    """Give the module; before 0.4 it warns about columns that it copies between modalities unless told not to."""
    module: Any = pytest.importorskip("mudata")
    quiet = module.set_options(pull_on_update=False) if hasattr(module, "set_options") else contextlib.nullcontext()
    with quiet:
        yield module
