"""The ways to look at a found picture: as it is, mirrored, turned, and boxes in it that may be pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from policy.fingerprints import Image, turned, turned_hashes
from policy.identify.features import Features, features
from policy.identify.regions import regions
from policy.marks import watermark
from policy.marks.watermark import Reading

MIRRORED = 1  # the turn that mirrors left and right; features do not see the others


@dataclass(frozen=True, slots=True)
class Hashed:
    """One hash of the query, and what to do to the query to get the picture it is of."""

    hash: bytes
    view: int  # 0 the whole picture, 1.. a region
    turn: int


@dataclass(frozen=True, slots=True)
class Blind:
    """A mark that read by itself, and the view it was read from: its frame is that of the original."""

    reading: Reading
    view: int
    turn: int

    @property
    def where(self) -> str:
        return "region" if self.view else "turned" if self.turn else "whole"


class Views:
    """A found picture and its views, each made when it is asked for and kept. One thread."""

    def __init__(self, whole: Image) -> None:
        self.whole = whole
        self._features: dict[int, Features] = {}

    @cached_property
    def images(self) -> list[Image]:
        """The whole picture, then its regions, largest first."""
        return [self.whole, *(region.of(self.whole) for region in regions(self.whole))]

    @cached_property
    def hashes(self) -> list[Hashed]:
        """Every turn of the whole picture and of its largest region; of further regions as they are and mirrored."""
        hashed = []
        for view, image in enumerate(self.images):
            turns = range(8) if view <= 1 else (0, MIRRORED)
            every = turned_hashes(image)
            hashed += [Hashed(every[turn], view, turn) for turn in turns]
        return hashed

    def turned(self, view: int, turn: int) -> Image:
        return turned(self.images[view], turn) if turn else self.images[view]

    def features(self, turn: int) -> Features:
        """Of the whole picture, upright (0) or mirrored (1)."""
        if turn not in self._features:
            self._features[turn] = features(self.turned(0, turn))
        return self._features[turn]

    def read_blind(self) -> Blind | None:
        """The first mark that reads by itself, and where."""
        for view, image in enumerate(self.images):
            for turn in range(8) if view == 0 else (0, MIRRORED):
                found = watermark.read(turned(image, turn) if turn else image)
                if found is not None:
                    return Blind(found, view, turn)
        return None
