"""Language models: a careful client for OpenAI-compatible endpoints, and descriptions whose claims are checked."""

from __future__ import annotations

from dnaclip.llm._client import ChatClient
from dnaclip.llm._describe import Description, describe_program
from dnaclip.llm._evidence import Evidence
from dnaclip.llm._verdicts import Claim

__all__ = ["ChatClient", "Claim", "Description", "Evidence", "describe_program"]
