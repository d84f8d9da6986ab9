"""A client for chat endpoints in the style of OpenAI's, with limits on time, money and what it gives away."""

from __future__ import annotations

import ipaddress
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dnaclip._errors import InputError, LanguageModelError
from dnaclip._validate import check_count
from dnaclip.llm._budget import Budget
from dnaclip.llm._cache import AnswerCache, fingerprint
from dnaclip.llm._http import send
from dnaclip.llm._secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dnaclip.llm._http import Attempt

__all__ = ["ChatClient"]

KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI = "https://api.openai.com/v1"
COUNTED = ("calls", "cached", "prompt_tokens", "completion_tokens", "cost")


class ChatClient:
    """Ask a language model behind an OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, llama.cpp and many others.

    A client is called with messages and returns the text of the answer. It asks again after timeouts, broken
    connections and the statuses 408, 409, 425, 429, 500, 502, 503, 504 and 529, with growing pauses, and keeps to a
    `Retry-After` of up to a minute. It never follows a redirect.

    Parameters
    ----------
    model
        Name of the model at the endpoint.
    base_url
        Address of the API, up to and without `/chat/completions`. Over plain `http`, a key is sent to this machine only.
    api_key
        The key; `None` takes the environment variable `OPENAI_API_KEY`, `""` sends none. It is kept out of the text
        of the client, of logs, errors, caches and results.
    timeout
        Seconds until an answer must be complete.
    max_retries
        Further attempts after one that failed.
    max_calls
        Requests in the life of the client, attempts included. Answers from the cache are free.
    max_cost
        Money that may be spent, in the unit of `prices`; a request that could pass it is not sent.
    prices
        Price per million tokens asked, and per million tokens answered; needed with `max_cost`.
    max_tokens
        Length of an answer at most.
    options
        Further settings of the request, such as `{"seed": 1}` or `{"response_format": {"type": "json_object"}}`. They
        replace the ones sent by default, `max_tokens` and `temperature` (0); the value `None` takes a setting out.
    cache_dir
        Folder for answers; the same question to the same model is then asked once. `None` keeps none.

    Raises
    ------
    InputError
        An argument is out of range, no key is there, or the address would send it in the open.

    Examples
    --------
    >>> from dnaclip.llm import ChatClient
    >>> client = ChatClient("llama3.1", base_url="http://localhost:11434/v1", api_key="", max_calls=100)
    >>> client
    ChatClient(model='llama3.1', base_url='http://localhost:11434/v1')
    >>> client.usage["calls"]
    0
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI,
        api_key: str | None = None,
        timeout: float = 60.0,
        max_retries: int = 4,
        max_calls: int = 1000,
        max_cost: float | None = None,
        prices: tuple[float, float] | None = None,
        max_tokens: int = 2000,
        options: Mapping[str, Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model:
            msg = f"model must be the name of a model, got {model!r}."
            raise InputError(msg)
        check_count("max_retries", max_retries, least=0)
        check_count("max_calls", max_calls, least=0)
        check_count("max_tokens", max_tokens)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 3600:
            msg = f"timeout must be seconds between 0 and 3600, got {timeout!r}."
            raise InputError(msg)
        self.model = model
        self.base_url = _checked_url(base_url)
        self._secret = _checked_key(api_key, self.base_url)
        self._timeout, self._max_retries = float(timeout), max_retries
        settings = {"max_tokens": max_tokens, "temperature": 0, **(options or {})}
        self._settings = {name: value for name, value in settings.items() if value is not None}
        longest = [self._settings[name] for name in ("max_tokens", "max_completion_tokens") if name in self._settings]
        self._max_tokens = max(longest, default=max_tokens)
        self._budget = Budget(max_calls, max_cost, _checked_prices(prices, max_cost))
        self._cache = None if cache_dir is None else AnswerCache(cache_dir)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, base_url={self.base_url!r})"

    @property
    def usage(self) -> dict[str, float]:
        """Requests, answers from the cache, tokens and cost so far."""
        return {name: getattr(self._budget, name) for name in COUNTED}

    def __call__(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the model's answer to messages with a `role` and a `content` each.

        Raises
        ------
        LanguageModelError
            There is no answer, or a limit is reached.
        """
        asked = [dict(message) for message in messages]
        key = self._key(asked)
        kept = self._cache.get(key) if self._cache else None
        if kept is not None:
            self._budget.cached += 1
            return kept
        body = {"model": self.model, "messages": asked, **self._settings}
        self._budget.expect(len(json.dumps(body).encode()), self._max_tokens)
        answer = send(
            f"{self.base_url}/chat/completions",
            body,
            secret=self._secret,
            timeout=self._timeout,
            max_retries=self._max_retries,
            before=self._budget.take,
            after=self._count_lost,
        )
        usage = answer.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        self._budget.paid(_tokens(usage, "prompt_tokens"), _tokens(usage, "completion_tokens"))
        text, complete = _text(answer)
        if self._cache and complete:
            self._cache.put(key, self._secret.hide(text), self.model)
        return self._secret.hide(text)

    def forget(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Take the answer to messages out of the cache, so that it is asked for anew."""
        if self._cache:
            self._cache.forget(self._key([dict(message) for message in messages]))

    def _key(self, messages: list[dict[str, str]]) -> str:
        asked = {"base_url": self.base_url, "model": self.model, "messages": messages, "settings": self._settings}
        return fingerprint(asked)

    def _count_lost(self, attempt: Attempt) -> None:
        if attempt.charged:
            self._budget.lost()


def _checked_url(url: object) -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        msg = "base_url must be an http or https address, such as 'https://api.openai.com/v1'."
        raise InputError(msg)
    # The address is shown in errors and results, so it must not hold secrets; nor is it repeated here.
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "base_url must have no user name, password, query or fragment. Give the key as api_key."
        raise InputError(msg)
    return str(url).rstrip("/")


def _checked_key(key: str | None, url: str) -> Secret:
    parts = urlsplit(url)
    here = _is_this_machine(parts.hostname or "")
    if key is None:
        key = os.environ.get(KEY_VARIABLE, "")
        if not key and not here:
            msg = f"There is no key: set the environment variable {KEY_VARIABLE}, or give api_key ('' for none)."
            raise InputError(msg)
    if not isinstance(key, str) or not key.isascii() or any(letter.isspace() for letter in key.strip()):
        msg = "api_key must be text without white space or special letters."
        raise InputError(msg)
    if key and parts.scheme == "http" and not here:
        msg = f"base_url={url!r} would send the key in the open. Use https, or api_key='' for an endpoint without keys."
        raise InputError(msg)
    return Secret(key.strip())


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_prices(prices: tuple[float, float] | None, max_cost: float | None) -> tuple[float, float]:
    """Return the prices per token."""
    if max_cost is not None and (isinstance(max_cost, bool) or not max_cost >= 0):
        msg = f"max_cost must be 0 or more, got {max_cost!r}."
        raise InputError(msg)
    if prices is None:
        if max_cost is not None:
            msg = "max_cost needs prices=(per million tokens asked, per million tokens answered)."
            raise InputError(msg)
        return (0.0, 0.0)
    asked, answered = (float(price) for price in prices)
    if not 0 <= asked < float("inf") or not 0 <= answered < float("inf"):
        msg = f"prices must be two numbers of 0 or more, got {prices!r}."
        raise InputError(msg)
    return asked / 1e6, answered / 1e6


def _tokens(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else None


def _text(answer: dict[str, Any]) -> tuple[str, bool]:
    """Return the text of the first choice, and whether the model came to its end."""
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content") or choice["message"].get("refusal") or ""
    except (LookupError, TypeError, AttributeError):
        text = None
    if not isinstance(text, str):
        msg = "The endpoint's answer has no choices[0].message.content: is it an OpenAI-compatible chat API?"
        raise LanguageModelError(msg)
    return text, bool(text) and choice.get("finish_reason") in ("stop", None)
