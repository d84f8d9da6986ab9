"""Turn strings into tokens, and put pieces of them together for a model to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.encoders._pieces import Piece
    from dnaclip.encoders._strings import Kind

__all__ = ["PROBE", "Frame", "batches", "frame", "longest_input", "tokenize"]

# Letters that are bases and amino acids both, and words.
PROBE = "ACGTACGTTGCA"
_UNLIMITED = 1 << 24  # tokenizers without a limit say so by a number with thirty digits
# Position embeddings of these count from the padding token on, and have two rows to spare.
_OFFSET_MODELS = {"camembert", "esm", "roberta", "xlm-roberta"}


@dataclass(frozen=True)
class Frame:
    """Special tokens that a model wants before and after those of a string."""

    before: list[int]
    after: list[int]

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


def frame(tokenizer: Any) -> Frame:
    """Find the special tokens that the tokenizer puts around a string."""
    whole = tokenizer(PROBE)["input_ids"]
    bare = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    n = len(bare)
    start = next((i for i in range(len(whole) - n + 1) if whole[i : i + n] == bare), None)
    if not n or start is None:
        msg = f"The tokenizer {type(tokenizer).__name__} makes no tokens of {PROBE!r}, so it cannot read sequences."
        raise InputError(msg)
    return Frame(whole[:start], whole[start + n :])


def longest_input(tokenizer: Any, settings: dict[str, Any]) -> int | None:
    """Tokens that the model reads at most, special ones included, where its files say so."""
    limits = [getattr(tokenizer, "model_max_length", None) or _UNLIMITED]
    positions = settings.get("max_position_embeddings") or settings.get("n_positions")
    if positions:
        limits.append(positions - 2 * (settings.get("model_type") in _OFFSET_MODELS))
    return min(limits) if min(limits) < _UNLIMITED else None


def tokenize(tokenizer: Any, strings: Sequence[str], kind: Kind) -> list[list[int]]:
    """Tokens of each string, whole and without special ones.

    Raises
    ------
    InputError
        The model does not know most of a string.
    """
    if not strings:
        return []
    tokens = tokenizer(list(strings), add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    unknown = tokenizer.unk_token_id
    for string, found in zip(strings, tokens, strict=True):
        if not found or (unknown is not None and found.count(unknown) > len(found) / 2):
            msg = f"Most of {string[:40]!r} is not known to the model, which reads {kind}: is it something else?"
            raise InputError(msg)
    return tokens


def batches(sorted_pieces: Sequence[Piece], tokens: int, *, one_length: bool = False) -> list[list[Piece]]:
    """Put pieces of like length, or of one alone, together: at most `tokens` tokens with padding, or one piece."""
    made: list[list[Piece]] = []
    for piece in sorted_pieces:
        full = not made or (len(made[-1]) + 1) * len(piece) > tokens
        if full or (one_length and len(made[-1][0]) != len(piece)):
            made.append([])
        made[-1].append(piece)
    return made
