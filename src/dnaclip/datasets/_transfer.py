"""Copy one file from an http(s) address or a folder into an open file, and say in plain words why it failed."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn
from urllib.parse import urlsplit

from dnaclip.datasets._expected import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from dnaclip.datasets._expected import Expected

__all__ = ["TIMEOUT", "TransferError", "ask_size", "show", "transfer"]

# Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (10.0, 30.0)
# A file whose size is not known beforehand (a list of checksums) is small.
_MOST_UNKNOWN = 16 << 20


class TransferError(Exception):
    """One attempt failed.

    Parameters
    ----------
    reason
        What happened, as the end of a sentence, without any address.
    advice
        What the user can do.
    again
        Whether another attempt may help.
    """

    def __init__(self, reason: str, advice: str = "", *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.advice, self.again = reason, advice, again


class _Sink:
    """Hands bytes on to a file, takes their checksum on the way and stops when there are too many."""

    def __init__(self, file: BinaryIO, expected: Expected | None) -> None:
        self._file = file
        self._expected = expected
        self._most = expected.most_bytes if expected else _MOST_UNKNOWN
        self._digest = expected.digest() if expected else None
        self.n_bytes = 0
        self.head = b""

    def write(self, chunk: bytes) -> None:
        self.head = self.head or chunk[:512]
        self.n_bytes += len(chunk)
        if self.n_bytes > self._most:
            self._refuse(f"it is longer than the {self._most} bytes it may have")
        if self._digest is not None:
            self._digest.update(chunk)
        self._file.write(chunk)

    def flush(self) -> None:
        """Flush nothing: one flush at the end is enough."""

    def check(self) -> None:
        if self._expected is not None and self._digest is not None:
            problem = self._expected.problem(self._digest, self.n_bytes)
            if problem:
                self._refuse(problem)

    def _refuse(self, problem: str) -> NoReturn:
        if self.head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            reason = f"a web page came instead of the file ({problem})"
            advice = "A login page or a proxy may stand in between: open the address in a browser."
            raise TransferError(reason, advice)
        reason = f"what came is not the file ({problem})"
        advice = "The source may hold another version of the file, or something on the way changed it."
        raise TransferError(reason, advice, again=True)


def transfer(source: str | Path, file: BinaryIO, expected: Expected | None, *, progress: bool, label: str) -> None:
    """Write what `source` holds to `file`, and check it.

    Raises
    ------
    TransferError
        It could not be read, or is not what was expected.
    OSError
        `file` could not be written.
    """
    sink = _Sink(file, expected)
    if isinstance(source, Path):
        _copy(source, sink)
    else:
        _download(source, sink, expected, progress=progress, label=label)
    sink.check()


def ask_size(source: str | Path) -> int | None:
    """Bytes of a file, asked without fetching it; None where nobody says."""
    if isinstance(source, Path):
        return source.stat().st_size if source.is_file() else None
    import requests

    try:
        with requests.head(source, headers=_headers(), timeout=TIMEOUT, allow_redirects=True) as answer:
            size = answer.headers.get("Content-Length", "") if answer.ok else ""
    except requests.RequestException:
        # What is wrong will be told when the file itself is fetched.
        return None
    return int(size) if size.isdecimal() else None


def show(source: str | Path) -> str:
    """Address or path as a message may show it: without user name, password and query."""
    if isinstance(source, Path):
        return str(source)
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _copy(source: Path, sink: _Sink) -> None:
    for chunk in _chunks(source):
        sink.write(chunk)


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        reason = f"the file cannot be read ({error.strerror})"
        raise TransferError(reason, "Put the file there, or correct the folder.") from error


def _download(url: str, sink: _Sink, expected: Expected | None, *, progress: bool, label: str) -> None:
    import pooch
    import requests
    from tqdm.auto import tqdm

    show_bar = progress and expected is not None
    bar = tqdm(
        total=expected.most_bytes if expected and expected.size is not None else None,
        desc=label,
        unit="B",
        unit_scale=True,
        disable=not show_bar,
    )
    answers: list[requests.Response] = []
    downloader = pooch.HTTPDownloader(
        progressbar=bar if show_bar else False,
        chunk_size=CHUNK,
        timeout=TIMEOUT,
        headers=_headers(),
        # Kept only to be closed: on an error the downloader leaves its connection open.
        hooks={"response": lambda answer, **_: answers.append(answer)},
    )
    with bar:
        try:
            downloader(url, sink, None)
        except requests.RequestException as error:
            # `from None`: the library's own messages repeat the whole address, password included.
            raise _explain(error, sink.n_bytes) from None
        finally:
            for answer in answers:
                answer.close()


def _headers() -> dict[str, str]:
    from dnaclip import __version__

    # Checksums are of the bytes as stored, so the server must not pack them once more.
    return {"User-Agent": f"dnaclip/{__version__}", "Accept-Encoding": "identity"}


def _explain(error: requests.RequestException, n_bytes: int) -> TransferError:
    """Turn what the HTTP library raises into a reason and an advice."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _explain_status(error.response.status_code, error.response.headers.get("Retry-After", ""))
    if isinstance(error, requests.exceptions.InvalidSchema):
        return TransferError("the server sent us on to an address that is not http(s)", "This is never followed.")
    if isinstance(error, requests.TooManyRedirects):
        return TransferError("the server sent us in a circle", "Open the address in a browser to see what it wants.")
    if isinstance(error, requests.exceptions.SSLError):
        return TransferError("the server's certificate was not accepted", "Check the clock, and REQUESTS_CA_BUNDLE.")
    if isinstance(error, requests.exceptions.ProxyError):
        return TransferError("the proxy did not let us through", "Check HTTPS_PROXY and NO_PROXY.", again=True)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return TransferError("the server stopped answering", "Try again later, or on a better connection.", again=True)
    if n_bytes or isinstance(error, requests.exceptions.ChunkedEncodingError):
        return TransferError("the connection broke off", "Try again later, or on a better connection.", again=True)
    if isinstance(error, requests.ConnectionError):
        advice = "Is there a network, or a proxy to set (HTTPS_PROXY)?"
        return TransferError("no connection to the server", advice, again=True)
    return TransferError(f"the request failed ({type(error).__name__})", "Check the address.")


def _explain_status(code: int, retry_after: str) -> TransferError:
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "unknown status"
    reason = f"the server answered {code} {phrase}"
    if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return TransferError(reason, "The file is not there (any more): update dnaclip, or correct the address.")
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return TransferError(reason, "The server does not give it to this machine: it may want a login or a proxy.")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        wait = f" It asks to wait {retry_after} seconds." if retry_after.isdigit() else ""
        return TransferError(reason, f"Too many requests came from here: try again later.{wait}", again=True)
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransferError(reason, "The fault is the server's: try again later.", again=True)
    return TransferError(reason, "Check the address.")
