"""The embeddings client against a real HTTP server: limits, cost, cache, faults, and where the key goes."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import http.server
import json
import logging
import pickle
import sqlite3
import sys
import threading
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dnaclip._errors import InputError, LanguageModelError, MissingDependencyError
from dnaclip.encoders import OpenAiEncoder
from dnaclip.encoders._openai import encoder as module
from dnaclip.encoders._openai.answer import requests_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-planted-9c1e5f2a7d"
WIDTH = 8


def vector_of(text: str) -> np.ndarray:
    """What the server makes of a text."""
    digest = hashlib.sha256(text.encode()).digest()
    return np.frombuffer(digest[:WIDTH], dtype=np.uint8).astype(np.float32) / 256


@dataclass
class Server:
    """Answers with vectors, after the faults in `faults` (status, headers) are used up."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    change: Callable[[dict[str, Any]], Any] = lambda answer: answer

    def answer(self, body: dict[str, Any]) -> Any:
        vectors = [vector_of(text)[: body.get("dimensions")] for text in body["input"]]
        form = (lambda v: base64.b64encode(v.astype("<f4").tobytes()).decode()) if "64" in body["encoding_format"] else (
            lambda v: v.tolist())  # fmt: skip
        data = [{"index": i, "embedding": form(vector)} for i, vector in enumerate(vectors)]
        tokens = sum(len(text) for text in body["input"]) // 4
        return self.change({"data": data[::-1], "usage": {"prompt_tokens": tokens}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/embeddings"
            state.requests.append(body)
            state.headers.append(dict(self.headers))
            status, headers = state.faults.pop(0) if state.faults else (200, {})
            content = json.dumps(state.answer(body) if status == 200 else {"error": {"message": f"no {KEY}"}}).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    state.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def make(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenAiEncoder]:
    """Make encoders of the server that do not really sleep."""
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("dnaclip.llm._http.time.sleep", lambda seconds: None)

    def call(**options: Any) -> OpenAiEncoder:
        return OpenAiEncoder("a-model", **{"base_url": server.url, "timeout": 5, **options})

    return call


TEXTS = ["A kinase.", "A channel.", "A kinase.", "Ein Ionenkanal ß"]


def test_vectors_in_the_order_of_the_texts(server: Server, make: Callable[..., OpenAiEncoder]) -> None:
    encoder = make(price=2.0)
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.stack([vector_of(text) for text in TEXTS]))
    assert server.requests == [{"model": "a-model", "input": sorted(set(TEXTS)), "encoding_format": "float"}]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert encoder.dimension == WIDTH
    assert encoder.usage == {"requests": 1, "tokens": 8, "cost": pytest.approx(16e-6)}
    assert encoder.encode([]).shape == (0, WIDTH)


def test_openai_itself_is_asked_for_packed_vectors(server: Server, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENAI", server.url)
    encoder = make(base_url=None, dimensions=4)
    np.testing.assert_array_equal(encoder.encode(["x"])[0], vector_of("x")[:4])
    assert server.requests[0]["encoding_format"] == "base64"
    assert server.requests[0]["dimensions"] == 4
    assert OpenAiEncoder(base_url=None).dimension == 3072
    assert OpenAiEncoder("text-embedding-3-small", dimensions=256, base_url=None).dimension == 256


def test_the_address_may_come_from_the_environment(server: Server, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/")
    assert make(base_url=None).encode(["x"]).shape == (1, WIDTH)


def test_a_text_is_paid_for_once(server: Server, make: Callable[..., OpenAiEncoder], tmp_path: Path) -> None:
    first = make().encode(TEXTS[:2])
    assert make().estimate(TEXTS)["kept"] == 2
    np.testing.assert_array_equal(make().encode(TEXTS)[:2], first)
    assert [request["input"] for request in server.requests] == [["A channel.", "A kinase."], ["Ein Ionenkanal ß"]]
    kept = tmp_path / "cache" / "text-vectors" / "vectors.sqlite"
    assert kept.is_file()
    for secret in (KEY.encode(), b"kinase", b"channel"):
        assert secret not in kept.read_bytes()
    # Another model, length or address is another question.
    make(dimensions=4).encode(TEXTS)
    assert len(server.requests) == 3
    make(cache=False).encode(TEXTS)
    assert len(server.requests) == 4
    make(cache_dir=tmp_path / "mine").encode(TEXTS)
    assert (tmp_path / "mine" / "vectors.sqlite").is_file()


def test_a_run_goes_on_where_it_broke_off(server: Server, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnaclip.encoders._openai.answer.MOST_INPUTS", 2)
    texts = [f"gene {i}" for i in range(6)]
    server.faults = [(200, {}), (400, {})]
    with pytest.raises(LanguageModelError, match="answered 400"):
        make().encode(texts)
    server.requests.clear()
    np.testing.assert_array_equal(make().encode(texts), np.stack([vector_of(text) for text in texts]))
    assert [request["input"] for request in server.requests] == [texts[2:4], texts[4:]]


def test_a_damaged_cache_is_named(server: Server, make: Callable[..., OpenAiEncoder], tmp_path: Path) -> None:
    path = tmp_path / "cache" / "text-vectors" / "vectors.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match=r"vectors\.sqlite' cannot be used.*Delete the file"):
        make().encode(["x"])
    assert server.requests == []


def test_many_processes_may_write(make: Callable[..., OpenAiEncoder], tmp_path: Path) -> None:
    encoders = [make() for _ in range(4)]
    threads = [
        threading.Thread(target=encoder.encode, args=([f"{i} {j}" for j in range(20)],))
        for i, encoder in enumerate(encoders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "text-vectors" / "vectors.sqlite")) as database:
        assert database.execute("SELECT COUNT(*) FROM vectors").fetchone() == (80,)


def test_requests_keep_to_the_limits() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 8193, size=5000).tolist() + [1] * 5000
    made = requests_of(tokens)
    assert [i for places in made for i in places] == list(range(10_000))
    assert max(len(places) for places in made) == 2048
    assert 290_000 < max(sum(tokens[i] for i in places) for places in made) <= 300_000
    assert requests_of([]) == []


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_asks_again_where_that_may_help(server: Server, make: Callable[..., OpenAiEncoder], status: int) -> None:
    server.faults = [(status, {"Retry-After": "0"}), (status, {})]
    np.testing.assert_array_equal(make().encode(["x"])[0], vector_of("x"))
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [307, 400, 401, 403, 404])
def test_asks_once_where_it_cannot_help(server: Server, make: Callable[..., OpenAiEncoder], status: int) -> None:
    server.faults = [(status, {"Location": "http://127.0.0.1:9/elsewhere"})]
    with pytest.raises(LanguageModelError, match=f"answered {status}"):
        make().encode(["x"])
    assert len(server.requests) == 1


def without_one(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "data": answer["data"][1:]}


BAD = {
    "one too few": (without_one, "1 vectors came for 2 texts"),
    "one twice": (lambda a: {"data": [a["data"][0]] * 2}, "2 vectors came for 2 texts"),
    "no data": (lambda a: {}, "cannot be used"),
    "a list": (lambda a: [], "not a JSON object"),
    "not finite": (
        lambda a: {"data": [{"index": i, "embedding": [float("nan")]} for i in (0, 1)]},
        "no finite vectors",
    ),
    "of two lengths": (
        lambda a: {"data": [{"index": i, "embedding": [1.0] * (i + 1)} for i in (0, 1)]},
        "cannot be used",
    ),
    "empty": (lambda a: {"data": [{"index": i, "embedding": []} for i in (0, 1)]}, "no finite vectors"),
    "not base64": (lambda a: {"data": [{"index": i, "embedding": "§"} for i in (0, 1)]}, "cannot be used"),
}


@pytest.mark.parametrize("name", BAD)
def test_answers_that_do_not_fit_are_refused(server: Server, make: Any, tmp_path: Path, name: str) -> None:
    server.change, message = BAD[name]
    with pytest.raises(LanguageModelError, match=message):
        make().encode(["a", "b"])
    assert make().estimate(["a", "b"])["kept"] == 0


def test_a_vector_of_another_length_is_refused(server: Server, make: Callable[..., OpenAiEncoder]) -> None:
    with pytest.raises(LanguageModelError, match=r"vectors of \(8,\) came, not of \(16,\)"):
        make(dimensions=16).encode(["a"])


def test_the_cost_is_told_and_limited(server: Server, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    encoder = make(price=1000.0, max_cost=0.05, cache=False)
    texts = ["x" * 40, "y" * 40]
    assert encoder.estimate(texts) == {"texts": 2, "kept": 0, "requests": 1, "tokens": 20, "cost": pytest.approx(0.02)}
    with pytest.raises(
        InputError, match=r"would cost about 0.1 \(100 tokens\), which passes max_cost=0.05.*Nothing was sent"
    ):
        encoder.encode(["z" * 400])
    assert server.requests == []
    # The estimate fits, but by the worst case, a token a byte, the request could pass the limit.
    with pytest.raises(LanguageModelError, match="could pass max_cost"):
        encoder.encode(texts)
    assert server.requests == []
    encoder = make(price=1000.0, max_cost=0.05, cache=False, count_tokens=lambda text: len(text) // 4)
    encoder.encode(texts)
    assert (
        "0 of 2 texts are on disk; the others take 1 requests and about 20 tokens, which cost about 0.02" in caplog.text
    )
    assert encoder.usage["cost"] == pytest.approx(0.02)


def test_texts_that_are_too_long_are_refused_before_anything_is_sent(server: Server, make: Any) -> None:
    long = "ä" * 4097
    with pytest.raises(InputError, match=r"1 of 2 texts have more than 8192 bytes.*give count_tokens="):
        make().encode(["x", long])
    with pytest.raises(InputError, match="1 of 1 texts have more than 8192 bytes"):
        make().check([long])
    with pytest.raises(InputError, match="more than 5 tokens"):
        make(max_tokens=5, count_tokens=len).encode(["123456"])
    assert server.requests == []
    assert make(count_tokens=lambda text: len(text) // 4).encode([long]).shape == (1, WIDTH)


@pytest.mark.parametrize("texts", ["one", ["a", ""], ["a", None], [" \n"]])
def test_blank_texts_are_refused(server: Server, make: Callable[..., OpenAiEncoder], texts: Any) -> None:
    with pytest.raises(InputError, match="single string|blank or not a string"):
        make().encode(texts)
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "ftp://host"}, "base_url must be an http or https address"),
        ({"base_url": f"http://user:{KEY}@host/v1"}, "no user name"),
        ({"base_url": "http://far.example/v1"}, "would send the key in the open"),
        (
            {"base_url": "https://far.example/v1", "key_variable": "NO_SUCH_KEY"},
            "set the environment variable NO_SUCH_KEY",
        ),
        ({"max_cost": 1.0}, "needs price="),
        ({"max_cost": -1.0, "price": 1.0}, "max_cost=-1.0 must be 0 or more"),
        ({"price": -1.0}, "price must be 0 or more"),
        ({"dimensions": 0}, "dimensions must be a whole number"),
        ({"max_tokens": 0}, "max_tokens must be a whole number"),
        ({"max_retries": -1}, "max_retries must be a whole number"),
    ],
)
def test_other_options_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make(**options)
    assert KEY not in str(caught.value)


def test_no_key_is_sent_where_none_is_wanted(server: Server, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make(key_variable="").encode(["x"])
    monkeypatch.setenv("MY_KEY", "another")
    make(key_variable="MY_KEY").encode(["y"])
    monkeypatch.delenv("OPENAI_API_KEY")
    make().encode(["z"])  # on this machine none is needed
    assert [headers.get("Authorization") for headers in server.headers] == [None, "Bearer another", None]
    with pytest.raises(InputError, match="There is no key for https://api.openai.com/v1: set .* OPENAI_API_KEY"):
        OpenAiEncoder(base_url=None)


def test_the_key_shows_nowhere(server: Server, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults = [(500, {}), (400, {})]
    encoder = make()
    with pytest.raises(LanguageModelError) as caught:
        encoder.encode(["x"])
    shown = [repr(encoder), str(vars(encoder)), caplog.text, "".join(traceback.format_exception(caught.value))]
    assert all(KEY not in text for text in shown)
    for copying in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copying(encoder)


def test_without_the_library_it_says_what_to_install(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(MissingDependencyError, match=r"OpenAiEncoder needs.*pip install 'dnaclip\[llm\]'"):
        make().encode(["x"])
