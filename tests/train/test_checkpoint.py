"""A run that was cut off goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import safetensors
import safetensors.torch
import torch
from filelock import FileLock

from dnaclip._errors import InputError
from dnaclip.train import Feed, _checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnaclip.models import ClipModel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.safetensors"


def interrupt_after(epoch: int) -> Callable[[ClipModel, dict[str, float]], None]:
    def stop(model: ClipModel, row: dict[str, float]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return stop


def summary(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["run"])


@pytest.mark.parametrize("epoch", [1, 2, 4, 6])
def test_resumed_run_equals_uninterrupted_one(problem: Any, path: Path, epoch: int) -> None:
    whole, table = problem.run()
    with pytest.raises(KeyboardInterrupt):
        problem.run(checkpoint=path, callbacks=[interrupt_after(epoch)])
    assert summary(path)["epoch"] == epoch  # the epoch that was cut off comes next
    resumed, again = problem.run(problem.model(seed=77), checkpoint=path, resume=True)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert problem.equal(whole, resumed)


def test_resume_with_weights_and_augmentation(problem: Any, path: Path) -> None:
    def noise(batch: Any, generator: torch.Generator) -> Any:
        noisy = {name: (one + torch.randn(one.shape, generator=generator),) for name, (one,) in batch.inputs.items()}
        return replace(batch, inputs=noisy)

    def feeds() -> tuple[Feed, Feed]:
        train = Feed(problem.data(), rows=range(180), weights=np.linspace(1, 5, 240), transform=noise)
        return train, problem.feeds()[1]

    whole, table = problem.run(feeds=feeds())
    with pytest.raises(KeyboardInterrupt):
        problem.run(feeds=feeds(), checkpoint=path, callbacks=[interrupt_after(3)])
    resumed, again = problem.run(feeds=feeds(), checkpoint=path, resume=True)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert problem.equal(whole, resumed)


def test_checkpoint_does_not_change_the_run(problem: Any, path: Path) -> None:
    (plain, table), (kept, again) = problem.run(), problem.run(checkpoint=path)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert problem.equal(plain, kept)
    assert [one.name for one in path.parent.iterdir() if one.suffix != ".lock"] == [path.name]


def test_resuming_a_finished_run_trains_nothing(problem: Any, path: Path) -> None:
    done, table = problem.run(checkpoint=path)
    before = path.read_bytes()
    again, same = problem.run(problem.model(seed=77), checkpoint=path, resume=True)
    pd.testing.assert_frame_equal(table, same, check_exact=True)
    assert problem.equal(done, again)
    assert path.read_bytes() == before


def test_resuming_after_patience_ran_out_trains_nothing(problem: Any, path: Path) -> None:
    config = replace(problem.config, patience=1, lr=3.0, grad_clip=None, max_epochs=50)
    _, table = problem.run(config=config, checkpoint=path)
    assert len(table) < 50
    _, same = problem.run(config=config, checkpoint=path, resume=True)
    pd.testing.assert_frame_equal(table, same, check_exact=True)


def test_progress_of_a_resumed_run_starts_where_it_was(
    problem: Any, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        problem.run(checkpoint=path, callbacks=[interrupt_after(4)])
    problem.run(checkpoint=path, resume=True, progress=True)
    err = capsys.readouterr().err
    assert "480/960" in err  # three of six epochs of 160 pairs
    assert "960/960" in err


def test_resume_starts_when_there_is_nothing_yet(problem: Any, path: Path) -> None:
    problem.run(checkpoint=path, resume=True)
    assert summary(path)["epoch"] == 7


def test_random_seed_comes_from_the_checkpoint(problem: Any, path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        problem.run(checkpoint=path, rng=None, callbacks=[interrupt_after(3)])
    seed = summary(path)["seed"]
    problem.run(checkpoint=path, rng=None, resume=True)
    assert summary(path)["seed"] == seed
    assert summary(path)["epoch"] == 7


def test_present_checkpoint_is_not_overwritten(problem: Any, path: Path) -> None:
    path.write_bytes(b"three days of work")
    with pytest.raises(InputError, match="is there already. Use resume=True to go on from it, or delete it"):
        problem.run(checkpoint=path)
    assert path.read_bytes() == b"three days of work"


def test_another_run_is_not_resumed(problem: Any, path: Path) -> None:
    problem.run(checkpoint=path)
    before = path.read_bytes()
    changed = problem.data()
    changed["dna"][0] += 1
    shorter = Feed(problem.data(), rows=range(179)), problem.feeds()[1]
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"config": replace(problem.config, lr=0.5)},
            r"what differs: lr \(0.02 then, 0.5 now\)\. Resume with the same",
        ),
        ({"config": replace(problem.config, batch_size=16)}, r"batch_size \(32 then, 16 now\)"),
        ({"rng": 1}, r"what differs: seed \("),
        ({"feeds": problem.split(changed)}, r"what differs: training data \("),
        ({"feeds": shorter}, r"what differs: training data \("),
        ({"feeds": problem.feeds()[::-1]}, r"what differs: training data .*, validation data "),
        (
            {"model": problem.model(hidden=(8,))},
            r"are those of another model; what differs: 'towers.dna.layers.0.bias'",
        ),
        ({"model": problem.linear()}, "are those of another model; what differs: .* and 7 more"),
    ]
    for options, message in cases:
        model = options.pop("model", None) or problem.model()
        weights = problem.weights(model)
        with pytest.raises(InputError, match=f"(?s){message}"):
            problem.run(model, checkpoint=path, resume=True, **options)
        assert path.read_bytes() == before
        assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "newer", "text"])
def test_damaged_checkpoint(problem: Any, path: Path, damage: str) -> None:
    problem.run(checkpoint=path)
    content = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "foreign":
            safetensors.torch.save_file({"w": torch.ones(1)}, path)
        case "newer":
            safetensors.torch.save_file(
                {"w": torch.ones(1)}, path, metadata={"run": json.dumps(summary(path) | {"format_version": 99})}
            )
        case "text":
            path.write_text("<html>" * 100)
    message = (
        "was written by a newer dnaclip. Update it: pip" if damage == "newer" else "is not a checkpoint of dnaclip"
    )
    with pytest.raises(InputError, match=message):
        problem.run(checkpoint=path, resume=True)


def test_every_bit_counts_but_not_in_files_from_before_the_checksum(problem: Any, path: Path) -> None:
    problem.run(checkpoint=path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last weight
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not fit its checksum"):
        problem.run(checkpoint=path, resume=True)
    old = summary(path) | {"format_version": 1}
    del old["sha256"]
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, metadata={"run": json.dumps(old)})
    problem.run(checkpoint=path, resume=True)


def test_two_runs_on_one_file(problem: Any, path: Path) -> None:
    message = "Another run is using .*Wait for it, or choose another checkpoint"
    with FileLock(path.with_name(f".{path.name}.lock")), pytest.raises(InputError, match=message):
        problem.run(checkpoint=path)
    assert not path.exists()
    problem.run(checkpoint=path)  # the lock is gone with its holder


def test_full_disk_keeps_the_last_checkpoint(problem: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    model = problem.model()
    with pytest.raises(OSError, match="No space left"):
        problem.run(model, checkpoint=path)
    monkeypatch.undo()
    assert summary(path)["epoch"] == 2
    assert [one.name for one in path.parent.iterdir() if one.suffix != ".lock"] == [path.name]
    whole, _ = problem.run()
    resumed, _ = problem.run(checkpoint=path, resume=True)
    assert problem.equal(whole, resumed)


KILLED = """
import sys
from pathlib import Path
import torch
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, TrainConfig, train_clip

def run(checkpoint, epochs):
    data = {"dna": torch.randn(400, 20, generator=torch.Generator().manual_seed(0))}
    data["text"] = data["dna"].flip(1)
    shape = ProjectorConfig(in_dim=20, hidden=(300,), dropout=0.1)
    model = ClipModel({name: Projector(shape, seed=1) for name in data})
    config = TrainConfig(batch_size=50, max_epochs=epochs, patience=None, schedule="constant")
    feeds = Feed(data, rows=range(300)), Feed(data, rows=range(300, 400))
    history = train_clip(model, *feeds, config, device="cpu", checkpoint=checkpoint, resume=True, progress=False)
    return history.table.drop(columns="pairs_per_second")

if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), 100_000)
"""


def test_killed_run_leaves_a_readable_checkpoint(tmp_path: Path, path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    process = subprocess.Popen([sys.executable, script, path])
    try:
        deadline = time.monotonic() + 120
        while not path.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)  # somewhere between two checkpoints, or within one
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    state = summary(path)  # whole
    assert len(state["rows"]) == state["epoch"] > 0
    # The lock of the dead does not keep the next run away; it goes on, and ends like a run that was never killed.
    epochs = state["epoch"] + 2
    state["config"]["max_epochs"] = epochs
    tensors = safetensors.torch.load_file(path)
    del state["sha256"]
    state["sha256"] = _checkpoint._checksum(state, tensors)
    safetensors.torch.save_file(tensors, path, metadata={"run": json.dumps(state)})
    run = runpy.run_path(str(script))["run"]
    resumed, whole = run(path, epochs), run(tmp_path / "fresh.safetensors", epochs)
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
