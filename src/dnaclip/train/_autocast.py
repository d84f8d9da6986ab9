"""Mixed precision that leaves batches as they are."""

from __future__ import annotations

from typing import Any

from lightning_fabric.plugins import MixedPrecision

__all__ = ["Autocast"]


class Autocast(MixedPrecision):
    """Products in bfloat16, as torch's autocast chooses them, of inputs in the precision that they have.

    Converted beforehand, what a batch counts or adds up would be rounded too.

    Parameters
    ----------
    device
        `"cuda"` or `"cpu"`.
    """

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)

    def convert_input(self, data: Any) -> Any:
        """Return the data."""
        return data
