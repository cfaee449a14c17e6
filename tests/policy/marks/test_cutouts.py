"""Cut-outs: marks in the product, read over any ground, and alpha bit for bit."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import rfc8785
from PIL import Image as Pillow

from policy.errors import MarkError, MarkUnreadable
from policy.marks.channels.channel import Channel
from policy.marks.cutouts.files import CUTOUT_FILES, decode_cutout, decode_flat, over, without_ground
from policy.marks.cutouts.mark import read_cutout
from policy.marks.cutouts.marker import CutoutMarker
from policy.marks.encode import decode
from policy.marks.inspect import inspect
from policy.marks.marker import Marked
from policy.marks.stamp import EDITED_SOURCE_TYPE, EditSource
from tests.support.marking import STAMP, new_marker
from tests.support.products import bottle

SHOT = bottle(512, seed=1, ground="studio")
COLOURS = np.where((SHOT.alpha == 255)[..., None], SHOT.picture, np.rint(SHOT.product)).astype(np.uint8)


@pytest.fixture(scope="module")
def marker(tmp_path_factory: pytest.TempPathFactory) -> CutoutMarker:
    return new_marker(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def source() -> EditSource:
    file = io.BytesIO()
    Pillow.fromarray(SHOT.picture).save(file, "PNG")
    return EditSource(file.getvalue(), "image/png")


@pytest.fixture(scope="module")
def files(marker: CutoutMarker, source: EditSource) -> dict[str, Marked]:
    made = marker.mark_cutout(COLOURS, SHOT.alpha, STAMP, tuple(CUTOUT_FILES), source=source)
    return {file.name: file for file in made}


@pytest.mark.parametrize("name", CUTOUT_FILES)
def test_the_watermark_reads_over_white_black_and_a_picture_and_alpha_is_exact(
    files: dict[str, Marked], name: str
) -> None:
    file = files[name]
    colours, alpha = decode_cutout(file.data, file.media_type)
    assert (alpha == SHOT.alpha).all()
    read = read_cutout(colours, alpha)
    assert read.reading is not None
    assert read.reading.watermark_id == STAMP.watermark_id
    assert {"white", "black"} <= set(read.grounds)
    assert file.evidence["transparency"]["read_over"] == list(read.grounds)
    assert json.loads(rfc8785.dumps(file.evidence)) == file.evidence


def test_formats_without_transparency_and_channels_show_it_on_their_ground(
    marker: CutoutMarker, source: EditSource
) -> None:
    square = Channel("shop", 256, 256, fit="pad", background=(20, 40, 200), format="webp")
    asked = marker.mark_cutout(COLOURS, SHOT.alpha, STAMP, ("original", "jpeg"), source=source, channels=[square])
    original, jpeg, shop = asked
    assert decode_flat(original.data, original.media_type)[0, 0].tolist() == [255, 255, 255]
    assert decode(jpeg.data, jpeg.media_type)[0, 0].min() > 250
    assert abs(decode(shop.data, shop.media_type)[0, 0].astype(int) - [20, 40, 200]).max() < 12
    for file in asked:
        assert file.evidence["declaration"] == "modified"
        assert file.evidence["watermark"]["id"] == STAMP.watermark_hex


def test_a_large_product_reads_over_a_picture_as_well(marker: CutoutMarker) -> None:
    shot = bottle(512, seed=2)
    wide = np.zeros_like(shot.alpha)
    wide[60:450, 60:450] = 255
    (file,) = marker.mark_cutout(shot.picture, wide, STAMP)
    assert file.evidence["transparency"]["read_over"] == ["white", "black", "picture"]


@pytest.mark.parametrize("name", CUTOUT_FILES)
def test_anybody_reads_manifest_watermark_and_label_of_a_cutout(files: dict[str, Marked], name: str) -> None:
    seen = inspect(files[name].data)
    assert seen.manifest is not None
    assert (seen.manifest.state, seen.manifest.digital_source_type) == ("Valid", EDITED_SOURCE_TYPE)
    assert len(seen.manifest.ingredients) == 1
    assert seen.watermark is not None
    assert seen.watermark.watermark_id == STAMP.watermark_id
    assert seen.xmp["dc:identifier"] == STAMP.asset_id
    assert files[name].evidence["declaration"] == "modified"


def test_nothing_of_the_old_ground_lies_below_transparent_pixels(files: dict[str, Marked]) -> None:
    colours, alpha = decode_cutout(files["original"].data, "image/png")
    far = np.zeros_like(alpha, bool)
    far[:40] = True
    assert (colours[far] == 0).all()
    secret = COLOURS.copy()
    secret[SHOT.alpha == 0] = (1, 222, 3)
    assert (without_ground(secret, SHOT.alpha) == without_ground(COLOURS, SHOT.alpha)).all()
    opaque = SHOT.alpha == 255
    assert (without_ground(COLOURS, SHOT.alpha)[opaque] == COLOURS[opaque]).all()


def test_what_the_mark_changes_inside_the_product_is_bounded(files: dict[str, Marked]) -> None:
    colours, alpha = decode_cutout(files["original"].data, "image/png")
    moved = np.abs(colours.astype(int) - COLOURS)[alpha == 255]
    assert moved.max() <= 18
    assert moved.mean() < 2
    mixed = (alpha > 0) & (alpha < 255)
    assert (colours[mixed] == COLOURS[mixed]).all()  # PNG: only opaque pixels carry the mark


def test_a_product_that_is_too_small_for_a_watermark_is_held(marker: CutoutMarker) -> None:
    with pytest.raises(MarkUnreadable, match=r"original: the product is too small or too thin.* reads over nothing"):
        marker.mark_cutout(bottle(256).picture, _small(), STAMP)


def test_it_leaves_with_its_manifest_alone_where_the_rule_set_allows_that(marker: CutoutMarker) -> None:
    colours, alpha = bottle(256).picture, _small()
    files = marker.mark_cutout(colours, alpha, STAMP, ("original", "webp"), unmarked=True)
    for file in files:
        _, shown = decode_cutout(file.data, file.media_type)
        assert np.array_equal(shown, alpha)
        assert file.evidence["watermark"]["scheme"] == "none"
        assert file.evidence["transparency"]["read_over"] == []
        assert file.evidence["manifest"]["state"] == "Trusted"
    assert np.array_equal(decode_cutout(files[0].data, "image/png")[0][alpha == 255], colours[alpha == 255])


def _small() -> np.ndarray:
    alpha = np.zeros((256, 256), np.uint8)
    alpha[100:130, 100:130] = 255
    return alpha


@pytest.mark.parametrize(
    ("alpha", "said"),
    [
        (np.zeros((512, 512), np.uint8), "both opaque and transparent"),
        (np.full((512, 512), 255, np.uint8), "both opaque and transparent"),
        (SHOT.alpha[:-1], "of the picture's size"),
        (SHOT.alpha.astype(np.float32), "alpha has to be uint8"),
    ],
    ids=["empty", "full", "size", "floats"],
)
def test_what_is_no_cutout_is_refused(marker: CutoutMarker, alpha: np.ndarray, said: str) -> None:
    with pytest.raises(MarkError, match=said):
        marker.mark_cutout(COLOURS, alpha, STAMP)


def test_a_cutout_is_laid_as_viewers_do() -> None:
    half = np.full((1, 1), 128, np.uint8)
    laid = over(np.full((1, 1, 3), 255, np.uint8), half, 0)
    assert laid.ravel().tolist() == [128] * 3
