"""Product lock of one picture: where its product lies, which has to leave as it came, and how a watermark avoids it.

`strict` keeps the watermark off the product: it sits on the ground and the edge alone. Whether they can carry it is
measured, by writing and reading it back. Where they cannot, as on a pure white ground, the file carries manifest and
fingerprint only if policy allows that; otherwise nothing is delivered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy.marks import watermark
from policy.marks.channels.frame import ChannelFrame
from policy.marks.locks import record
from policy.marks.locks.measures import INSET, Alpha, LockBounds, LockMeasures, bounds_of, lock_measures
from policy.marks.pure_ground import PureGround
from policy.marks.stamp import UNMARKED
from policy.marks.watermark import Floats, Image, Scheme
from policy.marks.writers import Write

_KERNEL = 4  # pixels on each side that one pixel of a resized picture is made from, at most
NO_ROOM = (
    "the ground and the edge beside the locked product carry no watermark; ask for lock: standard, or let the rule set "
    "release such files with a manifest alone (lock.without_watermark: allow)"
)


@dataclass(frozen=True, slots=True)
class LockReading:
    """What became of the product in one file. `bounds` are those that it kept."""

    measures: LockMeasures
    bounds: LockBounds
    too_far: str

    def to_json(self) -> dict[str, Any]:
        """For manifest and ledger."""
        return {**self.measures.to_json(), "bounds": self.bounds._asdict()}


@dataclass(frozen=True, slots=True, eq=False)
class ProductLock:
    """`alpha`, uint8 [H, W], is 255 where the picture has to be the source's pixel.

    `facts` say publicly which source that is, where it lies, and what was measured before any mark.
    """

    alpha: Alpha
    facts: Mapping[str, Any]
    strict: bool = False
    unmarked: bool = False  # policy lets a strict file go without a watermark where its ground carries none
    inset: int = INSET

    def write(self, image: Image, watermark_id: int, ground: PureGround | None) -> Write:
        """The writer of a watermark beside the product."""
        where = self.beside(ground)
        return cache(lambda scheme: watermark.embed(image, watermark_id, scheme, where))

    def beside(self, ground: PureGround | None) -> Floats:
        """1 where a watermark may lie: off the product, and off a pure ground that has to stay so."""
        free = np.asarray(self.alpha < 255, np.float32)
        return free if ground is None else np.asarray(free * ground.where, np.float32)

    def fitted(self, frame: ChannelFrame) -> ProductLock:
        """The lock of the same picture in another frame: what is opaque as a whole stays locked."""
        there = frame.apply(np.repeat(self.alpha[..., None], 3, axis=2))[..., 0]
        inset = self.inset + math.ceil(_KERNEL * max(1.0, frame.scale))
        facts = {**self.facts, "frame": frame.to_json()}
        return replace(self, alpha=np.ascontiguousarray(there), facts=facts, inset=inset)

    def without(self, covered: NDArray[np.bool_]) -> ProductLock:
        """The lock less what a label covers."""
        return replace(self, alpha=np.where(covered, np.uint8(0), self.alpha).astype(np.uint8))

    def reading(self, screened: Image, delivered: Image, *, lossless: bool) -> LockReading:
        """The product of a file beside that of the screened picture."""
        measured = lock_measures(screened, delivered, self.alpha, inset=self.inset)
        bounds = bounds_of(strict=self.strict, lossless=lossless)
        return LockReading(measured, bounds, measured.beyond(bounds))

    def public(self, after: LockReading, scheme: Scheme | None) -> dict[str, Any]:
        """What the manifest says: the facts, the product's shape, what the file changed, where the watermark lies."""
        shape = record.packed(self.alpha)
        on = self._lies_on(scheme)
        said = {**self.facts, "strict": self.strict, "inset": self.inset, "after": after.to_json(), "watermark_on": on}
        return {**said, "shape": shape} if shape else said

    def evidence(self, after: LockReading, scheme: Scheme | None, ground: PureGround | None) -> dict[str, Any]:
        """The ledger's record of one file. `room` is the share of a watermark's cells that may lie beside a product."""
        on = self._lies_on(scheme)
        said: dict[str, Any] = {"strict": self.strict, "inset": self.inset, **after.to_json(), "watermark_on": on}
        if self.strict:
            said["room"] = round(watermark.room(self.beside(ground)), 4)
        return said

    def _lies_on(self, scheme: Scheme | None) -> str:
        """Where the watermark is: on the ground and the edge, on the whole picture, or nowhere."""
        return UNMARKED if scheme is None else "ground" if self.strict else "picture"
