"""Which of several processes this one is, and which GPU it takes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dnaclip._errors import InputError

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """The number of this process among those that `torchrun` started; alone without it."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def here(cls) -> Place:
        """Read it from the environment, as `torchrun` sets it."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        try:
            place = cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
        except (KeyError, ValueError) as error:
            msg = f"torchrun should set RANK, WORLD_SIZE and LOCAL_RANK to whole numbers ({error})."
            raise InputError(msg) from error
        if not 0 <= place.rank < place.count:
            msg = f"RANK={place.rank} does not fit WORLD_SIZE={place.count}."
            raise InputError(msg)
        return place

    def device(self) -> str | None:
        """The GPU of this process where there are several processes and GPUs, else nothing."""
        if self.count == 1:
            return None
        import torch

        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return f"cuda:{self.local_rank % n}" if n else None

    def takes(self, part: int) -> bool:
        """Whether a part is for this process."""
        return part % self.count == self.rank
