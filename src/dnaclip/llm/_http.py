"""Send one question to an endpoint, again where that may help, and say in plain words why there is no answer."""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dnaclip._errors import LanguageModelError
from dnaclip._optional import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnaclip.llm._secret import Secret

__all__ = ["Attempt", "send"]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
# An answer of a few thousand words has some ten thousand bytes.
MOST_BYTES = 1 << 20
# Longer than this we do not wait between two attempts; an endpoint that asks for more gets no second one.
LONGEST_PAUSE = 60.0
FIRST_PAUSE = 0.5
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# Own generator: Python's global one is neither read nor set.
_pauses = random.Random()


@dataclass(frozen=True)
class Attempt:
    """What came of one request.

    Attributes
    ----------
    content
        The body, or `None` when there is no usable one.
    reason
        Why there is none, as the end of a sentence.
    again
        Whether another attempt may help.
    pause
        Seconds the server asks to wait first.
    charged
        Whether the server may have worked on the question, and charge for it, although there is no answer.
    """

    content: bytes | None = None
    reason: str = ""
    again: bool = False
    pause: float | None = None
    charged: bool = False


def send(
    url: str,
    body: dict[str, Any],
    *,
    secret: Secret,
    timeout: float,
    max_retries: int,
    before: Callable[[], None],
    after: Callable[[Attempt], None],
    most_bytes: int | None = None,
    purpose: str = "dnaclip.llm.ChatClient",
) -> dict[str, Any]:
    """Post `body` as JSON and return the JSON object of the answer.

    `before` is called ahead of every request and may refuse it; `after` learns what came of it. Between attempts the
    pause doubles from half a second, with up to a quarter of chance, or is what the server's `Retry-After` says. An answer
    may have `most_bytes` bytes, by default a million.
    """
    most = MOST_BYTES if most_bytes is None else most_bytes
    data = json.dumps(body).encode()
    for attempt in range(max_retries + 1):
        before()
        result = _post(url, data, secret=secret, timeout=timeout, most=most, purpose=purpose)
        after(result)
        if result.content is not None:
            return _object(result.content)
        if not result.again or attempt == max_retries:
            break
        pause = FIRST_PAUSE * 2**attempt * (1 + _pauses.random() / 4) if result.pause is None else result.pause
        if pause > LONGEST_PAUSE:
            result = Attempt(reason=f"{result.reason} and asks to wait {pause:.0f} seconds")
            break
        logger.info("The language model %s; asking again in %.1f s.", result.reason, pause)
        time.sleep(pause)
    tries = f" ({attempt + 1} attempts)" if attempt else ""
    msg = f"The language model {secret.hide(result.reason)}{tries}."
    raise LanguageModelError(msg)


def _post(url: str, data: bytes, *, secret: Secret, timeout: float, most: int, purpose: str) -> Attempt:
    requests = require("requests", extra="llm", purpose=purpose)
    urllib3 = require("urllib3", extra="llm", purpose=purpose)
    until = time.monotonic() + timeout
    try:
        with requests.post(
            url,
            data=data,
            headers={"Content-Type": "application/json"},
            auth=secret,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            # Redirected, the key could reach another host.
            allow_redirects=False,
            stream=True,
        ) as response:
            status, headers = response.status_code, response.headers
            content = _read(response.raw, until, most)
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        return Attempt(reason=f"did not answer within {timeout:g} seconds", again=True, charged=True)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        # The error itself holds the request with its headers, and an address: its kind says enough.
        return Attempt(reason=f"could not be reached, or broke off ({type(error).__name__})", again=True, charged=True)
    if content is None:
        return Attempt(reason=f"did not end its answer within {timeout:g} seconds", again=True, charged=True)
    if len(content) > most:
        return Attempt(reason=f"sent more than {most:,} bytes", charged=True)
    if status == HTTPStatus.OK:
        return Attempt(content=content)
    return Attempt(
        reason=f"answered {status}{_said(status, content, secret)}",
        again=status in AGAIN,
        pause=_retry_after(headers.get("Retry-After")),
    )


def _read(stream: Any, until: float, most: int) -> bytes | None:
    """Read a body up to one byte more than allowed; `None` when time runs out, however steadily bytes drip in."""
    content = bytearray()
    while chunk := stream.read1(1 << 16, decode_content=True):
        content += chunk
        if len(content) > most:
            break
        if time.monotonic() > until:
            return None
    return bytes(content)


def _said(status: int, content: bytes, secret: Secret) -> str:
    """Return what the server says about an error, as the end of a sentence; nothing where it may repeat the key."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ": the key is missing, wrong or not allowed to use this model"
    try:
        error = json.loads(content)["error"]
        message = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError):
        return ""
    return f": {' '.join(secret.hide(message).split())[:200]}" if isinstance(message, str) else ""


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header (a number or a date) asks for."""
    if value is None:
        return None
    try:
        return max(0.0, float(value)) if value.strip()[:1].isdigit() else _until(value)
    except (ValueError, TypeError):
        return None


def _until(date: str) -> float:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        msg = "The endpoint's answer is not a JSON object: is base_url that of an OpenAI-compatible API?"
        raise LanguageModelError(msg)
    return value
