"""Index in memory of all released pictures: returns candidates that look like a query, best first. Decides nothing.

It is exact and flat, and grows while it is used. It has two parts:

- Hashes of whole pictures and of their fixed crops. Every one is compared with every hash of the query.
- Visual words: each binary descriptor is cut into three words of 21 bits, and words are looked up. A word that differs
  only in the bits of which the query is least sure is looked up too. Each hit is a vote for its picture. A vote weighs
  less the more pictures share the word.

A picture takes 1,728 bytes: 192 for hashes, 1,536 for words. The index is lost with the process and built again from
the table of fingerprints. Only one thread may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import CROPS, HASH_BYTES, Fingerprint, Image
from policy.identify.descriptors import DESCRIPTORS_KEPT, BinaryDescriptors, pack
from policy.identify.features import Floats
from policy.identify.hashes import Hashes, HashMatch
from policy.identify.low_texture import LowTextureIndex, PartialMatch

WORDS = 3
WORD_BITS = 21
_WORD_MASK = np.uint64((1 << WORD_BITS) - 1)
# So many least sure bits of a word are tried both ways: 16 words for one.
_UNSURE_BITS = 4
# A query hears so many votes of a segment, those of the rarest words: what many hold (plain edges and corners) says
# little, and would take most of the time.
_MOST_HITS = 300_000
# Segments are merged when there are more: each costs a lookup.
_SEGMENTS = 12
_LARGE = 4_000_000  # keys


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One picture for the index: its place is the order in which it came."""

    fingerprint: Fingerprint
    descriptors: BinaryDescriptors
    thumbnail: bytes = b""  # of a low-texture picture (policy/identify/low_texture.py)


@dataclass(frozen=True, slots=True)
class VoteMatch:
    """A candidate by visual words: its number in the index and its votes."""

    number: int
    votes: int


class Index:
    """Fingerprints by number, 0 and up, in the order in which they were added."""

    def __init__(self) -> None:
        self._wholes = Hashes(1)
        self._crops = Hashes(len(CROPS))
        self._segments: list[_Segment] = []
        self._low_texture = LowTextureIndex()

    def __len__(self) -> int:
        return len(self._wholes)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Take in pictures; their numbers follow those that are there."""
        self._low_texture.add(range(len(self), len(self) + len(entries)), [entry.thumbnail for entry in entries])
        wholes = b"".join(entry.fingerprint.whole for entry in entries)
        crops = b"".join(crop for entry in entries for crop in entry.fingerprint.crops)
        owners = np.repeat(
            np.arange(len(entries)), [min(len(entry.descriptors), DESCRIPTORS_KEPT) for entry in entries]
        )
        descriptors = [entry.descriptors[:DESCRIPTORS_KEPT] for entry in entries]
        self.add_rows(
            np.frombuffer(wholes, np.uint8).reshape(-1, HASH_BYTES),
            np.frombuffer(crops, np.uint8).reshape(-1, HASH_BYTES),
            np.concatenate(descriptors) if descriptors else np.zeros(0, np.uint64),
            owners,
        )

    def add_rows(
        self,
        wholes: NDArray[np.uint8],
        crops: NDArray[np.uint8],
        descriptors: BinaryDescriptors,
        owners: NDArray[np.int64],
    ) -> None:
        """The same from arrays: hashes [N, 32], crops [N * 5, 32], descriptors [M] and the row each belongs to."""
        first = len(self)
        self._wholes.add(wholes)
        self._crops.add(crops)
        words = (
            np.stack([_word(descriptors, place) for place in range(WORDS)])
            if len(descriptors)
            else np.zeros((3, 0), np.uint64)
        )
        places = np.arange(WORDS, dtype=np.uint64)[:, None] << np.uint64(WORD_BITS)
        keys = (words | places) << np.uint64(32) | (owners + first).astype(np.uint64)
        self._segments.append(_Segment.of(keys.ravel()))
        while len(self._segments) > 1 and (
            len(self._segments) > _SEGMENTS or len(self._segments[-2].keys) <= 2 * len(self._segments[-1].keys)
        ):
            last = self._segments.pop()
            self._segments[-1] = _Segment.of(np.concatenate([self._segments[-1].keys, last.keys]))

    def nearest(self, hashes: Sequence[bytes], *, most: int) -> list[HashMatch]:
        """The pictures whose whole hash is nearest to any of these, each once, nearest first."""
        return self._wholes.nearest(hashes, most=most)

    def nearest_crops(self, hashes: Sequence[bytes], *, most: int) -> list[HashMatch]:
        """The same among the hashes of crops."""
        return self._crops.nearest(hashes, most=most)

    def nearest_low_texture(self, images: Sequence[Image], *, most: int) -> list[PartialMatch]:
        """The parts of low-texture pictures that look most like one of these ones."""
        return self._low_texture.nearest(images, most=most)

    def voted(self, projected: Floats, *, most: int) -> list[VoteMatch]:
        """Pictures that share most visual words with the query's features [N, 64], the largest sum of votes first."""
        if not len(self) or not len(projected):
            return []
        wanted = _wanted(projected)
        found = [_owners(segment, wanted) for segment in self._segments]
        owners = np.concatenate([each for each, _ in found])
        weights = np.bincount(owners, np.concatenate([each for _, each in found]), len(self))
        heard = np.flatnonzero(weights)
        most = min(most, len(heard))
        best = heard[np.argpartition(-weights[heard], most - 1)[:most]] if most else heard
        best = best[np.argsort(-weights[best], kind="stable")]
        votes = np.bincount(owners, minlength=len(self))
        return [VoteMatch(int(number), int(votes[number])) for number in best if votes[number] > 1]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Words with their owners, sorted; of a large one also where each word begins, so that none is searched for."""

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64] | None

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> _Segment:
        ordered = np.sort(keys)
        if len(ordered) < _LARGE:
            return cls(ordered, None)
        counts = np.bincount((ordered >> np.uint64(32)).astype(np.int64), minlength=WORDS << WORD_BITS)
        return cls(ordered, np.concatenate([[0], np.cumsum(counts)]))

    def found(self, wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the keys of each word begin, and how many there are."""
        if self.starts is not None:
            words = wanted.astype(np.int64)
            return self.starts[words], self.starts[words + 1] - self.starts[words]
        low = np.searchsorted(self.keys, wanted << np.uint64(32))
        return low, np.searchsorted(self.keys, (wanted + np.uint64(1)) << np.uint64(32)) - low


def _word(descriptors: BinaryDescriptors, place: int) -> NDArray[np.uint64]:
    return np.asarray(descriptors >> np.uint64(place * WORD_BITS) & _WORD_MASK, np.uint64)


def _wanted(projected: Floats) -> NDArray[np.uint64]:
    """Every key to look up: the query's words, and those that differ in their least sure bits."""
    descriptors = pack(projected)
    sure = np.abs(projected)
    wanted = []
    flips = np.arange(1 << _UNSURE_BITS, dtype=np.uint64)
    for place in range(WORDS):
        weakest = np.argpartition(sure[:, place * WORD_BITS : (place + 1) * WORD_BITS], _UNSURE_BITS)[:, :_UNSURE_BITS]
        masks = np.zeros((len(descriptors), len(flips)), np.uint64)
        for bit in range(_UNSURE_BITS):
            on = flips >> np.uint64(bit) & np.uint64(1)
            masks |= on[None, :] << weakest[:, bit, None].astype(np.uint64)
        words = _word(descriptors, place)[:, None] ^ masks
        wanted.append((words | np.uint64(place << WORD_BITS)).ravel())
    return np.unique(np.concatenate(wanted))


def _owners(segment: _Segment, wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], Floats]:
    """Whose descriptors have one of these words, and what each vote weighs; the words that most have are left out."""
    low, count = segment.found(wanted)
    rarest = np.argsort(count, kind="stable")
    rarest = rarest[(count[rarest] > 0) & (np.cumsum(count[rarest]) <= _MOST_HITS)]
    low, count = low[rarest], count[rarest]
    steps = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    owners = segment.keys[np.repeat(low, count) + steps] & np.uint64(0xFFFFFFFF)
    return np.asarray(owners, np.int64), np.repeat(np.float32(1) / count.astype(np.float32), count)
