"""Texts encoded by a server: OpenAI's embeddings, or a compatible one."""

from __future__ import annotations

from dnaclip.encoders._openai.encoder import OpenAiEncoder

__all__ = ["OpenAiEncoder"]
