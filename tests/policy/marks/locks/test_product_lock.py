"""Product lock in files: what is measured inside a product, bounded, said in the manifest, and kept free of marks."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import rfc8785

from policy.errors import MarkUnreadable
from policy.marks.channels.channel import Channel, LabelStyle
from policy.marks.channels.frame import ChannelFrame
from policy.marks.encode import decode
from policy.marks.inspect import inspect
from policy.marks.locks.measures import LockBounds, LockMeasures, bounds_of, lock_measures
from policy.marks.locks.product_lock import ProductLock
from policy.marks.locks.record import LockRecord, packed, pixels_sha256
from policy.marks.marker import Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from tests.policy.marks.test_marker import STAMP
from tests.support.pictures import texture
from tests.support.products import bottle

SIDE = 256


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def marker(chain):
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    return Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")


@pytest.fixture(scope="module")
def scene():
    """A product on a busy ground, and on white."""
    shot = bottle(SIDE, ground="white", seed=1)
    alpha = np.where(shot.alpha >= 250, 255, shot.alpha).astype(np.uint8)
    busy = np.where((alpha == 255)[..., None], shot.picture, texture(SIDE, SIDE, seed=3)).astype(np.uint8)
    return shot.picture, busy, alpha


def lock_of(source, alpha, **options) -> ProductLock:
    facts = {
        "source": {"pixels_sha256": pixels_sha256(source), "width": SIDE, "height": SIDE},
        "place": {"left": 0, "top": 0, "scale": 1.0},
        "canvas": {"width": SIDE, "height": SIDE},
        "before": {"pixels": int((alpha == 255).sum()), "largest": 0, "mean": 0.0},
    }
    return ProductLock(alpha, facts, **options)


def test_what_a_file_changed_of_the_product_is_in_its_manifest_and_its_evidence(marker, chain, scene):
    white, busy, alpha = scene
    png, jpeg = marker.mark_all(busy, STAMP, ("original", "jpeg"), lock=lock_of(white, alpha))
    for file, lossless in ((png, True), (jpeg, False)):
        measured = lock_measures(busy, decode(file.data, file.media_type), alpha, inset=2)
        said = file.evidence["lock"]
        assert said == {**measured.to_json(), "strict": False, "inset": 2, "watermark_on": "picture"} | {
            "bounds": bounds_of(strict=False, lossless=lossless)._asdict()
        }
        assert 0 < measured.mean < 4
        record = LockRecord.of(inspect(file.data, chain.anchors.read_text()).manifest.generation["lock"])
        assert record is not None
        assert record.source_sha256 == pixels_sha256(white)
        assert ((record.alpha() == 255) == (alpha == 255)).all()
        assert json.loads(rfc8785.dumps(file.evidence)) == file.evidence


def test_a_strict_lock_leaves_the_product_as_it_was_and_marks_the_ground(marker, scene):
    white, busy, alpha = scene
    (png,) = marker.mark_all(busy, STAMP, ("original",), lock=lock_of(white, alpha, strict=True))
    said = png.evidence["lock"]
    assert (said["largest"], said["mean"], said["watermark_on"]) == (0, 0.0, "ground")
    assert 0.5 < said["room"] < 1
    assert png.evidence["watermark"]["scheme"].endswith("/off-ground")
    pixels = decode(png.data, png.media_type)
    assert (pixels[alpha == 255] == busy[alpha == 255]).all()
    assert (pixels != busy).any()


def test_where_the_ground_carries_none_a_strict_file_waits_for_a_person_or_goes_without_a_watermark(
    marker, chain, scene
):
    white, _, alpha = scene
    with pytest.raises(MarkUnreadable, match="carry no watermark; ask for lock: standard"):
        marker.mark_all(white, STAMP, ("original",), lock=lock_of(white, alpha, strict=True))
    (png,) = marker.mark_all(white, STAMP, ("original",), lock=lock_of(white, alpha, strict=True, unmarked=True))
    assert png.evidence["watermark"]["scheme"] == "none"
    assert png.evidence["lock"]["watermark_on"] == "none"
    assert (decode(png.data, png.media_type) == white).all()
    seen = inspect(png.data, chain.anchors.read_text())
    assert (seen.manifest.state, seen.manifest.watermark_hex, seen.watermark) == ("Trusted", "", None)
    assert seen.manifest.generation["watermark_scheme"] == "none"


def test_a_product_that_changed_too_much_is_named_in_levels(scene):
    white, busy, alpha = scene
    darker = np.where(busy > 90, busy - 70, busy).astype(np.uint8)
    read = lock_of(white, alpha).reading(busy, darker, lossless=True)
    assert read.too_far.startswith("the product changed by up to 70 levels")
    assert "48 and 4 are allowed" in read.too_far


def test_a_channel_says_its_frame_and_a_label_is_no_change_of_the_product(marker, chain, scene):
    white, busy, alpha = scene
    channel = Channel("shop", 200, 150, fit="pad", label=LabelStyle())
    file = marker.mark_all(busy, STAMP, ("original",), channels=(channel,), lock=lock_of(white, alpha))[1]
    said = inspect(file.data, chain.anchors.read_text()).manifest.generation["lock"]
    frame = ChannelFrame.from_json(said["frame"])
    assert frame.canvas == (200, 150)
    assert frame.inner == (150, 150)
    expected = frame.apply(busy, (255, 255, 255))
    measured = lock_measures(
        expected, decode(file.data, file.media_type), LockRecord.of(said).alpha(), inset=said["inset"]
    )
    assert measured.pixels > 100
    assert not measured.beyond(LockBounds(**said["after"]["bounds"]))


def test_no_pixels_are_no_proof():
    assert LockMeasures(0, 0, 0.0).beyond(LockBounds(9, 9)) == "no pixel of the product could be compared"


BOMB = packed(np.full((8, 8), 255, np.uint8))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"place": 1},
        {"source": {"pixels_sha256": 1}, "place": {"left": "nan", "top": [], "scale": 1}},
        {"source": [], "place": {"left": 0, "top": 0, "scale": 1}, "after": {"bounds": None}, "before": {}},
    ],
)
def test_a_record_of_anyone_that_says_nothing_is_none(said):
    assert LockRecord.of(said) is None


def test_a_shape_of_anyone_is_looked_at_before_it_is_decoded():
    good = cv2.imencode(".png", np.full((4, 4), 255, np.uint8))[1].tobytes()
    huge = good[:16] + (100_000).to_bytes(4, "big") * 2 + good[24:]
    record = LockRecord("", 0, 0, 1, False, 2, 0, LockBounds(1, 1), "picture", huge)
    assert record.alpha() is None
    sound = ChannelFrame((0, 0), (9, 9), (9, 9), (0, 0), (9, 9)).to_json()
    for wrong in (
        {"part": {"x": 10**9, "y": 1}},
        {"at": {"x": -1, "y": 0}},
        {"at": "A"},
        {"inner": {"x": "b", "y": 1}},
    ):
        with pytest.raises(ValueError, match="no frame"):
            ChannelFrame.from_json(sound | wrong)
