"""Proof of a locked product: that the pixels of a finished picture, and of a delivered file, are those of its source.

Before any mark the largest difference inside the product is 0, or the picture is not made. What marks and encoding
change afterwards is measured and bounded in each file (policy/marks/locks). `audit` repeats all of it from the file and
the source picture alone, so a buyer needs no key and no connection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from policy.marks.channels.frame import ChannelFrame
from policy.marks.locks.measures import INSET, Alpha, LockBounds, LockMeasures, bounds_of, lock_measures
from policy.marks.locks.product_lock import ProductLock
from policy.marks.locks.record import LockRecord, pixels_sha256
from policy.marks.provenance.manifest import TRUSTED, Manifest
from workers.errors import MaskRefused
from workers.masks.backgrounds import ReplacedBackground
from workers.masks.compositing import corner_of, moved, resampled
from workers.masks.mask import Pixels
from workers.masks.options import PLACEMENT

_KERNEL = 2  # pixels of the source on each side that one pixel of a scaled product is made from
_MAX_SIDE, _MAX_PIXELS = 16_384, 256_000_000
_DECODERS = 2  # levels: decoders of one JPEG may differ by that


class WritingReader(Protocol):
    """Reads writing on pictures, as policy/images/ocr.py does."""

    def read(self, images: np.ndarray) -> list[list[Any]]:
        """For each picture of uint8 RGB [N, H, W, 3] its lines, top to bottom, each with `text` and `confidence`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One step of an audit: what was looked at, whether it holds (None: nobody can say), and what was found."""

    name: str
    holds: bool | None
    found: str


def lock_of(source: Pixels, made: ReplacedBackground, *, strict: bool = False, unmarked: bool = False) -> ProductLock:
    """The lock of a finished picture, proven against its source, RGB uint8 [H, W, 3].

    Raises MaskRefused where a pixel inside the product is not the source's: such a picture must not leave.
    """
    height, width = made.picture.shape[:2]
    place = made.options.placement
    size = source.shape if place.scale == 1 else tuple(max(1, round(side * place.scale)) for side in source.shape[:2])
    left, top = corner_of(place, size, width, height)
    inset = INSET if place.scale == 1 else INSET + math.ceil(_KERNEL * max(1.0, place.scale))
    expected = _laid(source, (left, top), place.scale, width, height)
    before = lock_measures(expected, made.picture, made.placed.alpha, inset=inset)
    if before.largest or not before.pixels:
        raise MaskRefused(
            f"the product is not the source's: {before.pixels} pixels, up to {before.largest} levels apart"
        )
    facts = {
        "source": {"pixels_sha256": pixels_sha256(source), "width": source.shape[1], "height": source.shape[0]},
        "place": {"left": left, "top": top, "scale": place.scale},
        "canvas": {"width": width, "height": height},
        "before": before.to_json(),
    }
    return ProductLock(made.placed.alpha, facts, strict=strict, unmarked=unmarked, inset=inset)


def audit(
    delivered: Pixels, manifest: Manifest | None, source: Pixels, *, alpha: Alpha | None = None
) -> tuple[list[Checked], Pixels | None, Alpha | None]:
    """Every step of the check of a delivered file; what its product should look like; and where the product is.

    `alpha` is the product's shape where the manifest left it out. Content of any origin gives an answer.
    """
    if manifest is None:
        return [Checked("manifest", False, "the file carries no manifest, so nothing says what was locked")], None, None
    sound = {TRUSTED: True, "Valid": None}.get(manifest.state, False)  # Valid: anyone may have signed it
    steps = [Checked("manifest", sound, " ".join((manifest.state, *manifest.failures)))]
    said = (manifest.generation or {}).get("lock")
    record = LockRecord.of(said) if isinstance(said, dict) else None
    if record is None or not isinstance(said, dict):
        return [*steps, Checked("lock", False, "the manifest says nothing of a locked product")], None, None
    shape = record.alpha() if alpha is None else alpha
    if shape is None:
        return [*steps, Checked("shape", None, "the product's shape is not in the manifest; give the mask")], None, None
    same = pixels_sha256(source) == record.source_sha256
    steps.append(Checked("source", same, "the recorded picture" if same else "another picture than was recorded"))
    steps.append(Checked("before marks", record.before_largest == 0, f"largest difference {record.before_largest}"))
    try:
        expected = _expected(source, record, said)
    except (KeyError, TypeError, ValueError, OverflowError, MaskRefused) as wrong:
        return [*steps, Checked("place", False, f"no place that could be followed: {wrong}")], None, None
    if expected.shape != delivered.shape or shape.shape != delivered.shape[:2]:
        sizes = " and ".join(f"{each.shape[1]} x {each.shape[0]}" for each in (delivered, expected, shape))
        return [*steps, Checked("size", False, f"file, recorded frame and shape have {sizes} pixels")], None, None
    measured = lock_measures(expected, delivered, shape, inset=record.inset)
    widest = bounds_of(strict=False, lossless=False)  # whatever a manifest says
    bounds = LockBounds(min(record.bounds.largest, widest.largest), min(record.bounds.mean, widest.mean))
    beyond = measured.beyond(bounds)
    found = f"{measured.pixels:,} pixels, largest difference {measured.largest}, mean {measured.mean:.3f}"
    steps.append(Checked("product", not beyond, f"{found}; {beyond}" if beyond else found))
    steps.append(_as_said(measured, said["after"]))
    return steps, expected, shape


def writing(reader: WritingReader, expected: Pixels, delivered: Pixels, alpha: Alpha) -> Checked:
    """Whether the writing on the product reads alike in source and file."""
    before, after = written(reader, expected, delivered, alpha)
    if before == after:
        found = f"{len(before)} lines read alike" if before else "none was read, before or after"
        return Checked("writing", True, found)
    return Checked("writing", False, f"read {list(before)} before and {list(after)} after")


def written(
    reader: WritingReader, expected: Pixels, delivered: Pixels, alpha: Alpha
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is surely read on the product in both pictures, its letters and digits alone. Ground is blanked in both."""
    inside = (alpha == 255)[..., None]
    rows, columns = np.flatnonzero(inside.any(axis=(1, 2))), np.flatnonzero(inside.any(axis=(0, 2)))
    if not rows.size:
        return (), ()
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    shown = [np.where(inside[part], picture[part], np.uint8(255)).astype(np.uint8) for picture in (expected, delivered)]
    before, after = (_texts(lines) for lines in reader.read(np.stack(shown)))
    return before, after


def _texts(lines: Sequence[Any]) -> tuple[str, ...]:
    """What was surely read: letters and digits, without spaces, as the reader's spacing varies."""
    sure = (line.text for line in lines if line.confidence >= _READ)
    return tuple(filter(None, ("".join(letter for letter in text.casefold() if letter.isalnum()) for text in sure)))


_READ = 0.8  # confidence of a line that counts


def _as_said(measured: LockMeasures, said: dict[str, Any]) -> Checked:
    try:
        apart = abs(measured.largest - int(said["largest"])), abs(measured.mean - float(said["mean"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return Checked("as recorded", False, "the manifest says nothing of what the file changed")
    alike = apart[0] <= _DECODERS and apart[1] <= 0.05
    return Checked("as recorded", alike, "" if alike else f"the manifest says {said['largest']} and {said['mean']}")


def _expected(source: Pixels, record: LockRecord, said: dict[str, Any]) -> Pixels:
    """The source as it lies in the file. Raises for a record that cannot be followed."""
    canvas = said.get("canvas")
    sides = [int(canvas[side]) for side in ("width", "height")] if isinstance(canvas, dict) else [0, 0]
    whole = all(0 < side <= _MAX_SIDE for side in sides)
    least, most = PLACEMENT["scale"]
    places = record.left, record.top
    grown = record.scale**2 * source.shape[0] * source.shape[1]
    near = all(abs(place) <= _MAX_SIDE * most for place in places)
    if not whole or not least <= record.scale <= most or not near or grown > _MAX_PIXELS:
        raise ValueError("the manifest says one beyond every bound")
    laid = _laid(source, (int(record.left), int(record.top)), record.scale, *sides)
    frame = said.get("frame")
    return laid if frame is None else ChannelFrame.from_json(frame).apply(laid)


def _laid(source: Pixels, corner: tuple[int, int], scale: float, width: int, height: int) -> Pixels:
    return moved(source if scale == 1 else resampled(source, scale), *corner, width, height)
