"""Perceptual hash: the same for copies, far for others, and turned as the picture is turned."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from policy.fingerprints import (
    CROPS,
    HASH_BYTES,
    MIN_QUALITY,
    Image,
    cut,
    distance,
    fingerprint,
    perceptual_hash,
    turned,
    turned_hashes,
)


def scene(seed: int, height: int = 300, width: int = 420) -> Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 12, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


MILD = {
    "jpeg 30": lambda image: jpeg(image, 30),
    "jpeg 75": lambda image: jpeg(image, 75),
    "half size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "double size": lambda image: cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR),
    "squeezed": lambda image: cv2.resize(image, (300, 300), interpolation=cv2.INTER_AREA),
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=0.8, beta=40),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 2),
}


@pytest.mark.parametrize("change", MILD)
@pytest.mark.parametrize("seed", range(5))
def test_a_copy_keeps_its_hash(change: str, seed: int) -> None:
    image = scene(seed)
    copy = np.asarray(MILD[change](image), np.uint8)
    assert distance(perceptual_hash(image)[0], perceptual_hash(copy)[0]) <= 24


def test_another_picture_is_far_away() -> None:
    hashes = [perceptual_hash(scene(seed))[0] for seed in range(40)]
    apart = [distance(one, other) for index, one in enumerate(hashes) for other in hashes[:index]]
    assert min(apart) > 70
    assert 120 < float(np.mean(apart)) < 136


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_picture_is_found_from_the_spectrum_of_the_upright_one(turn: int) -> None:
    image = scene(3)
    assert distance(perceptual_hash(turned(image, turn))[0], turned_hashes(image)[turn]) <= 2


def test_the_eight_turns_are_eight_pictures() -> None:
    image = scene(4)
    assert len({turned(image, turn).tobytes() for turn in range(8)}) == 8
    assert len(set(turned_hashes(image))) == 8


@pytest.mark.parametrize(
    "image",
    [np.full((128, 128, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8), np.full((1, 5000, 3), 90, np.uint8)],
    ids=["white", "one pixel", "a line"],
)
def test_a_picture_with_nothing_in_it_has_no_quality(image: Image) -> None:
    found, quality = perceptual_hash(image)
    assert (len(found), quality) == (HASH_BYTES, 0)


def test_a_picture_with_something_in_it_has_quality() -> None:
    assert perceptual_hash(scene(1))[1] > MIN_QUALITY


def test_a_cut_out_part_has_the_hash_the_fingerprint_kept() -> None:
    image = scene(6)
    kept = fingerprint(image)
    assert len(kept.crops) == len(CROPS)
    for crop, expected in zip(CROPS, kept.crops, strict=True):
        assert distance(perceptual_hash(jpeg(np.ascontiguousarray(cut(image, crop)), 80))[0], expected) <= 24
