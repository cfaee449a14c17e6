"""Safetensors header: reads it, and refuses one that does not describe exactly the bytes that follow.

Format: 8 bytes little-endian header length, a JSON object name -> {dtype, shape, data_offsets}, then the
tensors. The libraries check too; we check before any of them opens the file, and name the tensor.
Source: the format's own description in the safetensors repository.
"""

from __future__ import annotations

import json
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from workers.errors import ModelRefused

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_LENGTH_BYTES = 8
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip


class _Span(NamedTuple):
    begin: int
    end: int
    tensor: str


def check_safetensors(path: Path) -> None:
    """Raises ModelRefused unless the file is sound; the message goes on after the file's name."""
    header, data_bytes = _header_of(path)
    spans = sorted(_span(name, entry) for name, entry in header.items() if name != "__metadata__")
    if not spans and data_bytes:
        raise ModelRefused("holds bytes and no tensor")
    for before, after in pairwise(spans):
        if after.begin < before.end:
            raise ModelRefused(f"has tensor {after.tensor!r} overlapping {before.tensor!r}")
        if after.begin > before.end:
            raise ModelRefused(f"has {after.begin - before.end} bytes before {after.tensor!r} that belong to no tensor")
    if spans and (spans[0].begin, spans[-1].end) != (0, data_bytes):
        raise ModelRefused(
            f"has tensors in bytes {spans[0].begin} to {spans[-1].end} of the {data_bytes} after its header"
        )


def _header_of(path: Path) -> tuple[dict[str, Any], int]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > min(MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise ModelRefused(f"announces a header of {length} bytes in a file of {size}")
        raw = stream.read(length)
    try:
        header = json.loads(raw, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"has a header that is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise ModelRefused("has a header that is not a JSON object")
    return header, size - _LENGTH_BYTES - length


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may each take another of two equal names, so there must be one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is used twice")
    return found


def _span(name: str, entry: Any) -> _Span:
    try:
        bits, shape, (begin, end) = _BITS[entry["dtype"]], [*entry["shape"]], entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"describes tensor {name!r} by no known dtype, shape and two offsets") from error
    if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
        raise ModelRefused(f"gives tensor {name!r} a shape or an offset that is no natural number")
    if (end - begin) * 8 != prod(shape) * bits:
        raise ModelRefused(f"gives tensor {name!r}, {entry['dtype']} {shape}, {end - begin} bytes")
    return _Span(begin, end, name)
