"""A local web server that misbehaves on request, and a registry of small files."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dnaclip.datasets import _cache, _fetch, _registry, _transfer

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Answers a path with its answers one after the other, and with the last one from then on."""

    url: str = ""
    routes: dict[str, list[Answer]] = field(default_factory=dict)
    gets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sizes: dict[str, int] = field(default_factory=dict)
    """Of files that were put as bytes, for questions without fetching."""
    heads: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, *answers: Answer | bytes) -> str:
        """Set the answers of a path; bytes are sent as they are. Returns its address."""
        self.routes[path] = [self.good(answer) if isinstance(answer, bytes) else answer for answer in answers]
        if isinstance(answers[-1], bytes):
            self.sizes[path] = len(answers[-1])
        return self.url + path

    def good(self, body: bytes, *, after: float = 0) -> Answer:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            self.released.wait(after) if after else None
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return answer

    def status(self, code: int, **headers: str) -> Answer:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(code)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(b"an error page")

        return answer

    def cut(self, body: bytes, n_bytes: int, *, say_length: bool = True) -> Answer:
        """Send only the first bytes, then hang up."""

        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            if say_length:
                handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:n_bytes])

        return answer

    def stall(self, body: bytes, n_bytes: int) -> Answer:
        """Send the first bytes, then nothing more until the test ends."""

        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:n_bytes])
            handler.wfile.flush()
            self.released.wait(30)

        return answer


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.gets[self.path] += 1
            answers = state.routes.get(self.path, [state.status(404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            try:
                answer(self)
            except ConnectionError:
                self.close_connection = True

        def do_HEAD(self) -> None:
            state.heads.append(self.path)
            self.send_response(200 if self.path in state.sizes else 404)
            self.send_header("Content-Length", str(state.sizes.get(self.path, 9)))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    state.released.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no mirror, no proxy, no pauses between attempts."""
    for name in ("DNACLIP_MIRROR", "DNACLIP_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(folder))
    monkeypatch.setattr(_cache, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(_transfer, "TIMEOUT", (2.0, 0.5))
    return folder


@dataclass
class Files:
    """A registry of three files: `one.bin`, and a group `model` of two."""

    registry: Path
    bundled: Path
    content: dict[str, bytes]

    def bundle(self, *files: str) -> None:
        for file in files:
            path = self.bundled / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.content[file])

    def write(self, base_url: str | None, **urls: str) -> None:
        """Write the registry anew, with addresses of single files if wanted."""
        assets = [
            {
                "name": file.replace("/", "."),
                "file": file,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "kind": "model-file",
                "licence": "MIT",
                "url": urls.get(file.replace("/", "_").replace(".", "_")),
            }
            for file, content in self.content.items()
        ]
        self.registry.write_text(yaml.safe_dump({"base_url": base_url, "assets": assets}))
        _registry._load.cache_clear()


@pytest.fixture
def files(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    content = {
        "one.bin": bytes(range(256)) * 12_000,
        "model/config.json": b'{"name": "toy"}',
        "model/sub/weights.bin": b"weights" * 100,
    }
    made = Files(tmp_path / "registry.yaml", tmp_path / "bundled", content)
    monkeypatch.setattr(_registry, "REGISTRY_FILE", made.registry)
    monkeypatch.setattr(_fetch, "BUNDLED", made.bundled)
    made.write(server.url)
    for file, body in content.items():
        server.put(f"/{file}", body)
    yield made
    _registry._load.cache_clear()


@pytest.fixture
def left() -> Callable[[Path], list[str]]:
    """Names of all files below a folder, locks aside."""

    def names(folder: Path) -> list[str]:
        found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.startswith(".locks/"))

    return names
