"""Binary descriptors: a local feature in 64 bits. Near descriptors share most bits, unrelated ones half of them.

An index looks descriptors up by their parts, the visual words. Descriptors crowd: all edges resemble each other. So
each is transformed to frequencies (cosines over its 4 x 4 cells, Fourier over its 8 angles), the mean is removed, the
64 widest of the 128 are scaled to one spread and mixed by a Hadamard matrix; the bits are signs. A word of 21 such bits
carries as much information as 15 fair coins; signs of the raw descriptor carried 12.

Mean and spread were measured once on 18,000 descriptors of bench.pictures.gallery. They must never change: pictures
that were indexed before must still be found. Pure.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from policy.identify.features import DESCRIPTOR, Features, Floats

BinaryDescriptors = NDArray[np.uint64]

DESCRIPTOR_BITS = 64
# How many codes of a picture the index keeps, strongest first: 512 bytes a picture.
DESCRIPTORS_KEPT = 64

# Thousandths of a unit descriptor, cell by cell, and of its frequencies in the order of `_frequencies`.
_MEAN = (
    *(70, 63, 59, 52, 49, 36, 38, 47, 125, 88, 59, 44, 40, 35, 44, 73),
    *(128, 78, 45, 35, 37, 39, 52, 84, 71, 47, 35, 35, 43, 46, 52, 60),
    *(89, 66, 58, 57, 61, 46, 45, 57, 168, 100, 60, 52, 52, 43, 49, 93),
    *(172, 99, 50, 42, 47, 47, 55, 97, 91, 56, 40, 44, 54, 52, 52, 63),
    *(88, 55, 43, 46, 61, 57, 59, 68, 167, 92, 49, 43, 52, 52, 61, 101),
    *(172, 96, 54, 47, 47, 42, 50, 99, 90, 63, 52, 52, 54, 43, 40, 56),
    *(69, 46, 37, 36, 49, 51, 58, 64, 124, 72, 43, 35, 41, 44, 59, 89),
    *(127, 83, 52, 39, 37, 35, 45, 78, 70, 60, 52, 46, 44, 35, 36, 47),
)
_SPREAD = (
    *(98, 204, 165, 135, 94, 68, 48, 53, 102, 163, 94, 103, 77, 48, 39, 30),
    *(65, 125, 58, 79, 47, 42, 27, 24, 26, 101, 28, 35, 31, 23, 16, 17),
    *(77, 79, 154, 92, 87, 40, 43, 24, 50, 84, 93, 58, 65, 32, 33, 18),
    *(31, 70, 63, 49, 48, 24, 28, 15, 21, 45, 29, 24, 30, 16, 16, 10),
    *(57, 47, 99, 54, 48, 26, 25, 16, 33, 53, 75, 44, 38, 24, 22, 14),
    *(33, 44, 50, 27, 31, 18, 17, 12, 17, 52, 25, 21, 20, 15, 11, 11),
    *(26, 22, 68, 31, 37, 15, 21, 11, 19, 22, 48, 23, 26, 13, 15, 9),
    *(18, 21, 50, 20, 26, 11, 15, 9, 17, 19, 19, 12, 16, 12, 10, 10),
)


def binary_descriptors(found: Features, *, most: int | None = None) -> BinaryDescriptors:
    """64 bits for each feature, in their order."""
    return pack(projections(found.descriptors[:most]))


def projections(descriptors: Floats) -> Floats:
    """The numbers whose signs are the bits, [N, 64]. The size of a number is the certainty of its bit."""
    return np.asarray((descriptors - _CENTRE) @ _PROJECTION, np.float32)


def pack(projected: Floats) -> BinaryDescriptors:
    """The signs of [N, 64] numbers as one number each; bit 0 comes first."""
    bits = np.packbits(projected > 0, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view(np.uint64).ravel()


def _projection() -> Floats:
    """[128, 64]: the widest frequencies, scaled to one spread and mixed."""
    spread = np.array(_SPREAD) / 1000
    widest = np.argsort(-spread, kind="stable")[:DESCRIPTOR_BITS]
    evened = _frequencies()[widest].T / spread[widest]
    return np.ascontiguousarray(evened @ _mixing(), np.float32)


def _frequencies() -> NDArray[np.float64]:
    """An orthonormal basis [128, 128] of descriptors: row (a, b, c) is cosine a by cosine b over the cells, wave c."""
    cells = np.arange(4)
    cosines = np.sqrt(np.where(cells[:, None], 0.5, 0.25)) * np.cos(np.pi / 4 * np.outer(cells, cells + 0.5))
    turn = 2 * np.pi * np.arange(8) / 8
    waves = [np.full(8, 8**-0.5)]
    waves += [part(k * turn) / 2 for k in (1, 2, 3) for part in (np.cos, np.sin)]
    waves += [np.cos(4 * turn) / 8**0.5]
    basis = np.einsum("ai,bj,ck->abcijk", cosines, cosines, np.array(waves))
    return np.asarray(basis.reshape(DESCRIPTOR, DESCRIPTOR), np.float64)


def _mixing() -> NDArray[np.float64]:
    """A Hadamard matrix with fixed random signs of its rows: every bit depends on every frequency."""
    matrix = np.ones((1, 1))
    while len(matrix) < DESCRIPTOR_BITS:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    drawn = np.frombuffer(hashlib.shake_256(b"presswork local codes 2").digest(DESCRIPTOR_BITS), np.uint8)
    return matrix * np.where(drawn & 1, 1, -1)[:, None]


_CENTRE = np.array(_MEAN, np.float32) / np.float32(1000)
_PROJECTION = _projection()
