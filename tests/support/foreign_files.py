"""Files as anybody may send them, made byte by byte, and how opening them is refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from policy.errors import PictureRefused, PictureUnreadable
from policy.intake.picture import open_picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
SCENE = np.kron(np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *parts: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(parts) + chunk(b"IEND", b"")


def refusal(content: bytes, **limits: float) -> str:
    with pytest.raises(PictureRefused) as refused:
        open_picture(content, **limits)
    assert str(refused.value)
    assert isinstance(refused.value, PictureUnreadable)  # whoever catches that, catches this
    return refused.value.code
