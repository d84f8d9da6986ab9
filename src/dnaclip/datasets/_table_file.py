"""The file format of an embedding table: one safetensors file, checked bit by bit when it is read.

Tensors: `genes.<column>` holds a text column, lines compressed by zlib; `<side>.codes` and `<side>.shape` the distinct
vectors of a side, as :func:`dnaclip._packing.pack_vectors` packs them; `<side>.rows` for each gene its row among them,
or -1, as :func:`dnaclip._packing.pack_integers` packs it. One metadata entry, `dnaclip_table`, holds everything else as
JSON, with a SHA-256 over all of it: safetensors itself does not notice a flipped bit.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._packing import pack_integers, pack_vectors, unpack_integers, unpack_vectors
from dnaclip.datasets._rows import distinct_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["FORMAT_VERSION", "decode", "encode"]

FORMAT_VERSION = 1
_ENTRY = "dnaclip_table"
# About 4.4 bits a number and a mean cosine of .9985 to the vectors of the encoder: less than the model's own error by
# far, while float16 would make the file of the human genes more than three times as large.
_LEVELS = 5.3
# No text column of any genome comes near this; a file that unpacks to more is not one of ours.
_MAX_COLUMN_BYTES = 2**28


def encode(genes: pd.DataFrame, sides: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """Return the bytes of a table file; the same content always gives the same bytes."""
    from safetensors.numpy import save

    tensors = {f"genes.{column}": _pack_text(genes[column]) for column in genes.columns}
    for side, vectors in sides.items():
        present = ~np.isnan(vectors[:, 0])
        distinct, places = distinct_rows(vectors[present])
        rows = np.full(len(vectors), -1, dtype=np.int32)
        rows[present] = places
        packed = {"rows": pack_integers(rows), **pack_vectors(distinct, levels=_LEVELS)}
        tensors |= {f"{side}.{name}": data for name, data in packed.items()}
    record: dict[str, Any] = {**meta, "format_version": FORMAT_VERSION, "sides": list(sides)}
    record["checksum"] = _checksum(record, tensors)
    # A single entry, because safetensors writes several in an order that changes from run to run.
    return save(tensors, metadata={_ENTRY: json.dumps(record, sort_keys=True)})


def decode(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, Any]]:
    """Read a table file: text columns, float32 vectors by side, and the other facts."""
    record, tensors = _read(path)
    version = record.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        msg = (
            f"{path} has format version {version}, this dnaclip reads up to {FORMAT_VERSION}. "
            "Please update dnaclip: pip install --upgrade dnaclip"
        )
        raise InputError(msg)
    if record.pop("checksum", None) != _checksum(record, tensors):
        msg = f"{path} is damaged: its content does not fit its checksum. Delete it and fetch or build it again."
        raise InputError(msg)
    try:
        columns = [name for name in tensors if name.startswith("genes.")]
        genes = pd.DataFrame(
            {name.removeprefix("genes."): _unpack_text(tensors[name]) for name in columns}, dtype=object
        )
        sides = {side: _unpack_side(tensors, side, len(genes)) for side in record["sides"]}
    except (KeyError, IndexError, TypeError, ValueError, zlib.error) as error:
        msg = f"{path} is not an embedding table: {error}"
        raise InputError(msg) from error
    return genes, sides, record


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            record = json.loads((file.metadata() or {})[_ENTRY])
            # The order of the names is not fixed in every version of safetensors.
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except FileNotFoundError as error:
        msg = f"There is no embedding table at {path}."
        raise InputError(msg) from error
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path} is not an embedding table, or it is damaged: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    if not isinstance(record, dict):
        msg = f"{path} is not an embedding table: its record is {type(record).__name__}, not a JSON object."
        raise InputError(msg)
    return record, tensors


def _checksum(record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.view(np.uint8).reshape(-1).data)
    return digest.hexdigest()


def _pack_text(column: pd.Series) -> np.ndarray:
    return np.frombuffer(zlib.compress("\n".join(column).encode(), 9), dtype=np.uint8)


def _unpack_text(data: np.ndarray) -> list[str]:
    stream = zlib.decompressobj()
    text = stream.decompress(data.tobytes(), _MAX_COLUMN_BYTES)
    if not stream.eof:
        msg = "a text column is cut short, or unreasonably long"
        raise ValueError(msg)
    return text.decode().split("\n")


def _unpack_side(tensors: Mapping[str, np.ndarray], side: str, n_genes: int) -> np.ndarray:
    packed = {name.removeprefix(f"{side}."): data for name, data in tensors.items() if name.startswith(f"{side}.")}
    distinct = unpack_vectors(packed)
    rows = unpack_integers(packed, "rows", n_genes)
    vectors = np.full((n_genes, distinct.shape[1]), np.nan, dtype=np.float32)
    vectors[rows >= 0] = distinct[rows[rows >= 0]]
    return vectors
