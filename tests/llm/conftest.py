"""A chat endpoint on this machine that misbehaves on request, and a model that answers every step."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dnaclip.llm import ChatClient
from dnaclip.llm._prompts import PROMPTS

Answer = Callable[[http.server.BaseHTTPRequestHandler, dict[str, Any]], None]
KEY = "sk-planted-4f9a1c7e2b"


@pytest.fixture
def key() -> str:
    return KEY


def step_of(messages: list[dict[str, str]]) -> tuple[str, dict[str, Any]]:
    """Return which step is asked, and the data given."""
    step = next(name for name, prompt in PROMPTS.items() if prompt == messages[0]["content"])
    match = re.fullmatch(r"<data>\n(.*)\n</data>", messages[1]["content"], re.DOTALL)
    assert match
    return step, json.loads(match[1])


@dataclass
class Model:
    """Answers as a model does that goes by the evidence, or (`liar`) as one that makes things up and calls it supported."""

    liar: bool = False
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: list[list[dict[str, str]]] = field(default_factory=list)

    def __call__(self, messages: list[dict[str, str]]) -> str:
        step, data = step_of(messages)
        self.asked.append((step, data))
        self.messages.append(messages)
        return json.dumps(getattr(self, f"_{step}")(data))

    def _draft(self, data: dict[str, Any]) -> dict[str, Any]:
        gene = data["genes"][0]["gene"]
        claims = [
            {
                "claim": "The genes make telepathy possible." if self.liar else "The genes work in translation.",
                "genes": [],
            },
            {"claim": f"{gene} is a structural protein.", "genes": [gene]},
            {"claim": "HOAX1 leads them.", "genes": ["HOAX1"]},
        ]
        return {"name": "Telepathy" if self.liar else "Translation", "summary": "All of them.", "claims": claims}

    def _verify(self, data: dict[str, Any]) -> dict[str, Any]:
        verdicts = []
        for claim in data["claims"]:
            if self.liar:
                cited = ["S99", "trust me"]
            elif claim["genes"]:
                cited = [e["id"] for e in data["evidence"] if e.get("gene") in claim["genes"]]
            else:
                cited = [e["id"] for e in data["evidence"] if "enriched" in e][:1]
            verdict = "supported" if cited else "not checkable"
            verdicts.append({"number": claim["number"], "verdict": verdict, "evidence": cited})
        return {"verdicts": verdicts}

    def _revise(self, data: dict[str, Any]) -> dict[str, Any]:
        if self.liar:
            return {**data["draft"], "claims": [{"claim": "The genes make telepathy possible.", "genes": []}]}
        kept = [c for c in data["claims"] if c["verdict"] in ("supported", "partly")]
        if not any("enriched" in e for e in data["evidence"]):
            return {"name": "No common function.", "summary": "They share nothing.", "claims": []}
        name = f"Checked: {data['evidence'][0]['enriched']}"
        return {"name": name, "summary": "As checked.", "claims": [{k: c[k] for k in ("claim", "genes")} for c in kept]}

    def _finish(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"summary": f"{data['draft']['summary']} In its last form."}


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def liar() -> Model:
    return Model(liar=True)


@dataclass
class Endpoint:
    """Gives its answers one after the other, and the last one from then on."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def says(self, text: str | None, *, finish: str = "stop", usage: bool = True, **message: str) -> Answer:
        body: dict[str, Any] = {"choices": [{"message": {"content": text, **message}, "finish_reason": finish}]}
        if usage:
            body["usage"] = {"prompt_tokens": 100, "completion_tokens": 10}
        return self.sends(json.dumps(body).encode())

    def sends(self, body: bytes, status: int = 200, **headers: str) -> Answer:
        def answer(handler: http.server.BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return answer

    def error(self, status: int, message: str = "no", **headers: str) -> Answer:
        return self.sends(json.dumps({"error": {"message": message}}).encode(), status, **headers)

    def stalls(self) -> Answer:
        def answer(*_: object) -> None:
            self.released.wait(30)

        return answer

    def drips(self) -> Answer:
        def answer(handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(1000):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                if self.released.wait(0.05):
                    return

        return answer

    def thinks(self, model: Model) -> Answer:
        return lambda handler, body: self.says(model(body["messages"]))(handler, body)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            endpoint.requests.append(body)
            endpoint.headers.append(dict(self.headers))
            answer = endpoint.answers.pop(0) if len(endpoint.answers) > 1 else endpoint.answers[0]
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                answer(self, body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "*")
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield endpoint
    endpoint.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(endpoint: Endpoint, key: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChatClient]:
    """Make clients of the endpoint that do not really sleep; what they would have slept is in `client.pauses`."""
    pauses: list[float] = []
    monkeypatch.setattr("dnaclip.llm._http.time.sleep", pauses.append)

    def make(**options: Any) -> ChatClient:
        return ChatClient("a-model", base_url=endpoint.url, **{"api_key": key, "timeout": 5, **options})

    make.pauses = pauses  # type: ignore[attr-defined]
    return make
