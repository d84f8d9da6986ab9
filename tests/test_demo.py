"""`dnaclip demo`: one real run on the cells that come with scanpy, with made-up embeddings, and errors."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from typer.testing import CliRunner

from dnaclip import datasets, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.cli import app
from dnaclip.datasets import EmbeddingTable
from dnaclip.demo import run_demo
from dnaclip.pl import _gene_umap
from dnaclip.tl import _embed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def make_table(symbols: list[str], *, sides: str = "dt") -> EmbeddingTable:
    """Genes in six groups; the DNA side is there for half of them."""
    rng = np.random.default_rng(0)
    text = np.eye(6)[rng.integers(0, 6, len(symbols))] + 0.2 * rng.normal(size=(len(symbols), 6))
    dna = text + 0.3 * rng.normal(size=text.shape)
    dna[::2] = np.nan
    columns = ["ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype", "chromosome"]
    genes = pd.DataFrame({"symbol": symbols}).reindex(columns=columns, fill_value="")
    vectors = {"dna": dna, "text": text} if sides == "dt" else {"text": text}
    return EmbeddingTable(genes, vectors, "human", 9606, "toy <model>", "0" * 64)


class Page(HTMLParser):
    """The text of a page, its tags, and every address it asks for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.addresses = "", list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.text += "" if tag == "code" else " "
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_endtag(self, tag: str) -> None:
        self.text += "" if tag == "code" else " "

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def _no_figure_is_left_open() -> Iterator[None]:
    yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and output of the command, run as a user does."""
    import scanpy as sc

    folder = tmp_path_factory.mktemp("demo") / "out put"
    # The first genes are unknown to the table.
    table = make_table([str(name) for name in sc.datasets.pbmc68k_reduced().raw.var_names[20:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_embed, "load_table", lambda *_: table)
        result = CliRunner().invoke(app, ["demo", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.stdout


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Run the demo on given cells, with a quick stand-in for UMAP."""
    monkeypatch.setattr(_gene_umap, "_umap", lambda vectors, *_, **__: vectors[:, :2])

    def go(adata: ad.AnnData, *, sides: str = "dt", name: str = "cells", **options: Any) -> Path:
        table = make_table(list(adata.var_names), sides=sides)
        monkeypatch.setattr(_embed, "load_table", lambda *_: table)
        monkeypatch.setattr(datasets, "load_table", lambda *_: table)
        adata.write_h5ad(tmp_path / f"{name}.h5ad")
        return run_demo(tmp_path / "out", data=tmp_path / f"{name}.h5ad", **options)

    return go


@pytest.fixture
def cells(embedded: ad.AnnData) -> ad.AnnData:
    del embedded.varm["dnaclip"]
    return embedded


# -- the run on real cells -------------------------------------------------------------------------------------------


def test_the_files_and_the_last_line(demo: tuple[Path, str]) -> None:
    folder, output = demo
    names = ["coherence.png", "gene_map.png", "pbmc68k_dnaclip.h5ad", "program_heatmap.png", "report.html", "sides.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for image in folder.glob("*.png"):
        assert image.read_bytes().startswith(b"\x89PNG")
    assert output.splitlines()[-1] == f"Report: {folder / 'report.html'}"


def test_the_annotated_data(demo: tuple[Path, str]) -> None:
    adata = ad.read_h5ad(demo[0] / "pbmc68k_dnaclip.h5ad")
    assert adata.shape == (700, 765)
    assert adata.X.min() == 0, "log-normalised expression, not the scaled one"
    assert adata.var["dnaclip_found"].sum() == 745
    n_programs = adata.var["gene_program"].nunique()
    assert adata.obsm["gene_program"].shape == (700, n_programs)
    assert {"dnaclip", "dnaclip_dna", "dnaclip_text", "dnaclip_umap"} < set(adata.varm)
    assert adata.uns["dnaclip"]["params"]["model"] == "toy <model>"


def test_the_report_stands_alone(demo: tuple[Path, str]) -> None:
    html = (demo[0] / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert len(page.addresses) == 4
    assert all(re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", address) for address in page.addresses)
    assert not re.search(r"https?:|url\(|@import|<script|<link", html)
    assert not re.search(r"\$\w", page.text), "a placeholder was not filled"
    assert 'name="viewport"' in html


def test_the_report_tells_the_numbers(demo: tuple[Path, str]) -> None:
    adata = ad.read_h5ad(demo[0] / "pbmc68k_dnaclip.h5ad")
    text = " ".join(Page((demo[0] / "report.html").read_text(encoding="utf-8")).text.split())
    n_programs = adata.var["gene_program"].nunique()
    assert "700 cells in 10 groups (bulk_labels)" in text
    assert "765 genes measured" in text
    assert "745 have an embedding (97%)" in text
    assert f"{n_programs} programs with {adata.var['gene_program'].notna().sum()} genes" in text
    assert "toy <model>" in text
    assert "0" * 64 in text, "the model's checksum"
    for name, size in adata.var["gene_program"].value_counts().items():
        assert f"{name} {size} " in text
    for gene in ("CD3D", "CD79A", "LYZ", "NKG7"):
        assert re.search(rf"\b{gene} \S+ \(0\.\d\d\), ", text), f"no neighbours of {gene}"


# -- other cells -----------------------------------------------------------------------------------------------------


def test_names_are_escaped(run: Callable[..., Path], cells: ad.AnnData) -> None:
    cells.obs["<u>type"] = cells.obs["cell_type"].cat.rename_categories({"T cell": "<script>alert(1)</script>"})
    cells.var_names = ["<s>x</s>", *cells.var_names[1:]]
    html = run(cells, groupby="<u>type", name="a&b<em>").read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "u", "s", "em"} & set(page.tags)
    assert "alert(1)" in page.text
    assert "Gene programs of a&b<em>" in page.text


def test_text_alone(run: Callable[..., Path], cells: ad.AnnData, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="dnaclip"):
        path = run(cells, sides="t")
    assert any(message.startswith("No map of the dna side alone: ") for message in caplog.messages)
    adata = ad.read_h5ad(path.parent / "cells_dnaclip.h5ad")
    assert "dnaclip_dna" not in adata.varm
    assert "dnaclip_text" in adata.varm


def test_the_organism_is_handed_on(
    run: Callable[..., Path], cells: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    embed = tl.embed

    def listen(adata: ad.AnnData, **options: Any) -> None:
        asked.append(options["organism"])
        embed(adata, **options)

    monkeypatch.setattr(tl, "embed", listen)
    run(cells, organism="mouse")
    assert asked == ["mouse"] * 3


def test_a_program_that_is_never_expressed(run: Callable[..., Path], cells: ad.AnnData) -> None:
    cells.X = cells.X * 0
    text = Page(run(cells).read_text(encoding="utf-8")).text
    assert "0.00 (0.00; 0.0)" in text
    assert "nan" not in text[text.index("The programs") : text.index("Where the programs")].lower()


def test_without_the_known_genes_the_central_ones_are_asked(run: Callable[..., Path], cells: ad.AnnData) -> None:
    text = Page(run(cells).read_text(encoding="utf-8")).text
    assert re.search(r"gene\d+ \(0\.\d\d\), gene\d+ \(0", text)


def test_the_same_seed_gives_the_same_report(run: Callable[..., Path], cells: ad.AnnData) -> None:
    first = run(cells).read_bytes()
    assert run(cells).read_bytes() == first
    assert run(cells, rng=1).read_bytes() != first


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda a: a.obs.pop("cell_type"), {}, InputError, "None of the usual columns .*there is none"),
        (lambda a: setattr(a, "obs", a.obs.rename(columns={"cell_type": "kind"})), {}, InputError, "Name one with groupby: 'kind'"),
        (lambda _: None, {"groupby": "kind"}, MissingKeyError, "'kind' is not in adata.obs. Present: 'cell_type'"),
        (lambda a: a.obs.insert(0, "bulk_labels", "T cell"), {}, InputError, r"adata.obs\['bulk_labels'\] has fewer than two"),
        (lambda _: None, {"rng": "x"}, InputError, "rng must be an int"),
    ],
)  # fmt: skip
def test_an_error_writes_nothing(
    run: Callable[..., Path],
    cells: ad.AnnData,
    tmp_path: Path,
    change: Callable[[ad.AnnData], Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    change(cells)
    with pytest.raises(error, match=message):
        run(cells, **options)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_the_old_results(
    run: Callable[..., Path], cells: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(cells)
    before = {path.name: path.read_bytes() for path in report.parent.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run(cells, rng=1)
    assert {path.name: path.read_bytes() for path in report.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "message"), [(None, "There is no file"), (b"no h5ad", "cannot be read as an h5ad file")]
)
def test_the_command_says_what_is_wrong_with_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "cells.h5ad"
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out"), "--data", str(path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    error, hint = result.stderr.splitlines()[-2:]
    assert message in error
    assert str(path) in error
    assert "--help" in hint
    assert not (tmp_path / "out").exists()
