"""Reference reader: the decoder of invisible-watermark itself, unchanged.

An independent check of our watermark. It takes a hundred times as long as ours, and importing it loads torch (seconds,
250 MB), so only `presswork marks read --reference` and the tests use it.
"""

from __future__ import annotations

import cv2
import numpy as np
from imwatermark.dwtDctSvd import EmbedDwtDctSvd

from policy.marks import payload
from policy.marks.watermark import OFF_GROUND, SCHEMES, Image, Scheme, WatermarkReading, places, voting_cells


def read(image: Image) -> WatermarkReading | None:
    """The watermark as the library reads it from this RGB picture resized to each grid, or None."""
    for scheme in (*SCHEMES, *OFF_GROUND):
        found = payload.decode(read_bits(image, scheme), correct=scheme.correctable_bits)
        if found is not None:
            return WatermarkReading(found.watermark_id, scheme, found.bit_errors)
    return None


def read_bits(image: Image, scheme: Scheme) -> payload.Bits:
    """The 127 bits that the library reads, uncorrected.

    Its entry point (WatermarkDecoder) refuses pictures under 256 x 256, so the method's own class is called. Off the
    ground, whose order of bits the library does not know, it reads each cell by itself and the cells are counted here.
    """
    shrinks = min(image.shape[:2]) >= scheme.grid
    small = cv2.resize(image, (scheme.grid, scheme.grid), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    length = (scheme.grid // 8) ** 2 if scheme.off_ground else payload.CODE_BITS
    decoder = EmbedDwtDctSvd(wmLen=length, scales=[0, scheme.step, 0])
    bits = np.asarray(decoder.decode(cv2.cvtColor(small, cv2.COLOR_RGB2BGR)), np.uint8)
    if not scheme.off_ground:
        return bits
    votes = (2.0 * bits - 1) * voting_cells(np.asarray(small, np.uint8))
    return (np.bincount(places(scheme), votes, payload.CODE_BITS) > 0).astype(np.uint8)
