"""HyenaDNA in plain PyTorch: network, published weights, and an encoder of whole genes."""

from __future__ import annotations

from dnaclip.encoders._hyenadna.encoder import HyenaDnaEncoder
from dnaclip.encoders._hyenadna.network import HyenaDna, HyenaDnaConfig
from dnaclip.encoders._hyenadna.weights import load_hyenadna, save_hyenadna

__all__ = ["HyenaDna", "HyenaDnaConfig", "HyenaDnaEncoder", "load_hyenadna", "save_hyenadna"]
