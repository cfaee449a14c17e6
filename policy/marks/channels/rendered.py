"""Rendered picture: what one file shows, and every way to write it, best first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from policy.marks import watermark
from policy.marks.channels.channel import Channel
from policy.marks.channels.fit import frame_of
from policy.marks.channels.label import DrawnLabel, draw_label
from policy.marks.encode import CODINGS, Coding, codings_of
from policy.marks.locks.product_lock import ProductLock
from policy.marks.pure_ground import PureGround
from policy.marks.renditions import RENDITIONS
from policy.marks.watermark import Image, Scheme
from policy.marks.writers import Write


@dataclass(frozen=True, slots=True, eq=False)
class RenderedPicture:
    """What a file shows, and how it may be encoded."""

    name: str
    image: Image
    channel: Channel | None = None
    label: DrawnLabel | None = None
    lock: ProductLock | None = None

    @property
    def codings(self) -> Sequence[Coding]:
        return codings_of(self.channel) if self.channel else CODINGS[RENDITIONS[self.name]]

    @property
    def max_bytes(self) -> int:
        return (self.channel and self.channel.max_bytes) or sys.maxsize

    def rungs(self, marked: Write, ground: PureGround | None) -> Iterator[Rung]:
        """Every way to write this file, best first: a stronger watermark before a larger file.

        A pure ground is kept first: by a watermark beside it in a coding that leaves it alone, then by the watermark
        alone. Where the product cannot carry the watermark, the whole picture does. A strict lock keeps the watermark
        off the product: where the rest cannot carry it, there is none, if policy allows that.
        """
        schemes = watermark.ladder(self.image)
        reads = cache(partial(_reads, marked))
        nearest = self.codings if self.max_bytes < sys.maxsize else self.codings[::-1]
        if self.lock is not None and self.lock.strict:
            beside = [watermark.off_ground(scheme) for scheme in schemes]
            written: tuple[Scheme | None, ...] = (*beside, *((None,) if self.lock.unmarked else ()))
            steps = [(self.codings, True), (nearest, False)] if ground else [(self.codings, False)]
            for codings, keeps in steps:
                for scheme in written:
                    if scheme is None or reads(scheme):
                        yield from (Rung(scheme, coding, keeps) for coding in codings)
            return
        if ground:
            beside = [watermark.off_ground(scheme) for scheme in (schemes[::-1] if ground.leaves_little else schemes)]
            for codings, keeps in ((self.codings, True), (nearest, False)):
                yield from (Rung(scheme, coding, keeps) for coding in codings for scheme in beside if reads(scheme))
        yield from (Rung(scheme, coding, False) for coding in self.codings for scheme in schemes)


class Rung(NamedTuple):
    """One way to write a file. Without a scheme there is no watermark; `keeps`: a pure ground has to stay."""

    scheme: Scheme | None
    coding: Coding
    keeps: bool


def for_channel(
    channel: Channel, image: Image, declared: str, language: str, lock: ProductLock | None = None
) -> RenderedPicture:
    """The picture fitted to a channel and labelled, with the lock of its product there."""
    frame = frame_of(image, channel)
    fitted = frame.apply(image, channel.background)
    there = lock.fitted(frame) if lock else None
    if channel.label is None:
        return RenderedPicture(channel.name, fitted, channel, lock=there)
    labelled, label = draw_label(fitted, channel.label, declared, language)
    if there:  # the label covers what it covers; the rest of the product stays locked
        there = there.without(np.any(labelled != fitted, axis=2))
    return RenderedPicture(channel.name, labelled, channel, label, there)


def _reads(marked: Write, scheme: Scheme) -> bool:
    """Whether this scheme reads before any coding: a product that is too small for it carries none."""
    found = watermark.read(marked(scheme))
    return found is not None and found.scheme == scheme
