"""Choose the device that tensors live on."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["resolve_device"]

logger = logging.getLogger(__name__)


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Turn the name of a device into a device that is there, and log which one it is.

    Parameters
    ----------
    device
        `"auto"` takes the first CUDA device when there is one, else the CPU; `"cpu"`, `"cuda"` and `"cuda:1"` ask
        for exactly that.

    Returns
    -------
    The device, with its index when it is a CUDA device.

    Raises
    ------
    InputError
        The name is not one of the above, or the CUDA device asked for is not there.

    Examples
    --------
    >>> from dnaclip._device import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    import torch

    name = str(device)
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", name)
    if match is None:
        msg = f"device={name!r} is not known. Use 'auto', 'cpu', 'cuda' or, for one of several, 'cuda:1'."
        raise InputError(msg)

    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and n_cuda == 0):
        logger.info("Using device cpu.")
        return torch.device("cpu")

    index = int(match[1] or 0)
    if index >= n_cuda:
        present = f"cuda:0 to cuda:{n_cuda - 1}" if n_cuda else "no CUDA device"
        msg = f"device={name!r} is not there: PyTorch sees {present}. Use 'auto' to take what is there, or 'cpu'."
        raise InputError(msg)
    logger.info("Using device cuda:%d (%s).", index, torch.cuda.get_device_name(index))
    return torch.device("cuda", index)
