"""Reads the marks of any picture from anywhere: the manifest, the watermark, the XMP label.

The bytes may come from anybody. Size is checked before anything is decoded, three formats are opened, and whatever
they hold the answer is an Inspection or PictureUnreadable.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow

from policy.errors import PictureUnreadable
from policy.marks import watermark, xmp
from policy.marks.provenance import Manifest, ManifestReader
from policy.marks.watermark import Image, Reading

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 64_000_000

_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
# What Pillow raises for broken files of these formats, found by fuzzing (tests/test_inspect.py).
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Pillow.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a picture says about itself. None: it says nothing of that kind."""

    media_type: str
    width: int
    height: int
    manifest: Manifest | None
    watermark: Reading | None
    xmp: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        manifest = self.manifest
        reading = self.watermark
        return {
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "manifest": manifest
            and {
                "state": manifest.state,
                "label": manifest.label,
                "signer": manifest.signer,
                "generator": manifest.generator,
                "digital_source_type": manifest.digital_source_type,
                "asset_id": manifest.asset_id,
                "watermark_id": manifest.watermark_hex,
                "generation": manifest.generation,
                "failures": list(manifest.failures),
            },
            "watermark": reading
            and {
                "id": f"{reading.watermark_id:012x}",
                "scheme": reading.scheme.name,
                "bit_errors": reading.bit_errors,
            },
            "xmp": self.xmp,
        }


def inspect(data: bytes, trust_anchors: str = "") -> Inspection:
    """The marks of one PNG, JPEG or WebP file of at most 64 MiB and 64 megapixels.

    Without trust anchors a sound manifest is "Valid", never "Trusted". Raises PictureUnreadable with the reason.
    """
    media_type, pixels, packet = open_picture(data)
    height, width = pixels.shape[:2]
    manifest = ManifestReader(trust_anchors).read(data, media_type)
    return Inspection(media_type, width, height, manifest, watermark.read(pixels), xmp.properties(packet))


def open_picture(data: bytes) -> tuple[str, Image, bytes]:
    """Media type, RGB pixels of the first frame, and the XMP packet (b"" if there is none)."""
    if len(data) > MAX_BYTES:
        raise PictureUnreadable(f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        with Pillow.open(io.BytesIO(data), formats=tuple(_MEDIA_TYPES)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise PictureUnreadable(
                    f"the picture has {picture.width} x {picture.height} pixels; at most {MAX_PIXELS} are read"
                )
            packet = picture.info.get("xmp") or b""
            pixels = np.asarray(picture.convert("RGB"), np.uint8)
            media_type = _MEDIA_TYPES[str(picture.format)]
    except _BROKEN as error:
        raise PictureUnreadable(f"not a PNG, JPEG or WebP picture that can be opened: {error}") from error
    return media_type, pixels, packet if isinstance(packet, bytes) else str(packet).encode()
