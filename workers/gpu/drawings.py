"""Drawings of a batch: kept for later files of the same picture, and read back instead of drawing.

    kept_drawing   what came off, as a lossless file below drawings/, before any mark; None where it is not kept
    from_drawings  a batch whose items are made of kept drawings: their pixels, checked against their digests

What no device drew is not kept: a cut-out or a picture of another tool comes out the same again. Nor is what was drawn
and cut out of its ground: it is drawn again. A drawing that is gone is the fault of its item alone; a store that does
not answer is nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import structlog
from PIL import Image

from policy.marks.locks.product_lock import ProductLock
from workers.errors import NotFound, StoreRefused
from workers.gpu.sources import undrawn
from workers.jobs.drawings.drawings import GONE
from workers.jobs.types import Claim, ClaimedItem, KeptDrawing, SamplingPosition
from workers.recipes import MARK
from workers.sampling.families.family import REMOVE_BACKGROUND
from workers.sampling.types import Sampled
from workers.store import ObjectStore, drawing_key

log = structlog.get_logger()
_UNDRAWN = (REMOVE_BACKGROUND, MARK)


def kept_drawing(
    store: ObjectStore,
    held: Claim,
    item: ClaimedItem,
    image: np.ndarray,
    position: SamplingPosition,
    *,
    product: Mapping[str, Any] | None,
    lock: ProductLock | None,
) -> KeptDrawing | None:
    """Killed after the put: the object is this attempt's leftover. A store that takes pictures and no drawings, as one
    whose rights are older than drawings, keeps none: the picture is not held up.
    """
    if held.recipe.task in _UNDRAWN or held.recipe.background or item.made_of:
        return None
    data = png(image if lock is None else np.dstack([image, lock.alpha]))
    key = drawing_key(item.tenant, item.id, held.attempt)
    try:
        sha256 = store.put(key, data, "image/png")
    except StoreRefused as refused:
        log.warning("drawing_not_kept", item_id=item.id, error=str(refused))
        return None
    said = {"strict": lock.strict, "inset": lock.inset, "facts": dict(lock.facts)} if lock else None
    return KeptDrawing(item.id, key, sha256, len(data), position, product, said)


def from_drawings(held: Claim, store: ObjectStore, faults: Mapping[str, str]) -> Sampled:
    """The pixels of kept drawings, in item order. Raises StoreUnavailable."""
    nothing = undrawn(held, faults)
    positions, missing = list(nothing.positions), dict(faults)
    records: dict[str, Mapping[str, Any]] = {}
    locks: dict[str, ProductLock] = {}
    for n, item in enumerate(held.items):
        if item.id in missing:
            continue
        pixels = _pixels(store, item.drawing, held.recipe.shape[:2])
        if pixels is None or item.drawing is None:
            missing[item.id] = GONE
            continue
        nothing.images[n], positions[n] = pixels[..., :3], item.drawing.position
        if item.drawing.product:
            records[item.id] = item.drawing.product
        if item.drawing.lock:
            locks[item.id] = ProductLock(np.ascontiguousarray(pixels[..., 3]), **item.drawing.lock)
    return Sampled(nothing.images, missing, tuple(positions), 0.0, records=records, locks=locks)


def png(image: np.ndarray) -> bytes:
    """A lossless file of RGB or RGBA pixels, quickly."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _pixels(store: ObjectStore, drawing: KeptDrawing | None, size: tuple[int, ...]) -> np.ndarray | None:
    """None for what is gone, or is not what was kept."""
    if drawing is None:
        return None
    try:
        data = store.get(drawing.key)
    except NotFound:
        return None
    if hashlib.sha256(data).hexdigest() != drawing.sha256:
        log.error("drawing_altered", item_id=drawing.item_id)
        return None
    pixels = np.asarray(Image.open(BytesIO(data)))
    return pixels if pixels.shape[:2] == size else None
