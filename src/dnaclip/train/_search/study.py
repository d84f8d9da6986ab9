"""The study: what a search has tried, in one file of JSON lines that outlives a kill at any moment."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError
from dnaclip._optional import require
from dnaclip.train._checkpoint import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import optuna

__all__ = ["ended", "open_study"]

_NAME = "dnaclip"


class _HeldByUs:
    """In place of the journal's own lock, which a kill leaves behind: ours is held for the whole run, and ends with it."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


@contextmanager
def open_study(path: Path | None, settings: Mapping[str, Any]) -> Iterator[optuna.Study]:
    """Make a study or go on with that of a file, which must have been made with the same settings.

    Of Optuna's storages the journal is the one that is plain text; no object is unpickled from it. Trials that a kill left
    unfinished are closed.

    Parameters
    ----------
    path
        The file; `None` keeps the study in memory.
    settings
        What must not change within a study, as JSON can hold it.

    Raises
    ------
    InputError
        The file is no study, belongs to a search with other settings, or is in use.
    MissingDependencyError
        Optuna is not installed.
    """
    optuna = require("optuna", extra="tune", purpose="A search for settings")
    journal = require("optuna.storages.journal", extra="tune", purpose="A search for settings")

    loudness = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with locked(path):
            storage = None
            if path is not None:
                _drop_half_line(path)
                storage = _read(
                    path, lambda: optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), _HeldByUs()))
                )
            known = [] if storage is None else [one.study_name for one in storage.get_all_studies()]
            # Asking to create a study that is there would add a line to the file.
            if _NAME in known:
                study = optuna.load_study(storage=storage, study_name=_NAME)
            else:
                study = optuna.create_study(storage=storage, study_name=_NAME, direction="maximize")
            _check_settings(study, settings, path)
            _close_unfinished(study)
            yield study
    finally:
        optuna.logging.set_verbosity(loudness)


def ended(study: optuna.Study) -> list[dict[str, Any]]:
    """What is known of every trial that ran to its end, also those whose training failed."""
    return [trial.user_attrs["row"] for trial in study.trials if "row" in trial.user_attrs]


def _drop_half_line(path: Path) -> None:
    """Cut off a last line that a kill or a full disk left without its end: the lines after it could not be read."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)


def _read(path: Path, open_storage: Any) -> Any:
    lines = path.read_bytes().splitlines() if path.exists() else []
    try:
        if any("op_code" not in json.loads(line) for line in lines):
            raise ValueError("a line without op_code")  # noqa: EM101
        return open_storage()
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{str(path)!r} is not a study of dnaclip, or is damaged ({error}). Choose another file."
        raise InputError(msg) from error


def _check_settings(study: optuna.Study, settings: Mapping[str, Any], path: Path | None) -> None:
    now = json.loads(json.dumps(settings))
    then = study.user_attrs.get("settings")
    if then is None:
        study.set_user_attr("settings", now)
    elif differs := [name for name in {**then, **now} if then.get(name) != now.get(name)]:
        words = [f"{name} ({then.get(name)!r} then, {now.get(name)!r} now)" for name in differs]
        msg = (
            f"The study {str(path)!r} belongs to another search; what differs: {', '.join(words)}. Go on with the same "
            "settings and data, or choose another file."
        )
        raise InputError(msg)


def _close_unfinished(study: optuna.Study) -> None:
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        value = trial.user_attrs.get("row", {}).get("value")
        if value is None:
            study.tell(trial.number, state=TrialState.FAIL)
        else:
            study.tell(trial.number, value)
