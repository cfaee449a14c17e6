"""Mark inspection: reads the C2PA manifest, the watermark and the XMP label of any picture.

The bytes may come from anybody, so a limited child process decodes them (policy/intake/picture.py). The C2PA library
reads the manifest in this process. Whatever the bytes hold, the result is an Inspection or PictureRefused with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from policy.intake.picture import Picture, open_picture
from policy.marks import watermark, xmp
from policy.marks.provenance.manifest import Manifest, ManifestReader
from policy.marks.renditions import SMALLEST_SIDE
from policy.marks.watermark import WatermarkReading

_EIGHT_BITS_OF_RGB = ("RGB", "RGBA", "RGBX")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a picture says about itself. None where it says nothing of that kind."""

    media_type: str
    width: int
    height: int
    manifest: Manifest | None
    watermark: WatermarkReading | None
    xmp: dict[str, str]
    notes: tuple[str, ...] = ()  # sentences about the file: what was looked at, and what was not

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
                "timestamp": manifest.timestamp,
                "ingredients": [asdict(ingredient) for ingredient in manifest.ingredients],
                "failures": list(manifest.failures),
            },
            "watermark": reading
            and {
                "id": f"{reading.watermark_id:012x}",
                "scheme": reading.scheme.name,
                "bit_errors": reading.bit_errors,
            },
            "xmp": self.xmp,
            "notes": list(self.notes),
        }


def inspect(data: bytes, trust_anchors: str = "") -> Inspection:
    """The marks of one picture file (see `policy.intake.picture`) of at most 64 MiB and 64 megapixels.

    Without trust anchors a sound manifest is "Valid", never "Trusted". Raises PictureRefused with the reason.
    """
    return marks_of(open_picture(data), data, ManifestReader(trust_anchors))


def marks_of(picture: Picture, data: bytes, reader: ManifestReader) -> Inspection:
    """The marks of a picture that was opened from these bytes."""
    return Inspection(
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        manifest=reader.read(data, picture.media_type),
        watermark=watermark.read(picture.pixels),
        xmp=xmp.properties(picture.xmp),
        notes=tuple(_notes(picture)),
    )


def _notes(picture: Picture) -> Iterator[str]:
    if min(picture.width, picture.height) < SMALLEST_SIDE:
        yield f"A side below {SMALLEST_SIDE} pixels is too short for a watermark."
    if picture.frames > 1:
        yield f"The watermark was looked for in the first of {picture.frames} frames."
    if picture.transparent:
        yield "What is transparent was laid on white."
    if picture.mode not in _EIGHT_BITS_OF_RGB:
        yield f"Pixels were stored as {picture.mode} and were read as RGB of 8 bits."
    if picture.orientation is None:
        yield "The EXIF block cannot be read, so the picture was taken as upright."
    if picture.trailing_bytes:
        yield f"{picture.trailing_bytes:,} bytes stand behind the end of the picture. They are no part of it."
