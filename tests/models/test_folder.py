"""Model folders: equal after a round trip, refused when a byte is wrong, whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from dnaclip._errors import InputError
from dnaclip.models import ClipModel, Projector, ProjectorConfig, load_folder, save_folder
from dnaclip.models import _folder as folder_module

if TYPE_CHECKING:
    from collections.abc import Callable

TENSORS: dict[str, torch.Tensor | np.ndarray] = {
    "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,  # not contiguous
    "half": torch.tensor([1.5, -0.0], dtype=torch.float16),
    "index": np.array([[3, -1]], dtype=np.int32),
    "scalar": torch.tensor(2.5),
    "mask": np.array([True, False]),
}
CONFIG = {
    "name": "toy",
    "hidden": [512, 256],
    "metrics": {"accuracy@1": 0.1 + 0.2},
    "licence": None,
    "species": "Ωmega",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_folder(tmp_path / "model", TENSORS, CONFIG, "# Toy\n")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip(model: Path) -> None:
    config, tensors = load_folder(model)
    assert {key: config[key] for key in CONFIG} == CONFIG
    assert config["format_version"] == 1
    assert set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        expected = torch.as_tensor(value)
        assert tensors[name].dtype == expected.dtype
        assert torch.equal(tensors[name], expected)
    assert (model / "README.md").read_text() == "# Toy\n"
    assert names(model) == ["README.md", "config.json", "model.safetensors"]
    assert names(model.parent) == ["model"]


def test_same_content_same_bytes(model: Path, tmp_path: Path) -> None:
    again = save_folder(tmp_path / "again", dict(sorted(TENSORS.items())), CONFIG, "# Toy\n")
    for name in names(model):
        assert (again / name).read_bytes() == (model / name).read_bytes()


def test_what_was_loaded_can_be_saved(model: Path, tmp_path: Path) -> None:
    config, tensors = load_folder(model)
    again, _ = load_folder(save_folder(tmp_path / "again", tensors, config, "# Toy\n"))
    assert again == config


def test_clip_model_round_trip(tmp_path: Path) -> None:
    def build(seed: int) -> ClipModel:
        shape = ProjectorConfig(in_dim=4, hidden=(5,))
        return ClipModel({"dna": Projector(shape, seed=seed), "text": Projector(shape, seed=seed + 1)}).eval()

    batch = {"dna": (torch.eye(4),), "text": (torch.eye(4),)}
    first, second = build(0), build(7)
    save_folder(tmp_path / "m", first.state_dict(), {}, "")
    second.load_state_dict(load_folder(tmp_path / "m")[1])
    for side, vectors in first(batch).items():
        assert torch.equal(second(batch)[side], vectors)


def flip_bit(path: Path, where: int) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit in the last weight": (lambda f: flip_bit(f / "model.safetensors", -1), "model.safetensors has sha256"),
    "flipped bit in the header": (lambda f: flip_bit(f / "model.safetensors", 12), "model.safetensors has sha256"),
    "truncated weights": (lambda f: os.truncate(f / "model.safetensors", 20), "model.safetensors has sha256"),
    "empty weights": (lambda f: os.truncate(f / "model.safetensors", 0), "model.safetensors has sha256"),
    "login page": (lambda f: (f / "model.safetensors").write_text("<html>"), "model.safetensors has sha256"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "it lacks 'model.safetensors'"),
    "no config": (lambda f: (f / "config.json").unlink(), "it lacks 'config.json'"),
    "no card": (lambda f: (f / "README.md").unlink(), "it lacks 'README.md'"),
    "a pickle": (lambda f: (f / "model.pt").touch(), "it holds 'model.pt' too"),
    "edited config": (lambda f: edit(f / "config.json", hidden=[512, 128]), "config.json was edited after saving"),
    "added setting": (lambda f: edit(f / "config.json", extra=1), "config.json was edited after saving"),
    "swapped checksum": (lambda f: edit(f / "config.json", weights_sha256="0" * 64), "promises 0000"),
    "lost checksum": (lambda f: edit(f / "config.json", weights_sha256=None), "promises None"),
    "other format": (lambda f: edit(f / "config.json", format="bert"), "names the format 'bert' version 1"),
    "broken JSON": (lambda f: os.truncate(f / "config.json", 30), "config.json is not the config of a dnaclip model"),
    "JSON of another kind": (lambda f: (f / "config.json").write_text("[1]"), "is not the config of a dnaclip model"),
    "config of another tool": (lambda f: (f / "config.json").write_text("{}"), "is not the config of a dnaclip model"),
    "not UTF-8": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "is not the config of a dnaclip model"),
    "version zero": (lambda f: edit(f / "config.json", format_version=0), "names the format 'dnaclip-model' version 0"),
    "version in words": (
        lambda f: edit(f / "config.json", format_version="two"),
        "names the format 'dnaclip-model' version 'two'",
    ),
    "infinity": (
        lambda f: (f / "config.json").write_text('{"format": Infinity}'),
        "is not the config of a dnaclip model (ValueError: Infinity is not JSON)",
    ),
    "JSON bomb": (lambda f: (f / "config.json").write_text("[" * 100_000), "is not the config of a dnaclip model"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_folder_is_refused(model: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    damage(model)
    with pytest.raises(InputError) as caught:
        load_folder(model)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"{str(model)!r} cannot be read as a dnaclip model: ")
    assert text.endswith("Fetch or save the model again; to change a model, load it, change it and save it.")


def test_every_byte_of_the_weights_counts(model: Path) -> None:
    size = (model / "model.safetensors").stat().st_size
    for where in range(0, size, 13):
        flip_bit(model / "model.safetensors", where)
        with pytest.raises(InputError, match="has sha256"):
            load_folder(model)
        flip_bit(model / "model.safetensors", where)
    load_folder(model)


def test_weights_of_another_model_are_refused(model: Path, tmp_path: Path) -> None:
    other = save_folder(tmp_path / "other", TENSORS, CONFIG | {"name": "other"}, "")
    weights = (other / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights)
    edit(model / "config.json", weights_sha256=json.loads((other / "config.json").read_text())["weights_sha256"])
    with pytest.raises(InputError, match="no longer has the checksum"):
        load_folder(model)


def test_newer_format_says_update(model: Path) -> None:
    edit(model / "config.json", format_version=2, dnaclip_version="9.9")
    with pytest.raises(
        InputError, match="format version 2, written by dnaclip 9.9; .*pip install -U dnaclip"
    ) as caught:
        load_folder(model)
    assert "Fetch or save the model again" not in str(caught.value)


def test_hidden_files_do_not_matter(model: Path) -> None:
    (model / ".gitattributes").touch()
    load_folder(model)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_folder(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "model"
    if kind == "file":
        place.touch()
    with pytest.raises(InputError, match="there is no such folder"):
        load_folder(place)


def test_overwrites_a_model(model: Path) -> None:
    save_folder(model, {"w": torch.ones(1)}, {"name": "second"}, "# Second\n")
    config, tensors = load_folder(model)
    assert config["name"] == "second"
    assert list(tensors) == ["w"]
    assert names(model.parent) == ["model"]


def test_makes_parents_and_uses_an_empty_folder(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b c é"
    target.mkdir(parents=True)
    save_folder(target, TENSORS, {}, "")
    load_folder(target)
    save_folder(tmp_path / "x" / "y", TENSORS, {}, "")
    load_folder(tmp_path / "x" / "y")


@pytest.mark.parametrize("kind", ["foreign folder", "foreign config", "model with notes", "file", "symbolic link"])
def test_never_overwrites_anything_else(model: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("thesis")
    elif kind == "symbolic link":
        target.symlink_to(model)
    else:
        target.mkdir()
        if kind == "model with notes":
            save_folder(target, TENSORS, CONFIG, "")
            (target / "notes.txt").write_text("thesis")
        else:
            (target / ("config.json" if kind == "foreign config" else "thesis.txt")).write_text("{}")
    before = names(target) if target.is_dir() else target.read_text()
    with pytest.raises(InputError, match="is not just a dnaclip model, so it is left alone. Choose another folder"):
        save_folder(target, TENSORS, CONFIG, "")
    assert (names(target) if target.is_dir() else target.read_text()) == before
    assert names(tmp_path) == ["model", "target"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, np.float32(1), Path("x")])
def test_config_must_fit_into_json(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError, match="The config does not fit into JSON"):
        save_folder(tmp_path / "model", TENSORS, {"value": value}, "")
    assert names(tmp_path) == []


def test_tensors_must_be_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no tensor to save"):
        save_folder(tmp_path / "model", {}, {}, "")
    with pytest.raises(InputError, match="Tensor 'genes' cannot be saved"):
        save_folder(tmp_path / "model", {"genes": np.array(["TP53"])}, {}, "")
    assert names(tmp_path) == []


@pytest.mark.parametrize("fails_at", ["model.safetensors", "README.md", "config.json"])
def test_full_disk_leaves_the_old_model(model: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    def write(path: Path, data: bytes) -> None:
        if path.name == fails_at:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(folder_module, "write_atomic", write)
    with pytest.raises(OSError, match="No space left"):
        save_folder(model, {"w": torch.ones(1)}, {"name": "second"}, "")
    assert load_folder(model)[0]["name"] == "toy"
    assert names(model.parent) == ["model"]


def test_failed_rename_puts_the_old_model_back(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse_the_new_one(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new_one)
    with pytest.raises(OSError, match="Permission denied"):
        save_folder(model, {"w": torch.ones(1)}, {"name": "second"}, "")
    monkeypatch.undo()
    assert load_folder(model)[0]["name"] == "toy"
    assert names(model.parent) == ["model"]
