"""Thumbnail of a finished file: WebP of at most 256 pixels a side, and its ThumbHash.

The gpu process makes one at finish and the API makes those of older pictures, both of bytes that they have just
compared with a digest: no foreign picture is opened here. A thumbnail carries no manifest and is no rendition.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from workers.thumbnails.thumb_hash import MOST_SIDE, thumb_hash

SIDE = 256  # pixels of the longer side
MEDIA_TYPE = "image/webp"
_QUALITY = 80
_QUICKEST = {"image/jpeg": 0, "image/webp": 1, "image/png": 2}  # a JPEG is decoded at an eighth of its size


class Thumbnail(NamedTuple):
    """`hash` is the ThumbHash in base64."""

    data: bytes
    width: int
    height: int
    hash: str


def quickest(media_types: Collection[str]) -> str | None:
    """Of these types the one that a thumbnail is made of at the least cost; None: of none of them."""
    return min((each for each in media_types if each in _QUICKEST), key=_QUICKEST.__getitem__, default=None)


def thumbnail(content: bytes) -> Thumbnail:
    """Raises OSError for what cannot be decoded."""
    with Image.open(BytesIO(content)) as opened:
        opened.draft("RGB", (SIDE, SIDE))
        picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    picture.thumbnail((SIDE, SIDE))
    written = BytesIO()
    picture.save(written, "WEBP", quality=_QUALITY)
    smaller = picture.convert("RGBA")
    smaller.thumbnail((MOST_SIDE, MOST_SIDE))
    return Thumbnail(written.getvalue(), *picture.size, thumb_hash(np.asarray(smaller)))
