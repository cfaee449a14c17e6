"""Informed watermark read: which of some known ids a picture carries, where too many bits are wrong for a blind read.

A caller with known ids (a candidate found by content, a picture registered to its original) asks how well each id
explains the bits. A random word is within 22 of 127 bits of one given id with probability 1.8e-14: over ten million
candidates 1.8e-7 false matches a picture. Where a crop lost cells, fewer bits are known and fewer may be wrong, at the
same probability. An id found this way says nothing about the content. A caller that answers "verified" must have found
the same asset by its picture too, so that a watermark moved to another picture is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from policy.marks import payload

Soft = NDArray[np.float32]

# Of 127 bits 22 may be wrong: 1.83e-14.
MAX_FALSE_PROBABILITY = 1.9e-14


@dataclass(frozen=True, slots=True)
class Match:
    """The id that explains the bits best, the number of known bits, and how many of those are wrong."""

    watermark_id: int
    bit_errors: int
    bits_heard: int

    @property
    def false_probability(self) -> float:
        """The probability that random bits come as near to one given id.

        For a search, multiply by the number of candidates.
        """
        return false_probability(self.bit_errors, self.bits_heard)


def match(soft: Soft, ids: Sequence[int], *, at_most: float = MAX_FALSE_PROBABILITY) -> Match | None:
    """The nearest of these ids, or None if a random word comes as near with a probability above `at_most`.

    `soft` is watermark.soft_bits [127]: above zero stands for 1, the size is the certainty, exactly zero is an unknown
    bit. The certainty of the bits decides between ids; the number of wrong bits decides whether an id is accepted.
    """
    if not len(ids):
        return None
    soft = np.asarray(soft, np.float32)
    codewords = encode_all(ids)
    nearest = int(np.argmax((codewords.astype(np.float32) * 2 - 1) @ soft))
    heard = soft != 0
    wrong = int(np.count_nonzero((codewords[nearest] != (soft > 0)) & heard))
    found = Match(int(ids[nearest]), wrong, int(np.count_nonzero(heard)))
    return found if found.false_probability <= at_most else None


def false_probability(bit_errors: int, bits_heard: int) -> float:
    """The probability that at most `bit_errors` of `bits_heard` fair coins fall wrong."""
    near: int = sum(math.comb(bits_heard, wrong) for wrong in range(bit_errors + 1))
    return near / (1 << bits_heard)


def encode_all(ids: Sequence[int]) -> NDArray[np.uint8]:
    """payload.encode of each id, [N, 127], in one product: the code is linear but for a constant word."""
    if any(not 0 <= watermark_id < 1 << payload.ID_BITS for watermark_id in ids):
        raise ValueError(f"a watermark id has {payload.ID_BITS} bits")
    rows, constant = _generator_matrix()
    shifts = np.arange(payload.ID_BITS, dtype=np.uint64)
    bits = (np.asarray(ids, np.uint64)[:, None] >> shifts & np.uint64(1)).astype(np.uint8)
    # A sum of at most 48 ones fits a byte, and only its last bit counts.
    return ((bits @ rows & 1) ^ constant).astype(np.uint8)


@lru_cache(maxsize=1)
def _generator_matrix() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The change that each bit of an id makes in its codeword, [48, 127], and the codeword of 0."""
    constant = payload.encode(0)
    rows = [payload.encode(1 << place) ^ constant for place in range(payload.ID_BITS)]
    return np.stack(rows).astype(np.uint8), constant
