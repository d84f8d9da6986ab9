"""The history on disk: whole after every epoch, without doubles after a resume."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.train import _loop

if TYPE_CHECKING:
    from pathlib import Path


def stop_after(epoch: int) -> Any:
    def stop(_: Any, row: dict[str, float]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return stop


def test_a_folder_gets_a_table_and_events(problem: Any, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options: dict[str, Any] = {"checkpoint": tmp_path / "run.safetensors", "log": tmp_path / "log"}
    with pytest.raises(KeyboardInterrupt):
        problem.run(callbacks=[stop_after(3)], **options)
    _, table = problem.run(resume=True, **options)
    events = accumulator.EventAccumulator(str(tmp_path / "log")).Reload()
    assert set(events.Tags()["scalars"]) == {*table.columns[1:], "pairs_per_second"}
    for name in table.columns[1:]:
        shown, expected = events.Scalars(name), table[["epoch", name]].dropna()
        assert [one.step for one in shown] == expected["epoch"].tolist()
        assert [one.value for one in shown] == pytest.approx(expected[name].tolist(), rel=1e-6)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "log" / "history.csv").drop(columns="pairs_per_second"), table)


def test_an_epoch_that_is_run_again_is_shown_once(
    problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the log and the checkpoint."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    save = _loop.save_checkpoint

    def killed(path: Any, state: Any, *arguments: Any, **options: Any) -> None:
        if state.epoch == 4:
            raise KeyboardInterrupt
        save(path, state, *arguments, **options)

    options: dict[str, Any] = {"checkpoint": tmp_path / "run.safetensors", "log": tmp_path / "log"}
    with monkeypatch.context() as patch:
        patch.setattr(_loop, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            problem.run(**options)
    problem.run(resume=True, **options)
    events = accumulator.EventAccumulator(str(tmp_path / "log")).Reload()
    assert [one.step for one in events.Scalars("validation_loss")] == list(range(7))


def test_the_table_is_whole_after_a_kill_at_the_very_end(
    problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, checkpoint = tmp_path / "log.csv", tmp_path / "run.safetensors"
    save = _loop.save_checkpoint

    def killed_after(path: Any, state: Any, *arguments: Any, **options: Any) -> None:
        save(path, state, *arguments, **options)
        if state.epoch == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_loop, "save_checkpoint", killed_after)
        with pytest.raises(KeyboardInterrupt):
            problem.run(checkpoint=checkpoint, log=log)
    # Nothing is left to do, so that what is not in the log now would never be.
    _, table = problem.run(checkpoint=checkpoint, log=log, resume=True)
    pd.testing.assert_frame_equal(pd.read_csv(log).drop(columns="pairs_per_second"), table)


def test_refused_before_training(problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log.txt"
    file.write_text("mine")
    with pytest.raises(InputError, match=r"log=.*log.txt' is a file. Give a name that ends in .csv, or a folder for"):
        problem.run(log=file)
    assert file.read_text() == "mine"
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        MissingDependencyError, match=r"A log that is a folder needs the package 'tensorboard'.*dnaclip\[tensorboard\]"
    ):
        problem.run(log=tmp_path / "log", checkpoint=tmp_path / "run.safetensors")
    assert [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")] == ["log.txt"]
