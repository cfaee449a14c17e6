"""Watermark decoder of the bench against the library's own: what both read is the same, bit by bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from imwatermark import WatermarkDecoder

from bench.pictures import library
from bench.pictures.artworks import artwork
from bench.pictures.scenes import scene
from policy.marks import payload


@pytest.mark.parametrize("method", library.METHODS)
@pytest.mark.parametrize("image", [scene(0)[:350, :413], scene(7)[:301, :298], artwork(6)[:260, :390]])
def test_the_bench_reads_what_the_library_reads(method: str, image: np.ndarray) -> None:
    """Values exactly half a step up fall either way by rounding; in these pictures none of them decides a bit."""
    written = library.marked(np.ascontiguousarray(image), 0xC0FFEE, method)
    _, jpeg = cv2.imencode(".jpg", written, [cv2.IMWRITE_JPEG_QUALITY, 80])
    for each in (written, np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)):
        decoder = WatermarkDecoder("bits", payload.CODE_BITS)
        theirs = np.array(decoder.decode(cv2.cvtColor(each, cv2.COLOR_RGB2BGR), method), np.uint8)
        ours = library.read_bits(each, method)
        assert ours is not None
        assert np.array_equal(ours, theirs)


def test_what_the_library_refuses_is_no_read() -> None:
    small = scene(0)[:200, :200]
    assert library.marked(small, 1, "dwtDct") is small
    assert library.read(small, "dwtDctSvd") is None
