"""Encode texts through an embeddings endpoint in the style of OpenAI's."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from tqdm.auto import tqdm

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_count
from dnaclip.datasets._settings import cache_folder
from dnaclip.encoders._openai.answer import MOST_TOKENS_AN_INPUT, read_vectors, requests_of
from dnaclip.encoders._openai.cache import VectorCache
from dnaclip.encoders._strings import clean
from dnaclip.llm._budget import Budget
from dnaclip.llm._cache import fingerprint
from dnaclip.llm._client import KEY_VARIABLE, OPENAI, _checked_key, _checked_url, _is_this_machine
from dnaclip.llm._http import send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnaclip.llm._http import Attempt
    from dnaclip.llm._secret import Secret

__all__ = ["OpenAiEncoder"]

logger = logging.getLogger(__name__)

URL_VARIABLE = "OPENAI_BASE_URL"
# Length of the vectors, and US dollars per million tokens when this was written.
KNOWN = {
    "text-embedding-3-large": (3072, 0.13),
    "text-embedding-3-small": (1536, 0.02),
    "text-embedding-ada-002": (1536, 0.10),
}
BYTES_A_TOKEN = 4  # of English, about; only for estimates


class OpenAiEncoder:
    """A model behind an embeddings endpoint, OpenAI's or a compatible one, as an encoder of texts.

    Texts leave this machine. Each is asked for once: vectors are kept on disk by a hash of the text, as they come, so that an
    interrupted run goes on where it was. Requests keep to OpenAI's limits (2,048 texts and 300,000 tokens each, 8,192 tokens a
    text) and are repeated after faults that may pass. Needs the extra ``dnaclip[llm]``.

    The key is taken from the environment and goes nowhere but into the request: not into the text of the encoder, logs, errors,
    or what is kept.

    Parameters
    ----------
    model
        Name of the model at the endpoint.
    dimensions
        Shorter vectors, where the model can make them (OpenAI's third series).
    base_url
        Address of the API, up to and without `/embeddings`; `None` takes the environment variable `OPENAI_BASE_URL`, or
        OpenAI. Over plain `http`, a key is sent to this machine only.
    key_variable
        Environment variable with the key; `""` sends none. An endpoint on this machine needs none.
    max_cost
        Money that may be spent, in the unit of `price`. A run that would cost more by the estimate is refused before it begins,
        and so is each request that could pass it.
    price
        Per million tokens; known, but not for ever, for OpenAI's models.
    max_tokens
        Longest text in tokens.
    count_tokens
        Counts the tokens of a text. Without it a text counts with its bytes, which it never has more tokens than: longer texts
        are then refused even if they might fit.
    cache
        Whether to keep vectors on disk.
    cache_dir
        Folder for them; `None` takes one in the cache folder of dnaclip.
    timeout
        Seconds until an answer must be complete.
    max_retries
        Further attempts after one that failed.

    Attributes
    ----------
    name
        Name of the model.
    settings
        The options that change vectors.

    Raises
    ------
    InputError
        An argument is out of range, no key is there, or the address would send it in the open.

    Examples
    --------
    >>> from dnaclip.encoders import OpenAiEncoder
    >>> encoder = OpenAiEncoder("nomic-embed-text", base_url="http://localhost:11434/v1", key_variable="", cache=False)
    >>> encoder.estimate(["A kinase.", "A phosphatase."])
    {'texts': 2, 'kept': 0, 'requests': 1, 'tokens': 6, 'cost': 0.0}
    """

    def __init__(
        self,
        model: str = "text-embedding-3-large",
        *,
        dimensions: int | None = None,
        base_url: str | None = None,
        key_variable: str = KEY_VARIABLE,
        max_cost: float | None = None,
        price: float | None = None,
        max_tokens: int = MOST_TOKENS_AN_INPUT,
        count_tokens: Callable[[str], int] | None = None,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        timeout: float = 120.0,
        max_retries: int = 6,
    ) -> None:
        check_count("max_tokens", max_tokens)
        check_count("max_retries", max_retries, least=0)
        if dimensions is not None:
            check_count("dimensions", dimensions)
        self.name = model
        self.base_url = _checked_url(base_url or os.environ.get(URL_VARIABLE) or OPENAI)
        self._secret = _key(key_variable, self.base_url)
        known, usual = KNOWN.get(model, (None, None)) if self.base_url == OPENAI else (None, None)
        if max_cost is not None and (price is None and usual is None or not max_cost >= 0):
            msg = f"max_cost={max_cost!r} must be 0 or more, and needs price= where that of the model is not known."
            raise InputError(msg)
        price = (usual or 0.0) if price is None else price
        if not 0 <= price < float("inf"):
            msg = f"price must be 0 or more per million tokens, got {price!r}."
            raise InputError(msg)
        self._asked_dimension = dimensions
        self._dimension = dimensions or known
        self._max_tokens, self._count_tokens = max_tokens, count_tokens
        self._budget = Budget(2**63, max_cost, (price / 1e6, 0.0))
        self._cache = VectorCache(cache_dir or cache_folder() / "text-vectors") if cache else None
        self._timeout, self._max_retries = timeout, max_retries
        self.settings = {"base_url": self.base_url, "dimensions": dimensions}

    def __repr__(self) -> str:
        return f"OpenAiEncoder({self.name!r}, base_url={self.base_url!r})"

    @property
    def dimension(self) -> int:
        """Length of the vectors; of a model that is not OpenAI's, one word is encoded to find out."""
        if self._dimension is None:
            self._dimension = self.encode(["gene"]).shape[1]
        return self._dimension

    @property
    def usage(self) -> dict[str, float]:
        """Requests, tokens and cost so far."""
        return {"requests": self._budget.calls, "tokens": self._budget.prompt_tokens, "cost": self._budget.cost}

    def check(self, texts: Sequence[str]) -> None:
        """Raise an InputError for a text that :meth:`encode` would refuse."""
        self._bounds(clean(texts, "text"))

    def estimate(self, texts: Sequence[str]) -> dict[str, float]:
        """Say what encoding `texts` would take, without asking anything.

        Returns
        -------
        `texts`, how many different ones there are; `kept`, those of them whose vectors are on disk; `requests`; `tokens`,
        counted, or about a quarter of the bytes; and `cost`, in the unit of `price`.
        """
        distinct = sorted(set(clean(texts, "text")))
        bounds = self._bounds(distinct)
        kept = self._kept(distinct)
        todo = [i for i, text in enumerate(distinct) if text not in kept]
        counted = sum(bounds[i] for i in todo)
        tokens = counted if self._count_tokens else -(-counted // BYTES_A_TOKEN)
        return {
            "texts": len(distinct),
            "kept": len(kept),
            "requests": len(requests_of([bounds[i] for i in todo])),
            "tokens": tokens,
            "cost": tokens * self._budget.prices[0],
        }

    def encode(self, texts: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn texts into vectors; the log tells beforehand what it will cost.

        Parameters
        ----------
        texts
            One string each, neither empty nor blank.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, dimension), as the server gives them (OpenAI's have length one), in the order of `texts`.

        Raises
        ------
        InputError
            A text is blank, not a string or too long; or the run would cost more than `max_cost`.
        LanguageModelError
            The server gives no answer, or one that cannot be used. What came before is kept.
        """
        texts = clean(texts, "text")
        expected = self.estimate(texts)
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        self._announce(expected)
        distinct = sorted(set(texts))
        found = self._kept(distinct)
        todo = [text for text in distinct if text not in found]
        with tqdm(total=len(distinct), initial=len(found), unit="text", disable=not progress) as bar:
            for places in requests_of(self._bounds(todo)):
                asked = [todo[i] for i in places]
                vectors = self._ask(asked)
                self._dimension = vectors.shape[1]
                found.update(zip(asked, vectors, strict=True))
                if self._cache:
                    self._cache.put({self._name_of(text): found[text] for text in asked})
                bar.update(len(asked))
        return np.stack([found[text] for text in texts])

    def _ask(self, texts: list[str]) -> np.ndarray:
        body: dict[str, Any] = {"model": self.name, "input": texts}
        # Half the bytes; servers of others do not all know it.
        body["encoding_format"] = "base64" if self.base_url == OPENAI else "float"
        if self._asked_dimension is not None:
            body["dimensions"] = self._asked_dimension
        self._budget.expect(sum(self._bounds(texts)), 0)
        answer = send(
            f"{self.base_url}/embeddings",
            body,
            secret=self._secret,
            timeout=self._timeout,
            max_retries=self._max_retries,
            before=self._budget.take,
            after=self._count_lost,
            most_bytes=(1 << 20) + 32 * len(texts) * (self._dimension or 8192),
            purpose="OpenAiEncoder",
        )
        usage = answer.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        self._budget.paid(tokens if isinstance(tokens, int) and tokens >= 0 else None, 0)
        return read_vectors(answer, len(texts), self._dimension)

    def _count_lost(self, attempt: Attempt) -> None:
        if attempt.charged:
            self._budget.lost()

    def _announce(self, expected: dict[str, float]) -> None:
        limit = self._budget.max_cost
        if limit is not None and self._budget.cost + expected["cost"] > limit:
            msg = (
                f"These texts would cost about {expected['cost']:.4g} ({expected['tokens']:,} tokens), which passes "
                f"max_cost={limit:g}; {self._budget.cost:.4g} is spent. Nothing was sent."
            )
            raise InputError(msg)
        if expected["requests"]:
            logger.info(
                "%s: %d of %d texts are on disk; the others take %d requests and about %d tokens, which cost about %.4g.",
                self.name,
                expected["kept"],
                expected["texts"],
                expected["requests"],
                expected["tokens"],
                expected["cost"],
            )

    def _bounds(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, or, without a counter, its bytes: no tokenizer makes more of it."""
        count = self._count_tokens or (lambda text: len(text.encode("utf-8", "replace")))
        bounds = [count(text) for text in texts]
        if long := [i for i, n in enumerate(bounds) if n > self._max_tokens]:
            unit = "tokens" if self._count_tokens else "bytes, so perhaps as many tokens"
            hint = (
                ""
                if self._count_tokens
                else " To count tokens give count_tokens=, for instance from the package tiktoken."
            )
            msg = (
                f"{len(long)} of {len(texts)} texts have more than {self._max_tokens} {unit}: "
                f"{examples(texts[i][:40] for i in long)}. Shorten them.{hint}"
            )
            raise InputError(msg)
        return bounds

    def _kept(self, texts: list[str]) -> dict[str, np.ndarray]:
        if self._cache is None:
            return {}
        names = {self._name_of(text): text for text in texts}
        return {names[key]: vector for key, vector in self._cache.get(list(names)).items()}

    def _name_of(self, text: str) -> str:
        return fingerprint([self.base_url, self.name, self._asked_dimension, text])


def _key(variable: str, url: str) -> Secret:
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key and not _is_this_machine(urlsplit(url).hostname or ""):
        msg = f"There is no key for {url}: set the environment variable {variable}, or give key_variable='' for none."
        raise InputError(msg)
    return _checked_key(key, url)
