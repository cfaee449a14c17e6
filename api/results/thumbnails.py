"""Thumbnails of released images: 256 pixels, WebP, made when they are asked for, for lists that a person scrolls.

Only bytes whose SHA-256 is that of the released file are decoded: the API opens no foreign picture. A thumbnail is no
file of the asset: it has no manifest, is stored nowhere, and needs the key of a caller each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from api.edge.problems import Problem
from workers.jobs.types import StoredRendition
from workers.store import ObjectStore

SIDE = 256  # pixels of the longer side
MEDIA_TYPE = "image/webp"
_QUALITY = 80
_QUICKEST = {"image/jpeg": 0, "image/webp": 1, "image/png": 2}  # a JPEG is decoded at an eighth of its size


def thumbnail(store: ObjectStore, files: Sequence[StoredRendition]) -> bytes:
    """Raises Problem where nothing can be shown or the file is not the released one; NotFound, StoreUnavailable."""
    shown = [file for file in files if file.media_type in _QUICKEST]
    if not shown:
        raise Problem("not_found", "This asset has no file of a format that thumbnails are made of.")
    file = min(shown, key=lambda one: _QUICKEST[one.media_type])
    content = store.get(file.key)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise Problem("not_found", "The stored file is not the one that was released.")
    try:
        return _small(content)
    except OSError as error:  # Pillow's word for what it cannot decode
        raise Problem("not_found", "The file of this asset cannot be shown as a small picture.") from error


def _small(content: bytes) -> bytes:
    with Image.open(BytesIO(content)) as opened:
        opened.draft("RGB", (SIDE, SIDE))
        picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    picture.thumbnail((SIDE, SIDE))
    written = BytesIO()
    picture.save(written, "WEBP", quality=_QUALITY)
    return written.getvalue()
