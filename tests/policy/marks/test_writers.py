"""Writers of the watermark make no difference to what leaves."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import MarkUnreadable
from policy.marks import watermark
from policy.marks.marker import Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from policy.marks.renditions import DEFAULT
from policy.marks.writers import NumpyWriter, TorchWriter
from tests.policy.marks.test_renditions import STAMP
from tests.support.pictures import product, texture

IDS = [STAMP.watermark_id, 5]
IMAGES = np.stack([product(256, 256), texture(256, 256)])
WRITERS = {"numpy": NumpyWriter, "torch": lambda: TorchWriter("cpu")}


@pytest.mark.parametrize("make", WRITERS.values(), ids=WRITERS.keys())
def test_every_rung_of_every_picture_carries_its_own_id(make):
    for write, id, image in zip(make().prepare(IMAGES, IDS), IDS, IMAGES, strict=True):
        for scheme in watermark.ladder(image):
            reading = watermark.read(write(scheme))
            assert (reading.watermark_id, reading.scheme) == (id, scheme)


def test_both_write_the_same_pixels_within_a_level():
    scheme = watermark.ladder(IMAGES[0])[0]
    one, other = (make().prepare(IMAGES, IDS) for make in WRITERS.values())
    for left, right in zip(one, other, strict=True):
        assert np.abs(left(scheme).astype(int) - right(scheme)).max() <= 1


@pytest.mark.parametrize("make", WRITERS.values(), ids=WRITERS.keys())
def test_a_batch_that_was_prepared_leaves_with_every_mark(make, tmp_path):
    chain = make_development_chain(tmp_path)
    signer, anchors = LocalSigner.from_files(chain.certificate, chain.key), chain.anchors.read_text()
    marker = Marker(signer, anchors, "Presswork", "0.1.0", writer=make())
    write = marker.prepare(IMAGES, IDS)[0]
    files = marker.mark_all(IMAGES[0], STAMP, DEFAULT, write=write)
    assert [file.evidence["watermark"]["id"] for file in files] == [STAMP.watermark_hex] * 2
    with pytest.raises(MarkUnreadable, match="no watermark reads back"):
        marker.mark_all(IMAGES[1], STAMP, DEFAULT, write=marker.prepare(IMAGES, IDS)[1])  # another picture's id


def test_pictures_too_small_to_be_marked_do_not_spoil_the_preparation(tmp_path):
    chain = make_development_chain(tmp_path)
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    marker = Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0", writer=TorchWriter("cpu"))
    assert len(marker.prepare(np.zeros((2, 32, 32, 3), np.uint8), IDS)) == 2


def test_numpy_writes_nothing_before_it_is_asked_and_once_a_scheme(monkeypatch):
    written = []
    embed = watermark.embed
    monkeypatch.setattr(watermark, "embed", lambda *given: written.append(given[1]) or embed(*given))
    writes = NumpyWriter().prepare(IMAGES, IDS)
    assert written == []
    scheme = watermark.ladder(IMAGES[0])[0]
    writes[1](scheme)
    writes[1](scheme)
    assert written == [5]
