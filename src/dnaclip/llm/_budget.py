"""What questions may cost, counted before they are asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from dnaclip._errors import LanguageModelError

__all__ = ["Budget"]


@dataclass
class Budget:
    """Requests, tokens and money spent, and the limits.

    A request is refused when it could pass `max_cost` in the worst case: one token per byte asked, and the longest
    answer. An unanswered request that the server may charge for counts with that worst case.
    """

    max_calls: int
    max_cost: float | None
    # Per token, asked and answered.
    prices: tuple[float, float]
    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    _worst: float = field(default=0.0, repr=False)

    def expect(self, n_bytes: int, max_tokens: int) -> None:
        """Say how long the next question is, and its answer at most."""
        self._worst = n_bytes * self.prices[0] + max_tokens * self.prices[1]

    def take(self) -> None:
        """Count one request, or refuse it."""
        if self.calls >= self.max_calls:
            msg = f"The limit of max_calls={self.max_calls} requests to the language model is used up."
            raise LanguageModelError(msg)
        if self.max_cost is not None and self.cost + self._worst > self.max_cost:
            msg = (
                f"The next request to the language model could pass max_cost={self.max_cost:g}: "
                f"{self.cost:.4g} is spent, and it may cost up to {self._worst:.4g}."
            )
            raise LanguageModelError(msg)
        self.calls += 1

    def lost(self) -> None:
        """Count the last request, which brought no answer, as dear as it can be."""
        self.cost += self._worst

    def paid(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """Count an answer; where the server does not say how long it was, as dear as it can be."""
        if prompt_tokens is None or completion_tokens is None:
            self.lost()
            return
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.cost += prompt_tokens * self.prices[0] + completion_tokens * self.prices[1]
