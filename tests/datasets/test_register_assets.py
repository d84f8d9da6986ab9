"""The maintainers' script that writes the project's own files into the registry."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from dnaclip.datasets import EmbeddingTable, _registry, list_assets, load_table

SCRIPT = Path(__file__).parents[2] / "scripts/register_assets.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="the scripts come with the repository only")


@pytest.fixture
def run(files, monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("register_assets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "REGISTRY_FILE", files.registry)
    monkeypatch.setattr(script, "FOLDERS", (files.bundled, tmp_path / "assets"))

    def call(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["register_assets.py", *arguments])
        _registry._load.cache_clear()
        return script.main()

    return call


def test_own_files_are_registered(files, run, tmp_path, capsys):
    entry = {"name": "x", "file": "x", "bytes": 1, "sha256": "0" * 64, "kind": "text-encoder", "licence": "MIT"}
    others = yaml.safe_dump({"assets": [entry | {"url": "https://host/x"}]})
    files.registry.write_text(f"# A comment that stays.\nbase_url: null\n\n{others}")
    (files.bundled / "toy/sub").mkdir(parents=True)
    (files.bundled / "toy/config.json").write_text('{"dimension": 2}')
    (files.bundled / "toy/sub/model.safetensors").write_bytes(b"weights")
    (files.bundled / ".hidden").touch()
    genes = pd.DataFrame(
        {column: ["g"] for column in ("ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype")}
    )
    table = EmbeddingTable(genes.assign(chromosome="1"), {"text": np.eye(1, 2)}, "yeast", 559292, "toy", "")
    table.save(tmp_path / "assets/toy-yeast.safetensors")

    assert run("--check") == 1
    assert run() == 0
    assert "Wrote " in capsys.readouterr().out
    assert files.registry.read_text().startswith("# A comment that stays.\nbase_url: null\n\nassets:\n")
    assets = list_assets()
    assert assets.index.tolist() == ["toy.config.json", "toy.sub.model.safetensors", "toy-yeast", "x"]
    assert assets["group"].tolist() == ["toy", "toy", "", ""]
    assert assets["kind"].tolist() == ["model-file", "model-file", "embeddings", "text-encoder"]
    assert assets.loc[["toy-yeast"], ["species", "model", "dimension"]].to_numpy().tolist() == [["yeast", "toy", 2]]
    assert assets.loc["toy.config.json", "dimension"] == 2
    # A second run changes nothing; a changed file is noticed.
    assert run("--check") == 0
    (files.bundled / "toy/sub/model.safetensors").write_bytes(b"other weights")
    assert run("--check") == 1


def test_published_table_is_found_on_a_mirror(files, run, tmp_path, monkeypatch):
    genes = pd.DataFrame(
        {column: ["g"] for column in ("ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype")}
    )
    table = EmbeddingTable(genes.assign(chromosome="1"), {"text": np.eye(1, 2)}, "yeast", 559292, "toy", "")
    table.save(tmp_path / "assets/toy-yeast.safetensors")
    run()
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path / "assets"))
    assert load_table("yeast", model="toy").dimension == 2
