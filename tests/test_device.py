"""Names of devices."""

from __future__ import annotations

import logging

import pytest
import torch

from dnaclip._device import resolve_device
from dnaclip._errors import InputError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["auto", "cpu", torch.device("cpu")])
def test_cpu(name: str | torch.device, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="dnaclip"):
        assert resolve_device(name) == torch.device("cpu")
    assert caplog.messages == ["Using device cpu."]


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("name", "index"), [("auto", 0), ("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_cuda(name: str, index: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="dnaclip"):
        assert resolve_device(name) == torch.device("cuda", index)
    assert caplog.messages == [f"Using device cuda:{index} (card {index})."]


@pytest.mark.usefixtures("two_gpus")
def test_an_index_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(InputError, match=r"'cuda:2' is not there: PyTorch sees cuda:0 to cuda:1\."):
        resolve_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_cuda_without_a_gpu() -> None:
    with pytest.raises(InputError, match=r"'cuda' is not there: PyTorch sees no CUDA device\. Use 'auto'"):
        resolve_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "mps", "", "cpu:0 "])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=r"is not known\. Use 'auto', 'cpu', 'cuda'"):
        resolve_device(name)
