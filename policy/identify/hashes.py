"""Hash index: perceptual hashes by number, compared with every query; exact for few, prefiltered for many.

Above EXACT_ROWS a row is compared whole only if the first 64 of its 256 bits, the lowest frequencies, are near. Where
bits differ equally everywhere, of two hashes that differ in 56 bits one in 700 is missed, in 64 one in 100, and in 72
one in 25. Two threads share the work, which holds no lock. It grows at the end. Only one thread may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import HASH_BYTES

EXACT_ROWS = 200_000
_NEAR_HEAD = 24  # of 64 bits; unrelated ones differ in 32, with a spread of 4
_CHUNK = 1 << 15  # rows worked on at once: what stays in a processor's cache


_THREADS = 2

Found = tuple[NDArray[np.int64], NDArray[np.int64]]  # distances and places


@dataclass(frozen=True, slots=True)
class HashMatch:
    """A candidate by hash: its number, the distance, and which of the query's hashes found it."""

    number: int
    distance: int
    query: int


class Hashes:
    """Rows of HASH_BYTES. A fixed number of consecutive rows belongs to one number."""

    def __init__(self, rows_each: int) -> None:
        self._each = rows_each
        self._room = np.empty((1024, HASH_BYTES // 8), np.uint64)
        self._heads = np.empty(1024, np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count // self._each

    def add(self, rows: NDArray[np.uint8]) -> None:
        """Add hashes [N, 32]. The allocation doubles, so that adding stays cheap."""
        wanted = self._count + len(rows)
        if wanted > len(self._room):
            size = max(wanted, 2 * len(self._room))
            room, heads = np.empty((size, HASH_BYTES // 8), np.uint64), np.empty(size, np.uint64)
            room[: self._count], heads[: self._count] = self._room[: self._count], self._heads[: self._count]
            self._room, self._heads = room, heads
        words = np.ascontiguousarray(rows).view(np.uint64)
        self._room[self._count : wanted] = words
        self._heads[self._count : wanted] = words[:, 0]
        self._count = wanted

    def nearest(self, hashes: Sequence[bytes], *, most: int) -> list[HashMatch]:
        """The numbers whose hash is nearest to any of these, each once, nearest first."""
        if not self._count or not hashes:
            return []
        asked = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, HASH_BYTES // 8)
        exact = self._count <= EXACT_ROWS
        found = self._compared(asked, most) if exact else self._filtered(asked, most)
        best: dict[int, HashMatch] = {}
        for query, (distances, places) in enumerate(found):
            for apart, place in zip(distances.tolist(), places.tolist(), strict=True):
                number = place // self._each
                if number not in best or apart < best[number].distance:
                    best[number] = HashMatch(number, int(apart), query)
        return sorted(best.values(), key=lambda near: (near.distance, near.number))[:most]

    def _compared(self, asked: NDArray[np.uint64], most: int) -> list[Found]:
        rows = self._room[: self._count].view(np.uint8)
        distances, places = cv2.batchDistance(
            np.ascontiguousarray(asked).view(np.uint8),
            rows,
            cv2.CV_32S,
            normType=cv2.NORM_HAMMING,
            K=min(most, len(rows)),
        )
        return list(zip(distances.astype(np.int64), places.astype(np.int64), strict=True))

    def _filtered(self, asked: NDArray[np.uint64], most: int) -> list[Found]:
        """Each chunk is compared with all query hashes while it is in the cache."""
        spans = [(start, min(start + _CHUNK, self._count)) for start in range(0, self._count, _CHUNK)]
        with ThreadPoolExecutor(_THREADS) as threads:
            halves = list(threads.map(lambda n: self._heads_near(asked, spans[n::_THREADS]), range(_THREADS)))
            kept = [np.concatenate([places for half in halves for places in half[n]]) for n in range(len(asked))]
            return list(threads.map(lambda n: self._near(asked[n], kept[n], most), range(len(asked))))

    def _heads_near(self, asked: NDArray[np.uint64], spans: Sequence[tuple[int, int]]) -> list[list[NDArray[np.int64]]]:
        kept: list[list[NDArray[np.int64]]] = [[] for _ in asked]
        apart, bits = np.empty(_CHUNK, np.uint64), np.empty(_CHUNK, np.uint8)
        for start, end in spans:
            for places, hash in zip(kept, asked, strict=True):
                np.bitwise_xor(self._heads[start:end], hash[0], out=apart[: end - start])
                np.bitwise_count(apart[: end - start], out=bits[: end - start])
                places.append(np.flatnonzero(bits[: end - start] <= _NEAR_HEAD) + start)
        return kept

    def _near(self, asked: NDArray[np.uint64], places: NDArray[np.int64], most: int) -> Found:
        distances = np.bitwise_count(self._room[places] ^ asked).sum(axis=1, dtype=np.int64)
        if len(places) > most:
            nearest = np.argpartition(distances, most)[:most]
            distances, places = distances[nearest], places[nearest]
        return distances, places
