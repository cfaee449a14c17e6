"""Headers of formats that copies arrive in and that we never write: GIF, BMP, TIFF, JPEG 2000. HEIC by its name alone.

Each function returns the claimed size and the number of bytes behind the end, 0 where the format has no end. The work
is bounded as in `headers`, which recognises the formats by their first bytes.
"""

from __future__ import annotations

import struct

MAX_PARTS = 20_000  # blocks, boxes or directory entries

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I"}  # field types of a width or height, and how they are packed


class HeaderBroken(ValueError):
    """The file begins like a picture and does not continue like one."""


def is_heic(data: bytes) -> bool:
    """Whether the file is HEIF with a brand that says HEVC, or none that says what is in it."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def gif(data: bytes) -> tuple[int, int, int]:
    """The largest of the screen and every frame."""
    width, height, flags = _numbers("<HHB", data, 6)
    at = 13 + _table(flags)
    for _ in range(MAX_PARTS):
        (kind,) = _numbers("<B", data, at)
        if kind == 0x3B:
            return width, height, len(data) - at - 1
        if kind == 0x2C:
            left, top, across, down, flags = _numbers("<HHHHB", data, at + 1)
            width, height = max(width, left + across), max(height, top + down)
            at = _behind_blocks(data, at + 11 + _table(flags))
        elif kind == 0x21:
            at = _behind_blocks(data, at + 2)
        else:
            raise HeaderBroken(f"the GIF has a block of unknown kind 0x{kind:02x}")
    raise HeaderBroken(f"the GIF has more than {MAX_PARTS:,} blocks")


def bmp(data: bytes) -> tuple[int, int, int]:
    """A negative height means rows from the top."""
    (size,) = _numbers("<I", data, 14)
    if size == 12:
        width, height = _numbers("<HH", data, 18)
    elif 16 <= size <= 256:
        width, height = _numbers("<ii", data, 18)
    else:
        raise HeaderBroken(f"a BMP header of {size} bytes is none that we know")
    (whole,) = _numbers("<I", data, 2)
    return width, abs(height), max(0, len(data) - whole) if whole >= 14 + size else 0


def tiff(data: bytes) -> tuple[int, int, int]:
    """Of the first page."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = _numbers(f"{order}I", data, 4)
    (entries,) = _numbers(f"{order}H", data, at)
    found = dict[int, int]()
    for number in range(min(entries, MAX_PARTS)):
        start = at + 2 + 12 * number
        tag, kind, count = _numbers(f"{order}HHI", data, start)
        if tag in (256, 257) and count == 1 and kind in _TIFF_NUMBERS:
            (found[tag],) = _numbers(f"{order}{_TIFF_NUMBERS[kind]}", data, start + 8)
    if len(found) != 2:
        raise HeaderBroken("the TIFF names no size")
    return found[256], found[257], 0


def jpeg2000(data: bytes) -> tuple[int, int, int]:
    """The codestream's own size (SIZ), which is what is decoded."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        raise HeaderBroken("the JPEG 2000 file has no codestream")
    right, bottom, left, top = _numbers(">IIII", data, at + 8)
    return right - left, bottom - top, 0


def _behind_blocks(data: bytes, at: int) -> int:
    """The position behind a row of data blocks of a GIF, and its end mark."""
    for _ in range(len(data)):
        (length,) = _numbers("<B", data, at)
        at += 1 + length
        if not length:
            return at
    raise HeaderBroken("the GIF ends within a block")


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _numbers(form: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error as short:
        raise HeaderBroken("the file ends within its header") from short
