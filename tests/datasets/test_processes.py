"""Several processes at once, processes that are killed, and folders that cannot be written."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dnaclip._errors import DownloadError
from dnaclip.datasets import fetch, fetch_group

# What a process does: wait for the start signal, fetch, print the checksum of what it got.
PROGRAM = """
import hashlib, signal, sys, time
from pathlib import Path
from dnaclip.datasets import _cache, _registry, fetch
registry, name, start, before = sys.argv[1:]
_registry.REGISTRY_FILE = Path(registry)
_cache.PAUSES = (0.0, 0.0)
# In a background job of a shell SIGINT is ignored, also by the processes that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
exec(before)
print("ready", flush=True)
while start and not Path(start).exists():
    time.sleep(0.01)
try:
    print(hashlib.sha256(fetch(name, progress=False).read_bytes()).hexdigest())
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(files) -> Start:
    def run(name: str = "one.bin", *, on: Path | None = None, before: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, str(files.registry), name, str(on or ""), before]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return run


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("n_processes", [2, 8])
def test_processes_at_once_download_once(files, server, cache, left, start, tmp_path, n_processes):
    body = files.content["one.bin"]
    server.put("/one.bin", server.good(body, after=1.0))
    together = tmp_path / "go"
    processes = [start(on=together) for _ in range(n_processes)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    together.touch()
    results = [process.communicate(timeout=60) for process in processes]
    assert results == [(hashlib.sha256(body).hexdigest() + "\n", "")] * n_processes
    assert server.gets["/one.bin"] == 1
    assert left(cache) == ["one.bin"]


@pytest.mark.parametrize("share", [0, 0.4, 0.9])
def test_killed_while_downloading(files, server, cache, left, start, share):
    body = files.content["one.bin"]
    server.put("/one.bin", server.stall(body, int(len(body) * share)))
    process = start()
    _wait(lambda: server.gets["/one.bin"] == 1 and list(cache.glob(".one.bin~*.part")))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    # The real name does not exist: nobody can take the part for the file.
    assert [name.startswith(".one.bin~") for name in left(cache)] == [True]

    server.put("/one.bin", body)
    assert fetch("one.bin", progress=False).read_bytes() == body
    assert left(cache) == ["one.bin"]


def test_killed_while_others_wait(files, server, cache, left, start):
    body = files.content["one.bin"]
    server.put("/one.bin", server.stall(body, 1_500_000), server.good(body))
    first = start()
    _wait(lambda: server.gets["/one.bin"] == 1)
    second = start()
    assert second.stdout.readline() == "ready\n"
    time.sleep(0.3)
    assert server.gets["/one.bin"] == 1
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.communicate(timeout=60) == (hashlib.sha256(body).hexdigest() + "\n", "")
    assert left(cache) == ["one.bin"]


def test_sweeping_spares_the_parts_of_other_files(files, cache, left):
    (cache / "model").mkdir(parents=True)
    spared = ["model/.config.json.bak~1.part", "model/.config.jsonx~1.part", "model/.conf~1.part"]
    for name in [*spared, "model/.config.json~1.part"]:
        (cache / name).touch()
    fetch("model.config.json", progress=False)
    assert left(cache) == sorted([*spared, "model/config.json"])


def test_interrupt_leaves_nothing(files, server, cache, left, start):
    server.put("/one.bin", server.stall(files.content["one.bin"], 1_500_000))
    process = start()
    _wait(lambda: server.gets["/one.bin"] == 1 and list(cache.glob(".one.bin~*.part")))
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert left(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
def test_disk_full(files, cache, left, start):
    # A file must not grow beyond a million bytes: the system refuses the write, as it does on a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    shown, _ = start(before=limit).communicate(timeout=60)
    assert f"DownloadError: 'one.bin' could not be written to '{cache}' (File too large)" in shown
    assert "Set DNACLIP_DATA_DIR to a folder that you can write to and that has room." in shown
    assert left(cache) == []


@pytest.mark.parametrize("below", ["a file", "/proc"])
def test_cache_that_cannot_be_made(files, server, tmp_path, monkeypatch, below):
    # Permissions do not stop the superuser, a file in the way and the kernel's own file system do.
    if below == "/proc" and not Path("/proc/self").exists():
        pytest.skip("there is no /proc on this system")
    (tmp_path / "a file").write_text("not a folder")
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / below / "cache"))
    with pytest.raises(DownloadError, match=r"could not be written to '.*cache' .*\. Set DNACLIP_DATA_DIR to a folder"):
        fetch("one.bin")
    assert not server.gets
    assert (tmp_path / "a file").read_text() == "not a folder"
    files.bundle("one.bin")
    assert fetch("one.bin") == files.bundled / "one.bin"


def test_cache_that_can_only_be_read(files, server, cache, monkeypatch):
    fetch("one.bin", progress=False)
    fetch_group("model", progress=False)
    # Locks can no longer be taken, so any attempt to write would fail.
    locks = cache / ".locks"
    for lock in locks.iterdir():
        lock.unlink()
    locks.rmdir()
    locks.touch()
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    gets = dict(server.gets)
    assert fetch("one.bin").read_bytes() == files.content["one.bin"]
    assert fetch_group("model") == cache / "model"
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before
    assert server.gets == gets

    (cache / "one.bin").unlink()
    with pytest.raises(DownloadError, match="Set DNACLIP_DATA_DIR to a folder that you can write to"):
        fetch("one.bin")
    assert server.gets == gets


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not stop the superuser")
def test_cache_without_permission(files, server, cache):
    cache.mkdir(mode=0o500)
    with pytest.raises(DownloadError, match=r"could not be written .*Permission denied.*DNACLIP_DATA_DIR"):
        fetch("one.bin")
    assert not server.gets


def test_cached_file_gets_ordinary_permissions(files):
    # A cache may be shared: others must be able to read it if the user's umask lets them.
    mask = os.umask(0o022)
    try:
        assert fetch("one.bin", progress=False).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(mask)
