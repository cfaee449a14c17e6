"""Pixels to a PNG file and back: lossless, so that the mark in the file is the mark that was written."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

from policy.errors import MarkError
from policy.marks.watermark import Image

MEDIA_TYPE = "image/png"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(_SIGNATURE) + 4 + 4 + 13 + 4  # IHDR is always first and always 13 bytes long
# Paeth filter with run-length matching: a quarter of the time of zlib level 6 and about 15 % more bytes
# (bench/marks.py). OpenCV lets go of the GIL meanwhile.
_OPTIONS = (
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_PAETH,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)


def encode_png(image: Image, xmp_packet: bytes) -> bytes:
    """A PNG of an RGB picture, uint8 [H, W, 3], that carries an XMP packet before its pixels."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _OPTIONS)
    if not done:
        raise MarkError("OpenCV could not encode the picture as PNG")
    png = encoded.tobytes()
    # iTXt: keyword, no compression, no language, no translated keyword (PNG specification 11.3.3.4).
    text = b"XML:com.adobe.xmp" + b"\x00" * 5 + xmp_packet
    return png[:_HEADER_END] + _chunk(b"iTXt", text) + png[_HEADER_END:]


def decode_png(png: bytes) -> Image:
    """The RGB pixels of a PNG that we made, uint8 [H, W, 3]. Bytes from outside go through policy/marks/inspect.py."""
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None:
        raise MarkError("the encoded picture does not decode")
    return np.asarray(decoded, np.uint8)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
