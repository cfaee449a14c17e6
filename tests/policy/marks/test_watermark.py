"""Watermark on every kind of ground and size, and against the library it comes from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from imwatermark import WatermarkDecoder, WatermarkEncoder

from policy.fingerprints import turned
from policy.marks import payload, reference, watermark, watermark_cells
from tests.support.pictures import (
    COLOURS,
    WHITE,
    colour_chequer,
    flat,
    gradient,
    jpeg,
    product,
    resized,
    texture,
)

ID = 0xABCDEF012345
LARGE = watermark.SCHEMES[0]


def marked(image, scheme=None):
    return watermark.embed(image, ID, scheme or watermark.ladder(image)[0])


def id_of(image):
    reading = watermark.read(image)
    return reading and reading.watermark_id


@pytest.mark.parametrize("side", [64, 128, 512])
@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS.keys())
def test_a_flat_colour_reads_back_without_a_wrong_bit(colour, side):
    reading = watermark.read(marked(flat(side, side, colour)))
    assert reading is not None
    assert (reading.watermark_id, reading.bit_errors) == (ID, 0)


@pytest.mark.parametrize("ground", COLOURS.values(), ids=COLOURS.keys())
def test_a_product_on_a_pure_ground_reads_back(ground):
    assert id_of(marked(product(700, 500, ground=ground))) == ID


@pytest.mark.parametrize(
    ("width", "height"),
    [(64, 64), (65, 127), (128, 128), (191, 193), (200, 1000), (333, 777), (1023, 385), (64, 3000), (2048, 1536)],
)
def test_any_size_and_shape_reads_back(width, height):
    for image in (product(width, height), texture(width, height), gradient(width, height)):
        assert id_of(marked(image)) == ID


def test_the_mark_survives_resizing_and_jpeg():
    for seed in range(3):
        for image in (product(768, 512, seed=seed), texture(768, 512, seed=seed)):
            copy = marked(image)
            for changed in (resized(copy, 0.5), resized(copy, 0.7), resized(copy, 2.0), jpeg(copy, 90), jpeg(copy, 75)):
                assert id_of(changed) == ID


def test_a_stretched_copy_still_reads():
    copy = marked(texture(640, 640))
    assert id_of(np.asarray(cv2.resize(copy, (900, 500), interpolation=cv2.INTER_CUBIC), np.uint8)) == ID


def test_unmarked_pictures_have_no_mark():
    pictures = [
        *(flat(256, 256, colour) for colour in COLOURS.values()),
        *(make(400, 300, seed=seed) for seed in range(20) for make in (product, texture)),
        gradient(512, 512),
        colour_chequer(512, cell=4),
    ]
    assert [watermark.read(image) for image in pictures] == [None] * len(pictures)


def test_a_mark_cannot_be_seen_in_luma_on_white_and_stays_small_everywhere():
    for image in (flat(512, 512, WHITE), product(512, 512), texture(512, 512), gradient(512, 512)):
        copy = marked(image)
        assert cv2.PSNR(image, copy) > 37
        assert cv2.norm(image, copy, cv2.NORM_INF) <= 14
    grey = cv2.cvtColor(marked(flat(512, 512, WHITE)), cv2.COLOR_RGB2GRAY)
    assert grey.min() >= 254


def test_the_picture_given_is_left_as_it_was():
    image = product(300, 300)
    before = image.copy()
    marked(image)
    assert np.array_equal(image, before)


def test_the_stronger_rung_is_read_too():
    image = texture(400, 400)
    for scheme in watermark.ladder(image):
        assert watermark.read(marked(image, scheme)) == watermark.WatermarkReading(ID, scheme, 0)


@pytest.mark.parametrize(("side", "grid"), [(64, 128), (191, 128), (192, 256), (383, 256), (384, 512), (4096, 512)])
def test_small_pictures_get_a_coarser_grid_and_each_picture_a_stronger_rung(side, grid):
    rungs = watermark.ladder(np.empty((side, side + 9, 3), np.uint8))
    assert [rung.grid for rung in rungs] == [grid, grid]
    assert rungs[0].step < rungs[1].step


@pytest.mark.parametrize(
    "image", [product(1024, 1024), texture(800, 600), flat(512, 512, WHITE)], ids=["product", "texture", "white"]
)
def test_the_library_reads_our_mark_from_a_copy_of_512_by_512(image):
    copy = cv2.resize(marked(image, LARGE), (512, 512), interpolation=cv2.INTER_AREA)
    bits = WatermarkDecoder("bits", payload.CODE_BITS).decode(cv2.cvtColor(copy, cv2.COLOR_RGB2BGR), "dwtDctSvd")
    assert payload.decode(np.array(bits, np.uint8)) == payload.Payload(ID, 0)


def test_we_read_what_the_library_wrote_on_its_own_512_grid():
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.encode(ID).tolist())
    written = encoder.encode(cv2.cvtColor(texture(512, 512), cv2.COLOR_RGB2BGR), "dwtDctSvd")
    assert id_of(cv2.cvtColor(written, cv2.COLOR_BGR2RGB)) == ID


@pytest.mark.parametrize("side", [128, 256, 640])
def test_the_reference_reader_agrees_at_every_grid(side):
    image = product(side, side)
    assert reference.read(marked(image)) == watermark.read(marked(image))
    assert reference.read(image) is None


def test_strength_follows_the_picture():
    """The mark goes where it costs the least colour, and no colour moves further than the finding of a bit needs."""
    step = LARGE.step / 8  # what one step of a cell's value is in levels of U
    for image in (product(512, 512), texture(512, 512), flat(512, 512, COLOURS["sports orange"])):
        moved = marked(image).astype(np.float32) - image
        chroma = np.abs(moved @ watermark_cells.U_OF_RGB).reshape(64, 8, 64, 8, 1).mean(axis=(1, 3, 4))
        assert np.quantile(chroma, 0.99) <= step
    luma = [
        np.abs((marked(image).astype(np.float32) - image) @ watermark_cells.LUMA_OF_RGB).mean()
        for image in (texture(512, 512), flat(512, 512, WHITE))
    ]
    assert max(luma) < 1, "where colour can move, brightness stays"


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_picture_reads_when_it_is_turned_back(turn):
    picture = marked(texture(512, 512))
    found = watermark.read_turned(turned(picture, turn), range(8))
    assert found is not None
    reading, back = found
    assert (reading.watermark_id, reading.scheme) == (ID, LARGE)
    assert np.array_equal(turned(turned(picture, turn), back), picture)
