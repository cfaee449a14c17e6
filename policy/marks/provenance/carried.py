"""Manifest store of a file: the bytes that its container carries, neither parsed nor checked.

PNG keeps them in the chunk caBX, WebP in the chunk C2PA, JPEG in APP11 segments that are numbered (C2PA specification,
"Embedding manifests"). For files that we made; anything else gives None. Pure, and bounded by the file's length.
"""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JUMBF = b"JP"  # the common identifier of APP11 segments that hold boxes


def manifest_store(data: bytes) -> bytes | None:
    """The JUMBF bytes of the whole store, as a sidecar file has them; None where the file carries none."""
    try:
        if data.startswith(_PNG):
            return _chunk(data, len(_PNG), b"caBX", ">", name_first=False)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _chunk(data, 12, b"C2PA", "<", name_first=True)
        if data.startswith(b"\xff\xd8"):
            return _segments(data)
    except struct.error:
        return None
    return None


def _chunk(data: bytes, at: int, wanted: bytes, order: str, *, name_first: bool) -> bytes | None:
    """The contents of the first chunk of this name. PNG: length, name, contents, CRC. RIFF: name, length, contents."""
    while at + 8 <= len(data):
        name = data[at : at + 4] if name_first else data[at + 4 : at + 8]
        (length,) = struct.unpack_from(f"{order}I", data, at + 4 if name_first else at)
        if name == wanted:
            contents = data[at + 8 : at + 8 + length]
            return contents if len(contents) == length else None
        at += 8 + length + (length & 1 if name_first else 4)
    return None


def _segments(data: bytes) -> bytes | None:
    """The box whose parts stand in APP11 segments. Behind the first part each repeats the box's own header."""
    parts, at = dict[int, bytes](), 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xEB and body[:2] == _JUMBF and len(body) > 16:
            (number,) = struct.unpack_from(">I", body, 4)
            parts[number] = body[8:] if number == min(parts, default=number) else body[16:]
        at += 2 + max(length, 2)
    return b"".join(parts[number] for number in sorted(parts)) or None
