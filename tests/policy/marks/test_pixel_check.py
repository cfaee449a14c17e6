"""Pixel check before release: a file that shows something else than what was screened does not leave."""

from __future__ import annotations

import numpy as np
import pytest

from policy.marks import pixel_check, watermark
from policy.marks.encode import CODINGS, decode, encode
from tests.support.pictures import jpeg, product, texture

IMAGE = product(256, 256)


@pytest.mark.parametrize("image", [IMAGE, texture(300, 200), texture(64, 64)], ids=["product", "texture", "small"])
def test_a_marked_copy_is_near_in_every_everyday_coding(image):
    marked = watermark.embed(image, 5, watermark.ladder(image)[0])
    for media_type, codings in CODINGS.items():
        pixels = decode(encode(marked, codings[0], b""), media_type)
        assert pixel_check.compare(image, pixels, lossless=codings[0].lossless).too_far == ""


def patched(image, side, by):
    copy = image.astype(int)
    copy[40 : 40 + side, 40 : 40 + side] += by
    return np.clip(copy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("lossless", [True, False])
def test_a_small_patch_of_something_else_is_too_far(lossless):
    assert pixel_check.compare(IMAGE, patched(IMAGE, 8, -90), lossless=lossless).too_far.startswith(
        "pixels are" if lossless else "means of 4 x 4 pixels are"
    )


@pytest.mark.parametrize("lossless", [True, False])
def test_a_slight_change_everywhere_is_too_far(lossless):
    darker = np.clip(IMAGE.astype(int) - 10, 0, 255).astype(np.uint8)
    seen = pixel_check.compare(IMAGE, darker, lossless=lossless)
    assert "dB" in seen.too_far
    assert seen.max_shift == 10


def test_a_coarse_jpeg_is_too_far_for_a_lossless_file_only():
    rough = jpeg(texture(256, 256), 40)
    assert pixel_check.compare(texture(256, 256), rough, lossless=True).too_far
    assert pixel_check.compare(IMAGE, IMAGE[:, ::-1].copy(), lossless=False).too_far


def test_another_size_is_too_far():
    assert "decodes to (128, 256, 3)" in pixel_check.compare(IMAGE, IMAGE[:128], lossless=True).too_far
