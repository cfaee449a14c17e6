"""Picture encoding: pixels to a file and back in four formats, with the XMP packet inside.

PNG is lossless, so the watermark in the file is the one that was written. The other formats lose detail, so each has a
ladder of codings: the everyday one first, then full chroma (4:4:4), then lossless or what comes nearest. All encoders
release the GIL.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from PIL import Image as Pillow

from policy.errors import MarkError
from policy.marks.channels.channel import MIN_QUALITY, Channel
from policy.marks.watermark import Image

MEDIA_TYPE = "image/png"
_WEBP = "image/webp"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Rows less the rows above them, deflated by ISA-L at its level 2: a fifth of the time of libpng's Paeth filter with
# run-length matching, half of its time to decode, and as many bytes (bench/marks.py). Both let go of the GIL.
_UP_FILTER, _LEVEL = 2, 2
# By channels: 8 bits, RGB or RGBA, the only methods there are, not interlaced.
_COLOURS = {channels: struct.pack(">BBBBB", 8, colour, 0, 0, 0) for channels, colour in ((3, 2), (4, 6))}


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to encode the pixels of a media type. `lossless`: decoding returns exactly the encoded pixels."""

    name: str
    media_type: str
    lossless: bool = False
    options: dict[str, Any] = field(default_factory=dict)


# The first of each is the everyday one. Qualities are those where no difference shows on a catalogue picture and
# nearly every mark reads back at once; a rung further down costs bytes, not quality. Times: bench/marks.py.
CODINGS: dict[str, tuple[Coding, ...]] = {
    "image/png": (Coding("lossless", "image/png", lossless=True),),
    "image/jpeg": (
        Coding("92 4:2:0", "image/jpeg", options={"quality": 92, "subsampling": "4:2:0"}),
        Coding("92 4:4:4", "image/jpeg", options={"quality": 92, "subsampling": "4:4:4"}),
        # Of products on pure white: what their edges leave on the ground, two thirds of the bytes of the next.
        Coding("96 4:4:4", "image/jpeg", options={"quality": 96, "subsampling": "4:4:4"}),
        Coding("100 4:4:4", "image/jpeg", options={"quality": 100, "subsampling": "4:4:4"}),
    ),
    "image/webp": (
        Coding("90 4:2:0", "image/webp", options={"quality": 90, "method": 2}),
        Coding("lossless", "image/webp", lossless=True, options={"lossless": True, "quality": 20, "method": 0}),
    ),
    "image/avif": (
        # Speed 6, the library's own, takes five times as long for 3 % fewer bytes.
        Coding("80 4:2:0", "image/avif", options={"quality": 80, "subsampling": "4:2:0", "speed": 8}),
        Coding("80 4:4:4", "image/avif", options={"quality": 80, "subsampling": "4:4:4", "speed": 8}),
        Coding("100 4:4:4", "image/avif", options={"quality": 100, "subsampling": "4:4:4", "speed": 8}),
    ),
}
_STEP = 8  # of quality, from rung to rung where a channel has a limit of bytes
_BY_QUALITY: dict[str, dict[str, Any]] = {
    "image/jpeg": {},
    "image/webp": {"method": 2},
    "image/avif": {"speed": 8},
}
_PILLOW = {"image/jpeg": "JPEG", "image/webp": "WEBP", "image/avif": "AVIF"}
# One picture, one core: pictures are finished side by side.
_THREADS = {"image/avif": {"max_threads": 1}}


def codings_of(channel: Channel) -> tuple[Coding, ...]:
    """The codings of a channel, in the order in which they are tried.

    Without quality and limit of bytes they are the everyday ones. With a limit, the quality falls step by step. With a
    quality alone, full chroma follows, which costs bytes and keeps more of the mark. WebP has none: there the everyday
    codings follow, as most marks are lost below quality 80.
    """
    everyday = CODINGS[channel.media_type]
    if channel.media_type == MEDIA_TYPE or (channel.quality is None and channel.max_bytes is None):
        return everyday
    best = channel.quality or int(everyday[0].options["quality"])
    if channel.max_bytes is None and channel.media_type == _WEBP:
        better = (one for one in everyday if one.lossless or one.options["quality"] > best)
        return (_coding(_WEBP, best, "4:2:0"), *better)
    if channel.max_bytes is None:
        return tuple(_coding(channel.media_type, best, chroma) for chroma in ("4:2:0", "4:4:4"))
    qualities = [*range(best, MIN_QUALITY, -_STEP), MIN_QUALITY]
    return tuple(_coding(channel.media_type, quality, "4:2:0") for quality in qualities)


def _coding(media_type: str, quality: int, chroma: str) -> Coding:
    options = {**_BY_QUALITY[media_type], "quality": quality}
    if media_type != _WEBP:  # it knows 4:2:0 alone
        options["subsampling"] = chroma
    return Coding(f"{quality} {chroma}", media_type, options=options)


def encode(image: Image, coding: Coding, xmp_packet: bytes) -> bytes:
    """A file of an RGB picture, uint8 [H, W, 3], that carries an XMP packet. Raises MarkError."""
    if coding.media_type == MEDIA_TYPE:
        return encode_png(image, xmp_packet)
    file = io.BytesIO()
    options = {**coding.options, **_THREADS.get(coding.media_type, {})}
    try:
        Pillow.fromarray(image).save(file, _PILLOW[coding.media_type], xmp=xmp_packet, **options)
    except (OSError, ValueError) as error:
        raise MarkError(f"the picture cannot be packed as {coding.media_type}, {coding.name}: {error}") from error
    return file.getvalue()


def decode(data: bytes, media_type: str) -> Image:
    """The RGB pixels of a file that we made, uint8 [H, W, 3]. Bytes from outside go through policy/intake."""
    if media_type == MEDIA_TYPE:
        return decode_png(data)
    try:
        with Pillow.open(io.BytesIO(data), formats=[_PILLOW[media_type]]) as picture:
            return np.asarray(picture.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise MarkError(f"the encoded picture does not decode as {media_type}: {error}") from error


def encode_png(image: Image, xmp_packet: bytes) -> bytes:
    """A PNG of an RGB or RGBA picture, uint8 [H, W, 3 or 4], that carries an XMP packet before its pixels."""
    height, width, channels = image.shape
    rows = np.empty((height, 1 + channels * width), np.uint8)
    rows[:, 0] = _UP_FILTER
    flat = image.reshape(height, channels * width)
    rows[0, 1:] = flat[0]  # the row above the first counts as zeros
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    # iTXt: keyword, no compression, no language, no translated keyword (PNG specification 11.3.3.4).
    text = b"XML:com.adobe.xmp" + b"\x00" * 5 + xmp_packet
    chunks = (
        (b"IHDR", struct.pack(">II", width, height) + _COLOURS[channels]),
        (b"iTXt", text),
        (b"IDAT", isal_zlib.compress(rows, _LEVEL)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def decode_png(png: bytes) -> Image:
    """The RGB pixels of a PNG that we made, uint8 [H, W, 3]. Bytes from outside go through policy/intake."""
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None:
        raise MarkError("the encoded picture does not decode")
    return np.asarray(decoded, np.uint8)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", isal_zlib.crc32(content, isal_zlib.crc32(kind)))
    )
