"""Marker: what it returns carries every mark in its final bytes, and what cannot, does not leave."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec

from policy.errors import ManifestInvalid, MarkError, MarkUnreadable, SigningUnavailable
from policy.marks.inspect import inspect
from policy.marks.marker import Marker, Stamp
from policy.marks.pixel_check import MIN_PSNR_DB
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from policy.marks.stamp import DIGITAL_SOURCE_TYPE
from tests.policy.marks.test_signing import certificate
from tests.support.pictures import BLACK, COLOURS, WHITE, colour_chequer, flat, product, texture

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
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def marker(chain):
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    return Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")


PICTURES = {
    "demo": product(128, 128, ground=COLOURS["sports orange"]),
    "smallest": product(64, 64),
    "white": flat(96, 160, WHITE),
    "black": flat(512, 512, BLACK),
    "odd": texture(333, 517),
    "catalogue": product(1024, 1024),
    "banner": product(1500, 100, ground=COLOURS["magenta"]),
}


@pytest.mark.parametrize("image", PICTURES.values(), ids=PICTURES.keys())
def test_every_mark_is_in_the_final_bytes(marker, chain, image):
    marked = marker.mark(image, STAMP)
    seen = inspect(marked.data, chain.anchors.read_text())
    assert seen.watermark.watermark_id == STAMP.watermark_id
    assert seen.manifest.state == "Trusted"
    assert seen.manifest.asset_id == STAMP.asset_id
    assert seen.xmp["dc:identifier"] == STAMP.asset_id
    assert seen.xmp["Iptc4xmpExt:DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert (marked.height, marked.width, 3) == image.shape
    assert marked.sha256 == hashlib.sha256(marked.data).hexdigest()


def test_the_evidence_says_how_the_mark_was_written_and_fits_the_ledger(marker):
    marked = marker.mark(product(128, 128), STAMP)
    assert marked.evidence["watermark"]["scheme"] == "dwtDctSvd-128/36"
    assert marked.evidence["watermark"]["id"] == "0123456789ab"
    assert marked.evidence["watermark"]["psnr_db"] > MIN_PSNR_DB
    assert marked.evidence["manifest"]["state"] == "Trusted"
    assert json.loads(rfc8785.dumps(marked.evidence)) == marked.evidence


def test_the_picture_that_leaves_is_the_one_that_was_screened(marker):
    image = texture(400, 300)
    pixels = cv2.imdecode(np.frombuffer(marker.mark(image, STAMP).data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert cv2.PSNR(image, pixels) > 37


def test_a_picture_that_cannot_carry_a_mark_does_not_leave(marker):
    with pytest.raises(
        MarkUnreadable, match=r"original: dwtDctSvd-128/36 in lossless: no .*; dwtDctSvd-128/60 in lossless: no "
    ):
        marker.mark(colour_chequer(64, cell=4), STAMP)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((63, 200, 3), np.uint8), "200 x 63 pixels"),
        (np.zeros((64, 8193, 3), np.uint8), "8193 x 64 pixels"),
        (np.zeros((128, 128), np.uint8), "uint8"),
        (np.zeros((128, 128, 4), np.uint8), "uint8"),
        (np.zeros((128, 128, 3), np.float32), "float32"),
    ],
)
def test_pixels_that_are_no_picture_are_refused_with_what_was_expected(marker, image, says):
    with pytest.raises(MarkError, match=says):
        marker.mark(image, STAMP)


def test_a_marker_whose_root_is_not_trusted_lets_nothing_out(chain, tmp_path):
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    foreign = make_development_chain(tmp_path).anchors.read_text()
    with pytest.raises(ManifestInvalid):
        Marker(signer, foreign, "Presswork", "0.1.0").mark(product(128, 128), STAMP)


def test_an_expired_certificate_stops_the_marker_before_it_starts():
    key = ec.generate_private_key(ec.SECP256R1())
    expired = LocalSigner(certificate(key, begins=timedelta(days=-9), ends=timedelta(days=-8)), key)
    with pytest.raises(SigningUnavailable, match="expired"):
        Marker(expired, "", "Presswork", "0.1.0")


class SignerThatExpires(LocalSigner):
    """Its certificate runs out between two pictures."""

    def expire(self, chain):
        self.certificate_chain = chain


def test_a_certificate_that_expires_later_stops_the_next_picture(chain):
    signer = SignerThatExpires.from_files(chain.certificate, chain.key)
    marker = Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")
    marker.mark(product(64, 64), STAMP)
    key = ec.generate_private_key(ec.SECP256R1())
    signer.expire(certificate(key, begins=timedelta(days=-9), ends=timedelta(days=-8)))
    with pytest.raises(SigningUnavailable, match="expired"):
        marker.mark(product(64, 64), STAMP)


def test_threads_do_not_mix_their_pictures(marker, chain):
    def once(number):
        stamp = replace(STAMP, asset_id=f"asset-{number}", watermark_id=number)
        seen = inspect(marker.mark(product(128, 128, seed=number), stamp).data, chain.anchors.read_text())
        return seen.manifest.asset_id, seen.watermark.watermark_id

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(once, range(12))) == [(f"asset-{number}", number) for number in range(12)]


def test_what_the_model_is_called_cannot_break_the_label(marker, chain):
    name = 'A & B <script> "quoted" ]]> é'
    seen = inspect(marker.mark(product(64, 64), replace(STAMP, model=name)).data, chain.anchors.read_text())
    assert seen.xmp["Iptc4xmpExt:AISystemUsed"] == name
    assert seen.manifest.generation["model"] == name
