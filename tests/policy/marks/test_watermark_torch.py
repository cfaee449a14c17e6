"""Watermark in torch against the one in numpy: same bits, and pixels a level apart at most."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policy.marks import watermark, watermark_torch
from tests.support.pictures import (
    BLACK,
    COLOURS,
    WHITE,
    colour_chequer,
    flat,
    gradient,
    jpeg,
    product,
    texture,
)

IDS = [0xABCDEF012345, 5, (1 << 48) - 1]
SIZES = [(64, 64), (128, 128), (333, 777), (700, 500), (512, 512), (1024, 1024)]


def batch(images):
    return torch.from_numpy(np.stack(images))


def by_numpy(images, ids, scheme):
    return np.stack([watermark.embed(image, id, scheme) for image, id in zip(images, ids, strict=True)])


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pixels_are_those_of_numpy_within_a_level_at_every_size(width, height):
    images = [product(width, height), texture(width, height), gradient(width, height)]
    scheme = watermark.ladder(images[0])[0]
    written = watermark_torch.embed(batch(images), IDS, scheme).numpy()
    difference = np.abs(written.astype(int) - by_numpy(images, IDS, scheme))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("side", [128, 512])
def test_pixels_are_those_of_numpy_on_every_pure_ground(side):
    for image in (
        *(flat(side, side, c) for c in COLOURS.values()),
        *(product(side, side, ground=c) for c in (BLACK, WHITE)),
    ):
        scheme = watermark.ladder(image)[0]
        written = watermark_torch.embed(batch([image]), IDS[:1], scheme).numpy()
        assert np.abs(written.astype(int) - by_numpy([image], IDS[:1], scheme)).max() <= 1


def test_each_reads_what_the_other_wrote_bit_by_bit():
    images = [texture(512, 512, seed=seed) for seed in range(3)]
    scheme = watermark.ladder(images[0])[0]
    for written in (watermark_torch.embed(batch(images), IDS, scheme).numpy(), by_numpy(images, IDS, scheme)):
        rough = [jpeg(image, 60) for image in written]
        for copies in (written, rough):
            bits = watermark_torch.read_bits(batch(copies), scheme).numpy()
            assert np.array_equal(bits, np.stack([watermark.read_bits(copy, scheme) for copy in copies]))
            assert watermark_torch.read(batch(copies)) == [watermark.read(copy) for copy in copies]


def test_a_batch_writes_to_each_picture_what_it_would_write_to_it_alone():
    images = [product(300, 300, seed=seed) for seed in range(3)]
    scheme = watermark.ladder(images[0])[0]
    together = watermark_torch.embed(batch(images), IDS, scheme).numpy()
    for number, id in enumerate(IDS):
        alone = watermark_torch.embed(batch(images[number : number + 1]), [id], scheme).numpy()[0]
        assert np.abs(alone.astype(int) - together[number]).max() <= 1
        assert watermark.read(together[number]).watermark_id == id


def test_what_carries_no_mark_reads_as_none_beside_what_does():
    marked = watermark.embed(texture(256, 256), 7, watermark.SCHEMES[1])
    found = watermark_torch.read(batch([colour_chequer(256, cell=4), marked, product(256, 256)]))
    assert [reading and reading.watermark_id for reading in found] == [None, 7, None]


def test_the_pictures_given_are_left_as_they_were():
    images = batch([product(200, 200)])
    before = images.clone()
    watermark_torch.embed(images, IDS[:1], watermark.SCHEMES[1])
    assert torch.equal(images, before)
