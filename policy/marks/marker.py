"""Marks one screened picture so that it may leave, and reads every mark back from the bytes that will leave.

pixel watermark -> PNG -> XMP -> C2PA last -> decode the final bytes, read the watermark, check the manifest,
compare the pixels with those that were screened. Nothing is kept between calls; a death anywhere leaves no trace.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from policy.errors import MarkError, MarkUnreadable
from policy.marks import signing, watermark, xmp
from policy.marks.encode import MEDIA_TYPE, decode_png, encode_png
from policy.marks.provenance import Manifest, ManifestReader, ManifestWriter, require_trusted
from policy.marks.signing import Signer
from policy.marks.stamp import DIGITAL_SOURCE_TYPE, Maker, Stamp
from policy.marks.watermark import Image, Reading, Scheme

__all__ = ["Marked", "Marker", "Stamp"]

# How far the picture that leaves may be from the one that was screened. The mark leaves 37 to 46 dB and
# moves a channel by 18 levels at most (bench/marks.py); its stronger form costs 4.4 dB more.
MIN_PSNR_DB = 32.0
MAX_SHIFT = 48
MAX_SIDE = 8192


@dataclass(frozen=True, slots=True)
class Marked:
    """A finished file and the evidence that its marks read back. `evidence` is JSON-ready."""

    data: bytes
    media_type: str
    width: int
    height: int
    sha256: str
    evidence: dict[str, Any]


class Marker:
    """Marks pictures with one signer, under one name. Safe to use from several threads.

    Making one signs a challenge, so a missing, expired or foreign key shows at start: raises SigningUnavailable.
    """

    def __init__(self, signer: Signer, trust_anchors: str, generator: str, version: str) -> None:
        signing.check(signer)
        self._signer = signer
        self._maker = Maker(generator, version)
        self._writer = ManifestWriter(signer, self._maker)
        self._reader = ManifestReader(trust_anchors)

    def mark(self, image: Image, stamp: Stamp) -> Marked:
        """The finished PNG of an RGB picture, uint8 [H, W, 3], sides of 64 to 8192 pixels.

        Raises SigningUnavailable (wait for a key), MarkUnreadable (hold the picture), ManifestInvalid, MarkError.
        """
        _require_markable(image)
        signing.check_dates(self._signer)
        refused: list[str] = []
        for scheme in watermark.ladder(image):
            data = self._written(image, stamp, scheme)
            pixels = decode_png(data)
            reading = watermark.read(pixels)
            if reading is not None and (reading.watermark_id, reading.scheme) == (stamp.watermark_id, scheme):
                manifest = require_trusted(self._reader.read(data, MEDIA_TYPE), stamp)
                return _marked(data, pixels, _evidence(image, pixels, stamp, reading, manifest))
            refused.append(scheme.name)
        raise MarkUnreadable(f"asset {stamp.asset_id}: no watermark reads back, tried {', '.join(refused)}")

    def _written(self, image: Image, stamp: Stamp, scheme: Scheme) -> bytes:
        marked = watermark.embed(image, stamp.watermark_id, scheme)
        png = encode_png(marked, xmp.packet(stamp, self._maker))
        return self._writer.sign(png, MEDIA_TYPE, stamp, scheme.name)


def _require_markable(image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise MarkError(f"expected RGB pixels, uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    height, width = image.shape[:2]
    if min(height, width) < watermark.SMALLEST_SIDE or max(height, width) > MAX_SIDE:
        raise MarkError(f"{width} x {height} pixels: sides of {watermark.SMALLEST_SIDE} to {MAX_SIDE} can be marked")


def _evidence(screened: Image, pixels: Image, stamp: Stamp, reading: Reading, manifest: Manifest) -> dict[str, Any]:
    """What the ledger keeps. Raises MarkError if the pixels are not, within the mark, those that were screened."""
    if pixels.shape != screened.shape:
        raise MarkError(f"asset {stamp.asset_id}: the file decodes to {pixels.shape}, screened was {screened.shape}")
    psnr = float(cv2.PSNR(screened, pixels))
    shift = int(cv2.norm(screened, pixels, cv2.NORM_INF))
    if psnr < MIN_PSNR_DB or shift > MAX_SHIFT:
        raise MarkError(
            f"asset {stamp.asset_id}: the marked picture is {psnr:.1f} dB and up to {shift} levels away from"
            f" the screened one; {MIN_PSNR_DB} dB and {MAX_SHIFT} levels are allowed"
        )
    return {
        "watermark": {
            "scheme": reading.scheme.name,
            "id": stamp.watermark_hex,
            "bit_errors": reading.bit_errors,
            "psnr_db": round(psnr, 2),
            "max_shift": shift,
        },
        "manifest": {"label": manifest.label, "state": manifest.state, "signer": manifest.signer},
        "digital_source_type": DIGITAL_SOURCE_TYPE,
    }


def _marked(data: bytes, pixels: Image, evidence: dict[str, Any]) -> Marked:
    height, width = pixels.shape[:2]
    return Marked(data, MEDIA_TYPE, width, height, hashlib.sha256(data).hexdigest(), evidence)
