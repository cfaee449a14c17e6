"""invisible-watermark's two methods as they are used beside ours: marks by the library itself, reads by its arithmetic.

Its decoder walks over blocks in Python: 50 to 250 ms a read, hours for the attack table. Here the same numbers are
computed for all blocks at once; tests/house/test_bench_library.py holds every bit against the library's own decoder.
"""

from __future__ import annotations

import cv2
import numpy as np
from imwatermark import WatermarkEncoder

from policy.fingerprints import Image
from policy.marks import payload

METHODS = ("dwtDctSvd", "dwtDct")
SMALLEST_AREA = 256 * 256  # it refuses smaller pictures
_STEP = 36.0  # its quantisation step


def marked(image: Image, watermark_id: int, method: str) -> Image:
    """The picture with the mark that the library writes; as it was where the library refuses."""
    if image.shape[0] * image.shape[1] < SMALLEST_AREA:
        return image
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.encode(watermark_id).tolist())
    written = encoder.encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), method)
    return np.asarray(cv2.cvtColor(written, cv2.COLOR_BGR2RGB), np.uint8)


def read(image: Image, method: str) -> int | None:
    """The id that the library's bits of this picture stand for, through our own code."""
    bits = read_bits(image, method)
    found = None if bits is None else payload.decode(bits)
    return None if found is None else found.watermark_id


def read_bits(image: Image, method: str) -> payload.Bits | None:
    """The 127 bits that WatermarkDecoder("bits", 127) gives; None where it has fewer blocks than bits or refuses."""
    if image.shape[0] * image.shape[1] < SMALLEST_AREA:
        return None
    blocks = _blocks(image)
    if len(blocks) < payload.CODE_BITS:
        return None
    values = _largest_singular(blocks) if method == "dwtDctSvd" else _largest_of_rest(blocks)
    scores = (values % _STEP) > _STEP * 0.5
    places = np.arange(len(scores)) % payload.CODE_BITS
    mean = np.bincount(places, scores) / np.bincount(places)
    return (mean * 255 > 127).astype(np.uint8)


def _blocks(image: Image) -> np.ndarray:
    """Haar LL of the U plane in blocks of 4 x 4, row by row [N, 4, 4]."""
    rows, columns = (side // 4 * 4 for side in image.shape[:2])
    plane = cv2.cvtColor(image, cv2.COLOR_RGB2YUV)[:rows, :columns, 1].astype(np.float64)
    low = plane.reshape(rows // 2, 2, columns // 2, 2).sum(axis=(1, 3)) / 2
    down, across = low.shape[0] // 4, low.shape[1] // 4
    cut = low[: down * 4, : across * 4].reshape(down, 4, across, 4)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3).reshape(-1, 4, 4))


def _largest_singular(blocks: np.ndarray) -> np.ndarray:
    """The DCT that the library takes first is orthonormal and leaves singular values as they are."""
    return np.sqrt(np.linalg.eigvalsh(blocks.transpose(0, 2, 1) @ blocks)[:, -1])


def _largest_of_rest(blocks: np.ndarray) -> np.ndarray:
    """The largest number of each block but for its first, whichever its sign."""
    return np.asarray(np.abs(blocks.reshape(-1, 16)[:, 1:]).max(axis=1))
