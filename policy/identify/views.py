"""Views of a query picture: as it is, mirrored, turned, and boxes inside it that may be pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image, turned, turned_hashes
from policy.identify.features import ENOUGH_FEATURES, Features, features, mirrored
from policy.identify.regions import Region, regions
from policy.identify.register import searched_luma
from policy.marks import watermark
from policy.marks.watermark import WatermarkReading

MIRRORED = 1  # the turn that mirrors left and right; features do not see the others


@dataclass(frozen=True, slots=True)
class HashedView:
    """One hash of the query, and the view and turn that it was computed from."""

    hash: bytes
    view: int  # 0 the whole picture, 1.. a region
    turn: int


@dataclass(frozen=True, slots=True)
class BlindRead:
    """A watermark that was read blind, and the view it was read from; that view's frame is the original's."""

    reading: WatermarkReading
    view: int
    turn: int

    @property
    def where(self) -> str:
        return "region" if self.view else "turned" if self.turn else "whole"


class Views:
    """A query picture and its views, each computed on first use and kept. For one thread."""

    def __init__(self, whole: Image) -> None:
        self.whole = whole
        self._features: dict[int, Features] = {}
        self._small: dict[int, Image] = {}

    def hash(self, view: int, turn: int) -> bytes:
        """The hash of one view, so turned."""
        return turned_hashes(self.images[view] if view else self.whole)[turn]

    @cached_property
    def regions(self) -> list[Region]:
        """Boxes in the picture that may be pictures, largest first."""
        return regions(self.whole)

    @cached_property
    def images(self) -> list[Image]:
        """The whole picture, then its regions."""
        return [self.whole, *(region.of(self.whole) for region in self.regions)]

    def corner(self, view: int, turn: int) -> tuple[int, int]:
        """The position of a region's upper left corner in the whole picture, both turned alike."""
        region = self.regions[view - 1]
        across, down = self.whole.shape[1], self.whole.shape[0]
        left, top, right, bottom = region.left, region.top, region.right, region.bottom
        if turn & 4:
            left, top, right, bottom, across, down = top, left, bottom, right, down, across
        return (across - right if turn & 1 else left), (down - bottom if turn & 2 else top)

    def placed(self, corners: NDArray[np.float64], view: int, turn: int) -> tuple[tuple[float, float], ...]:
        """Points of a turned view [N, 2], in pixels, as shares of the whole query's width and height, upright."""
        image = self.images[view] if view else self.whole
        across, down = image.shape[1], image.shape[0]
        if turn & 4:
            across, down = down, across
        x, y = corners[:, 0], corners[:, 1]
        x, y = across - x if turn & 1 else x, down - y if turn & 2 else y
        if turn & 4:
            x, y = y, x
        left, top = (self.regions[view - 1].left, self.regions[view - 1].top) if view else (0, 0)
        height, width = self.whole.shape[:2]
        return tuple((float(a), float(b)) for a, b in zip((x + left) / width, (y + top) / height, strict=True))

    @cached_property
    def hashes(self) -> list[HashedView]:
        """Every turn of the whole picture and of its largest region; further regions as they are and mirrored."""
        hashed = []
        for view, image in enumerate(self.images):
            turns = range(8) if view <= 1 else (0, MIRRORED)
            every = turned_hashes(image)
            hashed += [HashedView(every[turn], view, turn) for turn in turns]
        return hashed

    def turned(self, view: int, turn: int) -> Image:
        image = self.images[view] if view else self.whole
        return turned(image, turn) if turn else image

    def small(self, view: int, turn: int) -> Image:
        """Luma of a view, so turned, for `register.by_search`; computed once for all candidates."""
        if view not in self._small:
            self._small[view] = searched_luma(self.images[view])
        return turned(self._small[view], turn)

    def features(self, turn: int) -> Features:
        """Features of the whole picture, upright (0) or mirrored (1)."""
        if turn not in self._features:
            self._features[turn] = mirrored(self.features(0)) if turn == MIRRORED else features(self.whole)
        return self._features[turn]

    def low_texture(self) -> list[int]:
        """Of the whole picture and its largest region, those with too few features."""
        found = [0] if len(self.features(0)) < ENOUGH_FEATURES else []
        if self.regions and len(features(self.images[1], most=ENOUGH_FEATURES)) < ENOUGH_FEATURES:
            found.append(1)
        return found

    def read_blind(self) -> BlindRead | None:
        """The first watermark that reads blind, and where."""
        found = watermark.read_turned(self.whole, range(8))
        if found is not None:
            return BlindRead(found[0], 0, found[1])
        for view, image in enumerate(self.images[1:], start=1):
            found = watermark.read_turned(image, (0, MIRRORED))
            if found is not None:
                return BlindRead(found[0], view, found[1])
        return None
