"""Channels: files in the sizes of the places where they are shown, each with its label and marks of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policy.errors import MarkError, MarkUnreadable
from policy.marks.channels.channel import MIN_CONTRAST, MIN_LABEL_SIZE, Channel, LabelStyle, label_texts, presets
from policy.marks.channels.fit import fit, product_box
from policy.marks.channels.label import contrast_of, draw_label
from policy.marks.encode import decode
from policy.marks.inspect import inspect
from policy.marks.marker import Marker, evidence
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from tests.policy.marks.test_marker import STAMP
from tests.support.pictures import WHITE, flat, product, texture

WIDE, TALL = Channel("wide", 300, 150), Channel("tall", 150, 300)
LABELLED = Channel("shop", 320, 400, fit="pad", background=(250, 250, 250), label=LabelStyle(language="de"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def marker(chain):
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    return Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")


def placed(x: int, y: int) -> np.ndarray:
    """A red product of 60 x 60 pixels on a light ground of 300 x 300."""
    picture = flat(300, 300, (235, 235, 230)).copy()
    picture[y : y + 60, x : x + 60] = (200, 30, 30)
    return picture


@pytest.mark.parametrize("at", [(0, 0), (120, 120), (240, 0), (10, 240)])
@pytest.mark.parametrize("channel", [WIDE, TALL, Channel("square", 100, 100)])
def test_cover_keeps_the_product_inside(at: tuple[int, int], channel: Channel) -> None:
    fitted = fit(placed(*at), channel)
    assert fitted.shape == (channel.height, channel.width, 3)
    factor = max(channel.width, channel.height) / 300
    red = int(((fitted[:, :, 0] > 150) & (fitted[:, :, 1] < 90)).sum())
    assert red == pytest.approx((60 * factor) ** 2, rel=0.12)


@pytest.mark.parametrize("channel", [WIDE, TALL])
@pytest.mark.parametrize(("top", "left", "height", "width"), [(20, 60, 260, 180), (120, 10, 60, 280), (5, 5, 290, 290)])
def test_a_product_that_is_larger_than_the_cut_stays_whole(
    channel: Channel, top: int, left: int, height: int, width: int
) -> None:
    picture = flat(300, 300, (235, 235, 230)).copy()
    picture[top : top + height, left : left + width] = (200, 30, 30)
    fitted = fit(picture, channel)
    assert fitted.shape == (channel.height, channel.width, 3)
    red = (fitted[:, :, 0] > 150) & (fitted[:, :, 1] < 90)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert rows[0] > 0
    assert rows[-1] < channel.height - 1
    assert columns[0] > 0
    assert columns[-1] < channel.width - 1
    assert len(columns) / len(rows) == pytest.approx(width / height, rel=0.06)


@pytest.mark.parametrize(("gravity", "row"), [("top", 20), ("bottom", 280), ("center", 150)])
def test_gravity_says_what_stays(gravity: str, row: int) -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[row - 10 : row + 10] = 255
    assert fit(picture, replace(WIDE, gravity=gravity)).max() == 255


def test_contain_lies_within_and_pad_fills_with_the_ground() -> None:
    picture = texture(100, 200)
    assert fit(picture, replace(WIDE, fit="contain")).shape == (150, 75, 3)
    padded = fit(picture, replace(WIDE, fit="pad", background=(1, 2, 3)))
    assert padded.shape == (150, 300, 3)
    assert {tuple(pixel) for pixel in padded[:, :110].reshape(-1, 3).tolist()} == {(1, 2, 3)}


def test_a_picture_without_a_product_counts_as_a_whole() -> None:
    assert product_box(flat(100, 200, WHITE)) == (0.0, 0.0, 1.0, 1.0)
    left, top, right, bottom = product_box(placed(90, 30))
    assert (left, top, right, bottom) == pytest.approx((0.3, 0.1, 0.5, 0.3), abs=0.02)


@pytest.mark.parametrize("language", label_texts())
@pytest.mark.parametrize("declared", ["generated", "modified"])
def test_a_label_is_large_and_has_contrast_on_any_ground(language: str, declared: str) -> None:
    for ground in (WHITE, (0, 0, 0), (128, 128, 128)):
        picture = flat(500, 611, ground)
        labelled, label = draw_label(picture, LabelStyle(size=MIN_LABEL_SIZE, position="top-left"), declared, language)
        assert label.text == label_texts()[language][declared]
        assert label.size >= MIN_LABEL_SIZE
        assert label.contrast >= MIN_CONTRAST
        changed = np.argwhere((labelled != picture).any(axis=2))
        assert changed.max(axis=0)[0] < 60, "only its corner"
        plate = labelled[changed.min(axis=0)[0] :, changed.min(axis=0)[1] :][: round(label.size * 500)]
        colours = [tuple(pixel) for pixel in plate.reshape(-1, 3).tolist()]
        assert contrast_of(max(colours, key=sum), min(colours, key=sum)) >= MIN_CONTRAST


def test_contrast_is_that_of_wcag() -> None:
    assert contrast_of((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast_of((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


def test_a_picture_that_is_too_narrow_for_its_words_is_not_released() -> None:
    with pytest.raises(MarkError, match="not legible"):
        draw_label(flat(64, 400, WHITE), LabelStyle(), "modified", "fi")


@pytest.mark.parametrize(
    "channel",
    [
        LABELLED,
        replace(WIDE, format="webp"),
        replace(TALL, quality=70),
        Channel("web", 128, 128, format="webp", quality=50),
    ],
)
def test_each_channel_carries_marks_of_its_own_in_its_final_bytes(marker, chain, channel: Channel) -> None:
    original, made = marker.mark_all(product(256, 256), STAMP, ("original",), channels=[channel])
    seen = inspect(made.data, chain.anchors.read_text())
    assert (seen.watermark.watermark_id, seen.manifest.state) == (STAMP.watermark_id, "Trusted")
    assert (made.width, made.height, made.name) == (channel.width, channel.height, channel.name)
    own = evidence([original, made])["renditions"][channel.name]
    assert own["declaration"] == "generated"
    if channel.label is None:
        assert own["label"] is None
        assert "label" not in seen.manifest.generation
    else:
        assert (own["label"]["text"], own["label"]["contrast"]) == ("KI-generiert", 18.85)
        assert seen.manifest.generation["label"] == "KI-generiert"
        assert decode(made.data, made.media_type).std() > 0


def test_the_language_of_the_row_counts_before_that_of_the_channel(marker) -> None:
    made = marker.mark_all(product(256, 256), STAMP, (), channels=[LABELLED], label_language="fr")[1]
    assert made.evidence["label"]["text"] == "Généré par IA"


def test_quality_falls_until_the_file_fits_and_what_cannot_fit_is_not_released(marker) -> None:
    picture = texture(600, 600)
    (_, free), (_, small) = (
        marker.mark_all(picture, STAMP, (), channels=[replace(WIDE, width=600, height=600, max_bytes=most)])
        for most in (None, 110_000)
    )
    assert len(small.data) <= 110_000 < len(free.data)
    with pytest.raises(MarkUnreadable, match="bytes"):
        marker.mark_all(picture, STAMP, (), channels=[replace(WIDE, width=600, height=600, max_bytes=20_000)])


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_channel(name: str) -> None:
    fields = {key: value for key, value in presets()[name].items() if key != "about"}
    channel = Channel.from_json({"name": name, **fields})
    assert Channel.from_json(channel.to_json()) == channel
    assert presets()[name]["about"]
