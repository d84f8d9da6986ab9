"""Fetching one file over real HTTP: what is returned, what an error says, what is left behind."""

from __future__ import annotations

import logging
import re
import traceback
from pathlib import Path

import pytest

from dnaclip._errors import DownloadError, InputError, MissingKeyError
from dnaclip.datasets import _cache, _fetch, fetch, fetch_group


def test_fetches_once_and_keeps(files, server, cache, left):
    path = fetch("one.bin", progress=False)
    assert path == cache / "one.bin"
    assert path.read_bytes() == files.content["one.bin"]
    assert fetch("one.bin", progress=False) == path
    assert server.gets["/one.bin"] == 1
    assert left(cache) == ["one.bin"]


def test_progress_bar_reaches_the_end(files, server, capsys):
    fetch("one.bin")
    shown = capsys.readouterr().err
    assert "one.bin: 100%" in shown
    assert "3.07M/3.07M" in shown
    fetch("model.config.json", progress=False)
    assert capsys.readouterr().err == ""


def test_bundled_file_comes_first_and_touches_no_cache(files, server, cache):
    files.bundle("one.bin")
    assert fetch("one.bin") == files.bundled / "one.bin"
    assert not server.gets
    assert not cache.exists()


def test_damaged_bundled_file_is_refused(files, server):
    files.bundle("one.bin")
    body = bytearray(files.content["one.bin"])
    body[1000] ^= 1
    (files.bundled / "one.bin").write_bytes(body)
    with pytest.raises(DownloadError, match=r"comes with dnaclip is damaged: its checksum is sha256 .* pip install"):
        fetch("one.bin")
    assert not server.gets


def test_group_is_one_folder(files, server, cache):
    folder = fetch_group("model", progress=False)
    assert folder == cache / "model"
    assert (folder / "config.json").read_bytes() == files.content["model/config.json"]
    assert (folder / "sub/weights.bin").read_bytes() == files.content["model/sub/weights.bin"]
    assert fetch("model.config.json") == folder / "config.json"
    assert sum(server.gets.values()) == 2


def test_bundled_group(files, server):
    files.bundle("model/config.json", "model/sub/weights.bin")
    assert fetch_group("model") == files.bundled / "model"
    (files.bundled / "model/config.json").write_bytes(b"edited by hand")
    with pytest.raises(DownloadError, match="it has 14 bytes instead of 15 bytes"):
        fetch_group("model")
    assert not server.gets


def test_group_of_which_only_a_part_is_bundled_is_fetched_whole(files, cache):
    files.bundle("model/config.json")
    assert fetch_group("model", progress=False) == cache / "model"
    assert (cache / "model/config.json").is_file()


def test_damaged_file_in_the_cache_is_fetched_again(files, server, cache, caplog):
    cache.mkdir()
    (cache / "one.bin").write_bytes(b"\0" * len(files.content["one.bin"]))
    assert fetch("one.bin", progress=False).read_bytes() == files.content["one.bin"]
    assert "is damaged (its checksum is sha256" in caplog.text


def test_file_that_changes_later_in_the_process_is_noticed(files, server):
    path = fetch("one.bin", progress=False)
    fetch("one.bin")
    path.write_bytes(b"changed")
    assert fetch("one.bin", progress=False).read_bytes() == files.content["one.bin"]
    assert server.gets["/one.bin"] == 2


def test_cache_is_read_once_per_process(files, monkeypatch):
    path = fetch("one.bin", progress=False)
    fetch("one.bin")
    monkeypatch.setattr(type(_cache.Path()), "open", lambda *_: pytest.fail("read again"))
    assert fetch("one.bin") == path


# What the server does, what the error says, how often it is asked: a fault that may pass is tried three times.
def _faults(server, body):
    wrong = body[:-1] + bytes([body[-1] ^ 1])
    page = b"\n<!DOCTYPE html><html>Please log in</html>"
    return {
        "404": (server.status(404), "the server answered 404 Not Found. The file is not there (any more)", 1),
        "403": (server.status(403), "the server answered 403 Forbidden. The server does not give it", 1),
        "401": (server.status(401), "the server answered 401 Unauthorized.", 1),
        "400": (server.status(400), "the server answered 400 Bad Request. Check the address.", 1),
        "unknown status": (server.status(499), "the server answered 499 unknown status", 1),
        "429": (server.status(429, Retry_After="77"), "429 Too Many Requests. Too many requests came from here", 3),
        "500": (server.status(500), "500 Internal Server Error. The fault is the server's: try again later", 3),
        "503": (server.status(503), "503 Service Unavailable.", 3),
        "wrong hash": (server.good(wrong), "what came is not the file (its checksum is sha256 ", 3),
        "too long": (server.good(body + b"x"), f"it is longer than the {len(body)} bytes it may have", 3),
        "too short": (server.good(body[:-7]), f"it has {len(body) - 7} bytes instead of {len(body)} bytes", 3),
        "empty": (server.good(b""), f"it has 0 bytes instead of {len(body)} bytes", 3),
        "cut": (server.cut(body, 2_000_000), "the connection broke off. Try again later", 3),
        "cut without length": (server.cut(body, 2_000_000, say_length=False), "it has 2000000 bytes instead of", 3),
        "stalled": (server.stall(body, 2_000_000), "the server stopped answering. Try again later", 3),
        "web page": (server.good(page), "a web page came instead of the file", 1),
        "long web page": (server.good(page + b" " * len(body)), "a web page came instead of the file", 1),
        "to a file": (server.status(302, Location="file:///etc/passwd"), "an address that is not http(s)", 1),
        "to ftp": (server.status(301, Location="ftp://127.0.0.1/one.bin"), "an address that is not http(s)", 1),
        "in a circle": (server.status(302, Location="/one.bin"), "the server sent us in a circle", None),
    }


FAULTS = (
    "404", "403", "401", "400", "unknown status", "429", "500", "503", "wrong hash", "too long", "too short", "empty",
    "cut", "cut without length", "stalled", "web page", "long web page", "to a file", "to ftp", "in a circle",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_server(files, server, cache, left, fault):
    answer, message, gets = _faults(server, files.content["one.bin"])[fault]
    server.put("/one.bin", answer)
    with pytest.raises(DownloadError) as caught:
        fetch("one.bin", progress=False)
    text = str(caught.value)
    assert message in text
    # Each message also says what was wanted, from where, and what to do.
    expected = _fetch.get_asset("one.bin").expected
    assert f"'one.bin' ({expected.size} bytes, sha256 {expected.checksum}) could not be fetched" in text
    assert f"from {server.url}/one.bin:" in text
    assert f"put the file at '{cache / 'one.bin'}' by hand, or set DNACLIP_MIRROR" in text
    assert gets is None or server.gets["/one.bin"] == gets
    assert left(cache) == []
    # The next time it works.
    server.put("/one.bin", files.content["one.bin"])
    assert fetch("one.bin", progress=False).read_bytes() == files.content["one.bin"]
    assert left(cache) == ["one.bin"]


def test_retry_after_is_passed_on(files, server):
    server.put("/one.bin", server.status(429, Retry_After="77"))
    with pytest.raises(DownloadError, match="It asks to wait 77 seconds"):
        fetch("one.bin", progress=False)


@pytest.mark.parametrize("fault", ["429", "500", "wrong hash", "too short", "cut", "cut without length", "stalled"])
def test_passing_fault_is_mended_by_trying_again(files, server, cache, left, caplog, fault):
    caplog.set_level(logging.INFO)
    body = files.content["one.bin"]
    server.put("/one.bin", _faults(server, body)[fault][0], server.good(body))
    assert fetch("one.bin", progress=False).read_bytes() == body
    assert server.gets["/one.bin"] == 2
    assert "Trying again." in caplog.text
    assert left(cache) == ["one.bin"]


def test_redirect_to_another_place_is_followed(files, server):
    server.put("/one.bin", server.status(302, Location="/elsewhere"))
    server.put("/elsewhere", files.content["one.bin"])
    assert fetch("one.bin", progress=False).read_bytes() == files.content["one.bin"]


def test_no_connection(files, cache, left):
    # Nothing listens on port 9 of this machine.
    files.write("http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"no connection to the server\. Is there a network, or a proxy"):
        fetch("one.bin", progress=False)
    assert left(cache) == []


def test_missing_proxy(files, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DownloadError, match=r"the proxy did not let us through\. Check HTTPS_PROXY"):
        fetch("one.bin", progress=False)


def test_no_certificate(files, server):
    files.write(server.url.replace("http:", "https:"))
    with pytest.raises(DownloadError, match="the server's certificate was not accepted"):
        fetch("one.bin", progress=False)


def test_own_address_of_a_file_is_used(files, server):
    files.write(None, one_bin=server.put("/over/there", files.content["one.bin"]))
    fetch("one.bin", progress=False)
    assert server.gets["/over/there"] == 1


def test_without_public_address(files, cache):
    files.write(None)
    with pytest.raises(DownloadError) as caught:
        fetch("model.sub.weights.bin")
    assert "no public address yet to fetch it from. Set DNACLIP_MIRROR to an http(s) address or a folder" in str(
        caught.value
    )
    assert "that holds 'model/sub/weights.bin'" in str(caught.value)
    assert "(700 bytes, sha256 " in str(caught.value)
    assert not cache.exists()
    # The advice works.
    target = cache / "model/sub/weights.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(files.content["model/sub/weights.bin"])
    assert fetch("model.sub.weights.bin") == target


def test_offline_without_the_file(files, server, cache, monkeypatch):
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        fetch("one.bin")
    expected = _fetch.get_asset("one.bin").expected
    for part in (
        f"'one.bin' ({expected.size} bytes, sha256 {expected.checksum}) is needed",
        f"DNACLIP_OFFLINE forbids to fetch it from {server.url}/one.bin",
        f"at '{cache / 'one.bin'}' it is not there. Unset DNACLIP_OFFLINE, or put the file there by hand",
        "or set DNACLIP_MIRROR to a folder that holds 'one.bin'",
    ):
        assert part in str(caught.value)
    assert not server.gets
    assert not cache.exists()


def test_offline_with_the_file(files, server, monkeypatch):
    path = fetch("one.bin", progress=False)
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    assert fetch("one.bin") == path
    path.write_bytes(b"damaged")
    with pytest.raises(DownloadError, match=r"it has 7 bytes instead of 3072000 bytes\. Unset DNACLIP_OFFLINE"):
        fetch("one.bin")
    assert path.read_bytes() == b"damaged"
    assert server.gets["/one.bin"] == 1


@pytest.mark.parametrize("value", ["0", "", "no", "False", "off"])
def test_offline_switched_off(files, monkeypatch, value):
    monkeypatch.setenv("DNACLIP_OFFLINE", value)
    assert fetch("one.bin", progress=False).is_file()


def test_offline_misspelt(files, server, monkeypatch):
    monkeypatch.setenv("DNACLIP_OFFLINE", "maybe")
    with pytest.raises(InputError, match=r"DNACLIP_OFFLINE='maybe' is not understood\. Use 1 to forbid"):
        fetch("one.bin")
    assert not server.gets


def test_mirror_folder_works_offline(files, server, cache, tmp_path, monkeypatch):
    mirror = tmp_path / "a mirror, ünïcode"
    (mirror / "model/sub").mkdir(parents=True)
    for file, body in files.content.items():
        (mirror / file).write_bytes(body)
    monkeypatch.setenv("DNACLIP_MIRROR", str(mirror))
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    files.write(None)
    assert fetch("one.bin", progress=False) == cache / "one.bin"
    assert fetch_group("model", progress=False) == cache / "model"
    assert not server.gets


def test_mirror_folder_is_checked(files, cache, left, tmp_path, monkeypatch):
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path))
    with pytest.raises(DownloadError, match=rf"from {tmp_path}/one.bin: the file cannot be read \(No such file"):
        fetch("one.bin")
    (tmp_path / "one.bin").write_bytes(b"other")
    with pytest.raises(DownloadError, match="what came is not the file .it has 5 bytes instead of 3072000 bytes"):
        fetch("one.bin")
    assert left(cache) == []


def test_mirror_address_takes_the_place_of_every_other(files, server, monkeypatch):
    server.put("/mirror/one.bin", files.content["one.bin"])
    monkeypatch.setenv("DNACLIP_MIRROR", f"{server.url}/mirror/")
    files.write(server.url, one_bin=f"{server.url}/own/one.bin")
    fetch("one.bin", progress=False)
    assert dict(server.gets) == {"/mirror/one.bin": 1}
    with pytest.raises(DownloadError, match=f"from {server.url}/mirror/model/config.json: the server answered 404"):
        fetch("model.config.json", progress=False)


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ("file:///etc", "must be an http(s) address or an existing folder; only these two are read"),
        ("ftp://host/folder", "must be an http(s) address or an existing folder"),
        ("s3://bucket", "must be an http(s) address or an existing folder"),
        ("/no/such/folder", "There is no folder '/no/such/folder'"),
        ("https://", "must be a plain address"),
        ("https://host/a?token=abc", "must be a plain address"),
    ],
)
def test_unusable_mirror(files, server, cache, monkeypatch, mirror, message):
    monkeypatch.setenv("DNACLIP_MIRROR", mirror)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        fetch("one.bin")
    assert "DNACLIP_MIRROR" in str(caught.value)
    assert "abc" not in str(caught.value)
    assert not server.gets
    assert not cache.exists()


@pytest.mark.parametrize("fault", ["404", "429", "cut", "stalled", "in a circle", "to a file"])
def test_password_of_the_mirror_is_shown_nowhere(files, server, monkeypatch, caplog, fault):
    caplog.set_level(logging.DEBUG)
    server.put("/one.bin", _faults(server, files.content["one.bin"])[fault][0])
    monkeypatch.setenv("DNACLIP_MIRROR", server.url.replace("//", "//me:s3cret@"))
    with pytest.raises(DownloadError) as caught:
        fetch("one.bin")
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert f"from {server.url}/one.bin" in shown
    assert "s3cret" not in shown


UNSAFE = [
    "", ".", "..", "../one.bin", "../../etc/passwd", "/etc/passwd", "//host/share", "model/../one.bin", "model/config.json",
    "..\\one.bin", "C:\\one.bin", "C:one.bin", "\\\\host\\share", "one.bin\0", "one.bin\n", " one.bin", "one.bin ",
    "one.bin.", ".one.bin", "~/one.bin", "~root", "one..bin", "one.bin:stream", "%2e%2e%2fone.bin", "one.bin?x", "one.bin#x",
    "nul", "CON", "com1.bin", "ｏｎｅ.bin", "one\u202ebin", "one*", "-rf", "x" * 101, "$HOME", "`id`", "one;id", "file:///etc/passwd",
    "http://127.0.0.1/one.bin", None, 3, b"one.bin", Path("one.bin"),
]  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE, ids=repr)
@pytest.mark.parametrize("entry", [fetch, fetch_group])
def test_unsafe_names(files, server, cache, entry, name):
    with pytest.raises(InputError, match="cannot be the name of .*: it must be a plain name of at most 100"):
        entry(name)
    assert not server.gets
    assert not cache.exists()


@pytest.mark.parametrize("name", [name for name in UNSAFE if name != "model/config.json"], ids=repr)
def test_unsafe_files_in_the_cache(cache, name):
    # Whatever a registry or a server's list says, nothing is written outside of the cache folder.
    with pytest.raises(InputError, match="cannot be the name of a cached file"):
        _cache.cached(name, Path(__file__), None, progress=False)
    assert not cache.exists()


def test_unknown_names_show_near_ones(files):
    with pytest.raises(MissingKeyError, match=r"There is no asset 'One.bim'\. Near names: 'one.bin'\."):
        fetch("One.bim")
    with pytest.raises(MissingKeyError, match="It is a group of files: use fetch_group"):
        fetch("model")
    with pytest.raises(MissingKeyError, match="There is no group of assets 'models'. There are: 'model'"):
        fetch_group("models")
