"""Files with transparency: RGBA pixels to PNG and WebP and back, alpha bit for bit, with the XMP packet inside.

JPEG has no transparency. Of WebP's codings the first loses detail of colours and nothing of alpha.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from policy.errors import MarkError
from policy.marks.encode import MEDIA_TYPE, Coding, decode, encode_png
from policy.marks.watermark import Image

Alpha = NDArray[np.uint8]  # [H, W]

# Rendition -> media type. In every other format a cut-out is shown on white.
CUTOUT_FILES = {"original": "image/png", "webp": "image/webp"}
CUTOUT_CODINGS: dict[str, tuple[Coding, ...]] = {
    "image/png": (Coding("lossless", "image/png", lossless=True),),
    "image/webp": (
        Coding("90 4:2:0", "image/webp", options={"quality": 90, "method": 2, "alpha_quality": 100}),
        Coding("lossless", "image/webp", lossless=True, options={"lossless": True, "quality": 20, "method": 0}),
    ),
}
_SPREAD = 12  # pixels: how far colours go on beyond the product, so that no codec and no resize mixes black into it


def encode_cutout(colours: Image, alpha: Alpha, coding: Coding, xmp_packet: bytes) -> bytes:
    """A file of RGB and alpha, uint8 [H, W, 3] and [H, W]. Raises MarkError."""
    pixels = np.dstack([colours, alpha])
    if coding.media_type == MEDIA_TYPE:
        return encode_png(pixels, xmp_packet)
    file = io.BytesIO()
    try:
        Pillow.fromarray(pixels, "RGBA").save(file, "WEBP", xmp=xmp_packet, exact=True, **coding.options)
    except (OSError, ValueError) as error:
        raise MarkError(f"the cut-out cannot be packed as {coding.media_type}, {coding.name}: {error}") from error
    return file.getvalue()


def decode_cutout(data: bytes, media_type: str) -> tuple[Image, Alpha]:
    """RGB and alpha of a file that we made. Bytes from outside go through policy/intake. Raises MarkError."""
    try:
        with Pillow.open(io.BytesIO(data), formats=["PNG" if media_type == MEDIA_TYPE else "WEBP"]) as picture:
            if picture.mode != "RGBA":
                raise MarkError(f"the encoded cut-out decodes as {picture.mode}, without transparency")
            pixels = np.asarray(picture, np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise MarkError(f"the encoded cut-out does not decode as {media_type}: {error}") from error
    return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])


def decode_flat(data: bytes, media_type: str) -> Image:
    """The RGB pixels of a file that we made, a cut-out on white. Raises MarkError."""
    if media_type in CUTOUT_CODINGS and _is_transparent(data):
        return over(*decode_cutout(data, media_type), 255)
    return decode(data, media_type)


def _is_transparent(data: bytes) -> bool:
    try:
        with Pillow.open(io.BytesIO(data), formats=["PNG", "WEBP"]) as picture:  # reads the header alone
            return picture.mode == "RGBA"
    except (OSError, ValueError, SyntaxError):
        return False


def without_ground(colours: Image, alpha: Alpha) -> Image:
    """The colours with nothing of the old ground below transparent pixels: the product's go on a little, then black."""
    share = alpha.astype(np.float32)[..., None] / np.float32(255)
    size = (2 * _SPREAD + 1, 2 * _SPREAD + 1)
    near, covered = cv2.blur(colours.astype(np.float32) * share, size), cv2.blur(share, size)[..., None]
    spread = np.where(covered > 0, near / np.maximum(covered, np.float32(1e-6)), 0)
    return np.where(alpha[..., None] == 0, np.clip(np.rint(spread), 0, 255), colours).astype(np.uint8)


def over(colours: Image, alpha: Alpha, ground: Image | int) -> Image:
    """The cut-out laid on a ground as viewers do it: in levels, not in light."""
    share = alpha.astype(np.float32)[..., None] / np.float32(255)
    laid = colours * share + np.asarray(ground, np.float32) * (1 - share)
    return np.asarray(np.rint(laid), np.uint8)
