"""Settings of the default model: what can be tuned, and the values that were chosen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError, examples
from dnaclip._files import write_atomic
from dnaclip.train._config import TrainConfig

if TYPE_CHECKING:
    import os

__all__ = ["Recipe"]


def _default_training() -> TrainConfig:
    return TrainConfig(batch_size=1024, max_epochs=8, patience=3, lr=1e-3, weight_decay=0.1, warmup_epochs=0.5)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What can be tuned about the default model.

    Parameters
    ----------
    composition_hidden, composition_dropout
        Hidden layers of the projector of composition features; none makes it linear.
    text_hidden, text_dropout
        Hidden layers of the text projector; it has a linear part beside them, which starts as principal components.
    logit_scale, learn_scale
        Inverse temperature at the start, and whether training changes it.
    loss, penalty
        `"clip"`, `"siglip"` or `"penalized_clip"`, and the weight of the last one's penalty.
    dimension
        Of the shared space.
    n_neighbours
        Relatives looked at for each gene.
    seeds_per_gene
        Seeds that the memory keeps of each gene at most: size against sensitivity. `None` keeps all.
    training
        Settings of the loop.

    Examples
    --------
    >>> from dnaclip.train import Recipe, TrainConfig
    >>> Recipe(composition_hidden=(256,), training=TrainConfig(max_epochs=3)).dimension
    128
    """

    composition_hidden: tuple[int, ...] = (1024,)
    composition_dropout: float = 0.5
    text_hidden: tuple[int, ...] = (512,)
    text_dropout: float = 0.2
    logit_scale: float = 20.0
    learn_scale: bool = True
    loss: str = "clip"
    penalty: float = 1.0
    dimension: int = 128
    n_neighbours: int = 16
    seeds_per_gene: int | None = 160
    training: TrainConfig = field(default_factory=_default_training)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all settings to a JSON file."""
        write_atomic(path, (json.dumps(asdict(self), indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a JSON file; settings that are not in it have their defaults.

        Raises
        ------
        InputError
            The file cannot be read, or holds a setting that is unknown or cannot be used.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from dnaclip.train import Recipe
        >>> with tempfile.TemporaryDirectory() as place:
        ...     Recipe(dimension=64).save(Path(place) / "recipe.json")
        ...     Recipe.load(Path(place) / "recipe.json").dimension
        64
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            training = asdict(_default_training()) | found.pop("training", {})
            unknown = {*found} - {one.name for one in fields(cls)} | {*training} - {
                one.name for one in fields(TrainConfig)
            }
        except (OSError, ValueError, AttributeError, TypeError) as error:
            msg = f"{str(path)!r} cannot be read as a recipe in JSON ({error})."
            raise InputError(msg) from error
        if unknown:
            msg = f"{Path(path).name} has settings that a recipe does not: {examples(sorted(unknown))}."
            raise InputError(msg)
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
        }
        return cls(**settings, training=TrainConfig(**training))
