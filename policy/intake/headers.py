"""Picture headers: format and size of a file, read in plain Python before any decoder sees a byte.

Eight formats are recognised by their first bytes, never by a name or an HTTP header. The work is bounded by the number
of parts that a file may have, whatever its length. Sizes are claims: the child process that decodes is limited all the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policy.intake import containers
from policy.intake.containers import HeaderBroken

__all__ = ["MAX_PARTS", "Header", "HeaderBroken", "read_header"]

MAX_PARTS = 20_000  # chunks, segments or boxes: 64 MiB of PNG in libpng's chunks of 8 KiB are 8,192

_PNG = b"\x89PNG\r\n\x1a\n"
_AVIF_BRANDS = (b"avif", b"avis")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a JPEG scan: anything but stuffing, restarts and filling
_ORIENTATION = 0x0112  # TIFF tag
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables


@dataclass(frozen=True, slots=True)
class Header:
    """Format, the largest size that the file claims, and the number of bytes behind the picture's end."""

    format: str  # Pillow's name of it
    media_type: str
    width: int
    height: int
    trailing_bytes: int
    orientation: int = 1  # of a JPEG's EXIF, where it says how to turn it; elsewhere the decoder finds out

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height once it is turned."""
        return (self.height, self.width) if self.orientation in (5, 6, 7, 8) else (self.width, self.height)


# First bytes of what people send in the place of a picture, and what to call it.
_NAMED_FORMATS = (
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"(?s).{4}ftyp(heic|heix|hevc|hevx|heim|heis|mif1|msf1)"), "HEIC"),
    (re.compile(rb"II\x2a\x00|MM\x00\x2a"), "TIFF"),
    (re.compile(rb"BM.{4}\x00{4}", re.DOTALL), "BMP"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "EPS"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"8BPS"), "Photoshop"),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "), "JPEG XL"),
    (re.compile(rb"PK\x03\x04"), "ZIP"),
    (
        re.compile(
            rb"\s*(\xef\xbb\xbf)?\s*(<\?xml[^>]{0,200}>\s*)?(<!--.{0,200}-->\s*)?(<!DOCTYPE\s+svg|<svg)", re.S | re.I
        ),
        "SVG",
    ),
    (re.compile(rb"\s*(<!DOCTYPE\s+html|<html|<head|<body)", re.I), "HTML"),
)


def named_format(data: bytes) -> str:
    """What a file of none of the four formats is, in the word that people use for it; "" for an unknown one."""
    return next((name for pattern, name in _NAMED_FORMATS if pattern.match(data[:1024])), "")


def read_header(data: bytes) -> Header | None:
    """The header; None for a file of none of the eight formats. Raises HeaderBroken."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:8] == b"ftyp" and _is_avif(data):
        return _avif(data)
    return _container(data)


def _container(data: bytes) -> Header | None:
    """The header of a format that we read and never write."""
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return Header("GIF", "image/gif", *containers.gif(data))
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return Header("BMP", "image/bmp", *containers.bmp(data))
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return Header("TIFF", "image/tiff", *containers.tiff(data))
    if data.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return Header("JPEG2000", "image/jp2", *containers.jpeg2000(data))
    return None


def _png(data: bytes) -> Header:
    if data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise HeaderBroken("a PNG begins with its IHDR chunk; this one does not")
    width, height = _number(data, 16, 4), _number(data, 20, 4)
    at = len(_PNG)
    for _ in range(MAX_PARTS):
        length, kind = _number(data, at, 4), data[at + 4 : at + 8]
        at += 12 + length
        if at > len(data):
            raise HeaderBroken(f"the PNG ends within its {_named(kind)} chunk")
        if kind == b"IEND":
            return Header("PNG", "image/png", width, height, len(data) - at)
    raise _too_many("chunks")


def _jpeg(data: bytes) -> Header:
    sizes, at = list[tuple[int, int]](), 2
    for _ in range(MAX_PARTS):
        marker = _MARKER.search(data, at)
        if marker is None:
            raise HeaderBroken("the JPEG ends without its end marker")
        kind, at = marker.group()[1], marker.end()
        if kind == 0xD9:
            if not sizes:
                raise HeaderBroken("the JPEG names no size")
            width, height = (max(numbers) for numbers in zip(*sizes, strict=True))
            return Header("JPEG", "image/jpeg", width, height, len(data) - at, _exif_orientation(data))
        if kind in _NO_LENGTH:
            continue
        length = _number(data, at, 2)
        if kind in _FRAMES:
            sizes.append((_number(data, at + 5, 2), _number(data, at + 3, 2)))
        at += max(length, 2)
    raise _too_many("segments")


def _exif_orientation(data: bytes) -> int:
    """Of a JPEG that begins with its EXIF, as cameras write it; 1 for any other. Never raises: it is a claim."""
    start = data.find(b"Exif\0\0", 0, 64 * 1024)
    tiff = data[start + 6 : start + 6 + 1024] if start >= 0 else b""
    order: Literal["big", "little"] = "little" if tiff[:2] == b"II" else "big"
    entries_at = int.from_bytes(tiff[4:8], order)
    entries = int.from_bytes(tiff[entries_at : entries_at + 2], order)
    for n in range(min(entries, 64)):
        at = entries_at + 2 + 12 * n
        if int.from_bytes(tiff[at : at + 2], order) == _ORIENTATION:
            found = int.from_bytes(tiff[at + 8 : at + 10], order)
            return found if 1 <= found <= 8 else 1
    return 1


def _webp(data: bytes) -> Header:
    end = 8 + _number(data, 4, 4, "little")
    if end > len(data):
        raise HeaderBroken(f"the WebP says it has {end} bytes; there are {len(data)}")
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise HeaderBroken("the WebP ends within its first chunk")
    match kind:
        case b"VP8X":
            width, height = _number(body, 4, 3, "little") + 1, _number(body, 7, 3, "little") + 1
        case b"VP8 ":
            width, height = _number(body, 6, 2, "little") & 0x3FFF, _number(body, 8, 2, "little") & 0x3FFF
        case b"VP8L":
            bits = _number(body, 1, 4, "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case other:
            raise HeaderBroken(f"a WebP begins with a picture; this one begins with {_named(other)}")
    return Header("WEBP", "image/webp", width, height, len(data) - end)


def _is_avif(data: bytes) -> bool:
    brands = data[8 : min(_number(data, 0, 4), 256)]
    return any(brands[start : start + 4] in _AVIF_BRANDS for start in range(0, len(brands), 4))


def _avif(data: bytes) -> Header:
    """Every `ispe` counts: a grid's tiles and its whole, alpha, thumbnails. The largest is the claimed size."""
    sizes = [
        (_number(data, at + 4, 4), _number(data, at + 8, 4))
        for meta, meta_end in _boxes(data, 0, len(data), b"meta")
        for iprp, iprp_end in _boxes(data, meta + 4, meta_end, b"iprp")
        for ipco, ipco_end in _boxes(data, iprp, iprp_end, b"ipco")
        for at, _ in _boxes(data, ipco, ipco_end, b"ispe")
    ]
    if not sizes:
        raise HeaderBroken("the AVIF names no size")
    width, height = (max(numbers) for numbers in zip(*sizes, strict=True))
    return Header("AVIF", "image/avif", width, height, 0)


def _boxes(data: bytes, start: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """(begin, end) of the contents of each box of this kind."""
    at = start
    for _ in range(MAX_PARTS):
        if at + 8 > end:
            return
        size, kind, content = _number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, content = _number(data, at + 8, 8), at + 16
        last = end if size == 0 else at + size
        if last < content or last > end:
            raise HeaderBroken(f"the AVIF's {_named(kind)} box reaches beyond its end")
        if kind == wanted:
            yield content, last
        at = last
    raise _too_many("boxes")


def _number(data: bytes, at: int, count: int, order: str = "big") -> int:
    part = data[at : at + count]
    if len(part) < count:
        raise HeaderBroken("the file ends within its header")
    return int.from_bytes(part, "little" if order == "little" else "big")


def _named(kind: bytes) -> str:
    return repr(kind.decode("ascii", "replace"))


def _too_many(parts: str) -> HeaderBroken:
    return HeaderBroken(f"the file has more than {MAX_PARTS:,} {parts}")
