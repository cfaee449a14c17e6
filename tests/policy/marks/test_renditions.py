"""Renditions in every format: marks are in their own final bytes, and a picture that a format cannot carry is held."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pytest
import rfc8785

from policy.errors import MarkUnreadable
from policy.marks import encode
from policy.marks.encode import CODINGS
from policy.marks.inspect import inspect
from policy.marks.marker import Marker, Stamp
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import ManifestReader
from policy.marks.provenance.signing import LocalSigner
from policy.marks.pure_ground import KEPT
from policy.marks.renditions import DEFAULT, ORIGINAL, RENDITIONS, ordered
from policy.marks.stamp import DIGITAL_SOURCE_TYPE
from tests.support.pictures import COLOURS, WHITE, colour_chequer, flat, product, texture

ALL = tuple(RENDITIONS)
STAMP = Stamp(
    asset_id="0192f0a0-0000-7000-8000-000000000001",
    watermark_id=0x0123456789AB,
    model="studio",
    model_revision="sha256:" + "1" * 64,
    policy_version="sha256:" + "2" * 64,
    made_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    ledger_origin="log.example/ledger",
)


@pytest.fixture(scope="module")
def anchors(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def marker(anchors):
    return Marker(LocalSigner.from_files(anchors.certificate, anchors.key), anchors.anchors.read_text(), "P", "1")


@pytest.fixture(scope="module")
def reader(anchors):
    return ManifestReader(anchors.anchors.read_text())


@pytest.fixture(scope="module")
def files(marker):
    return marker.mark_all(product(512, 512), STAMP, ALL)


PICTURES = {
    "demo": product(128, 128, ground=COLOURS["sports orange"]),
    "smallest": product(64, 64),
    "white": flat(512, 512, WHITE),
    "brand": product(512, 512, ground=COLOURS["jeweller teal"]),
    "odd": texture(333, 517),
    "catalogue": product(1024, 1024),
}


@pytest.mark.parametrize("image", PICTURES.values(), ids=PICTURES.keys())
def test_every_mark_is_in_the_final_bytes_of_every_format(marker, anchors, image):
    made = marker.mark_all(image, STAMP, ALL)
    assert [(file.name, file.media_type) for file in made] == list(RENDITIONS.items())
    for file in made:
        seen = inspect(file.data, anchors.anchors.read_text())
        assert seen.media_type == file.media_type
        assert seen.watermark.watermark_id == STAMP.watermark_id
        assert (seen.manifest.state, seen.manifest.asset_id) == ("Trusted", STAMP.asset_id)
        assert seen.xmp["dc:identifier"] == STAMP.asset_id
        assert seen.xmp["Iptc4xmpExt:DigitalSourceType"] == DIGITAL_SOURCE_TYPE
        assert (seen.height, seen.width, 3) == (file.height, file.width, 3) == image.shape
        assert file.sha256 == hashlib.sha256(file.data).hexdigest()


def beside_the_manifest(data):
    """Every place of a file that is not the manifest itself, its frame (at most 64 bytes) or the brands of an AVIF."""
    start = data.index(b"jumb") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    return [*range(start - 64), *range(end + 8, len(data))]


@pytest.mark.parametrize("name", ALL)
def test_one_flipped_byte_makes_any_format_invalid(files, reader, name):
    """Pixels, headers, label: whatever is not the manifest is under its signature."""
    (file,) = [file for file in files if file.name == name]
    assert reader.read(file.data, file.media_type).state == "Trusted"
    chance = np.random.default_rng(5)
    places = [*chance.choice(beside_the_manifest(file.data), 40, replace=False), file.data.index(b"AISystemUsed")]
    for place in (*places, len(file.data) - 1):
        broken = bytearray(file.data)
        broken[place] ^= 1 << int(chance.integers(0, 8))
        assert reader.read(bytes(broken), file.media_type).state == "Invalid", place


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("word", [STAMP.asset_id.encode(), b"0123456789ab", b"trainedAlgorithmicMedia", b"notAllowed"])
def test_a_word_changed_inside_the_manifest_of_any_format_is_invalid(files, reader, name, word):
    (file,) = [file for file in files if file.name == name]
    place = file.data.index(word, file.data.index(b"jumb"))
    broken = file.data[:place] + b"?" + file.data[place + 1 :]
    assert reader.read(broken, file.media_type).state == "Invalid"


def test_the_evidence_of_every_format_fits_the_ledger(files):
    for file in files:
        assert json.loads(rfc8785.dumps(file.evidence)) == file.evidence
        assert file.evidence["coding"] in [coding.name for coding in CODINGS[file.media_type]]
        assert file.evidence["pure_ground"]["kept"] >= KEPT
        assert file.evidence["watermark"]["id"] == STAMP.watermark_hex
        assert file.evidence["manifest"]["state"] == "Trusted"
    assert len({file.evidence["manifest"]["label"] for file in files}) == len(ALL)


def test_every_format_shows_the_picture_that_was_screened(files):
    for file in files:
        pixels = encode.decode(file.data, file.media_type)
        assert file.evidence["watermark"]["psnr_db"] > 36
        assert np.abs(pixels.astype(int) - product(512, 512)).mean() < 3


def test_the_ladder_is_stronger_then_all_the_colour_then_lossless():
    for name, media_type in RENDITIONS.items():
        codings = CODINGS[media_type]
        assert all(coding.media_type == media_type for coding in codings), name
        assert "4:2:0" in codings[0].name or codings[0].lossless
        assert codings[-1].lossless or codings[-1].options["quality"] == 100


def test_a_small_picture_goes_down_the_ladder_of_its_jpeg_alone(marker):
    original, jpeg = marker.mark_all(texture(64, 64), STAMP, DEFAULT)
    assert original.evidence["coding"] == "lossless"
    assert original.evidence["watermark"]["scheme"] == "dwtDctSvd-128/36"
    assert jpeg.evidence["coding"] != CODINGS["image/jpeg"][0].name


def test_a_stronger_mark_comes_before_a_larger_file(marker):
    image = flat(512, 512, COLOURS["furniture blue"])
    jpeg = marker.mark_all(image, STAMP, DEFAULT)[1]
    assert jpeg.evidence["watermark"]["scheme"] == "dwtDctSvd-512/60"
    assert jpeg.evidence["coding"] == CODINGS["image/jpeg"][0].name


def test_a_picture_that_no_format_can_carry_is_held(marker):
    with pytest.raises(MarkUnreadable, match="original: dwtDctSvd-128/36 in lossless: no watermark"):
        marker.mark_all(colour_chequer(64, cell=4), STAMP, ALL)


def test_the_original_is_always_made_and_first_and_nothing_twice():
    assert ordered(()) == (ORIGINAL,)
    assert ordered(("avif", "jpeg", "jpeg")) == (ORIGINAL, "jpeg", "avif")
    assert ordered(DEFAULT) == DEFAULT
    with pytest.raises(ValueError, match="'gif'; there are original, jpeg, webp, avif"):
        ordered(("gif",))
