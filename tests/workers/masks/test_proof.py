"""Proof of a locked product: what a buyer can repeat from a file and the source picture alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from deploy.commands.audit.delivered.lock import lock as lock_command
from policy.intake.picture import open_picture
from policy.marks.channels.channel import Channel
from policy.marks.encode import decode
from policy.marks.marker import Marked, Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.manifest import ManifestReader
from policy.marks.provenance.signing import LocalSigner
from tests.policy.marks.test_marker import STAMP
from tests.support.pictures import texture
from tests.support.products import bottle
from workers.errors import MaskRefused
from workers.intake.sanitise import encoded
from workers.masks import proof
from workers.masks.backgrounds import RemovedBackground, remove_background, replace_background
from workers.masks.options import GroundOptions, Placement

SIDE = 224
SHOT = bottle(SIDE, ground="studio", seed=1)
CHANNELS = (Channel("square", 300, 300, fit="pad"), Channel("wide", 200, 120, fit="cover"))
PLACES = (Placement(), Placement(0.55, 0.5), Placement(0.5, 0.5, 0.7), Placement(0.45, 0.5, 1.3))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make_development_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def marker(chain):
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    return Marker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")


@pytest.fixture(scope="module")
def removed() -> RemovedBackground:
    return remove_background(SHOT.picture, None, given=SHOT.alpha)


def delivered(marker, removed, placement=PLACES[0], channels=CHANNELS, **options) -> tuple[Marked, ...]:
    made = replace_background(removed, texture(260, 240, seed=5), GroundOptions(placement))
    lock = proof.lock_of(SHOT.picture, made, **options)
    return marker.mark_all(made.picture, STAMP, ("original", "jpeg", "webp"), channels=channels, lock=lock)


@pytest.mark.parametrize("placement", PLACES, ids=str)
def test_every_file_of_a_locked_product_passes_the_buyer_s_check(marker, chain, removed, placement):
    reader = ManifestReader(chain.anchors.read_text())
    files = delivered(marker, removed, placement)
    assert [file.name for file in files] == ["original", "jpeg", "webp", "square", "wide"]
    for file in files:
        manifest = reader.read(file.data, file.media_type)
        pixels = decode(file.data, file.media_type)
        steps, expected, shape = proof.audit(pixels, manifest, SHOT.picture)
        assert {step.name: step.holds for step in steps} == {
            "manifest": True, "source": True, "before marks": True, "product": True, "as recorded": True
        }, (file.name, steps)  # fmt: skip
        assert (shape == 255).mean() > 0.02
        assert expected.shape == pixels.shape


def test_a_pixel_that_is_not_the_source_s_never_gets_a_lock(removed):
    made = replace_background(removed, texture(SIDE, SIDE))
    y, x = np.argwhere(made.placed.alpha == 255)[3000]
    wrong = made.picture.copy()
    wrong[y, x, 0] ^= 1
    with pytest.raises(MaskRefused, match="up to 1 levels apart"):
        proof.lock_of(SHOT.picture, replace(made, picture=wrong))


@pytest.fixture(scope="module")
def files(marker, removed, chain, tmp_path_factory) -> Path:
    """A delivered file, its source, and the anchors."""
    home = tmp_path_factory.mktemp("buyer")
    (home / "file.png").write_bytes(delivered(marker, removed, channels=(), strict=True)[0].data)
    (home / "source.png").write_bytes(cv2.imencode(".png", SHOT.picture[..., ::-1])[1].tobytes())
    (home / "other.png").write_bytes(cv2.imencode(".png", 255 - SHOT.picture[..., ::-1])[1].tobytes())
    (home / "anchors.pem").write_text(chain.anchors.read_text())
    return home


def run(home: Path, file: str = "file.png", source: str = "source.png", *more: str):
    where = [str(home / file), "--source", str(home / source), "--anchors", str(home / "anchors.pem")]
    return CliRunner().invoke(lock_command, [*where, *more])


def test_the_command_says_yes_no_and_cannot_say(files):
    good = run(files, "file.png", "source.png", "--json")
    assert good.exit_code == 0, good.output
    said = json.loads(good.output)
    assert said["holds"]
    assert said["steps"]["product"]["found"].endswith("largest difference 0, mean 0.000")
    other = run(files, "file.png", "other.png")
    assert other.exit_code == 1
    assert "FAIL source        another picture than was recorded" in other.output
    assert "FAIL product" in other.output
    assert run(files, "source.png").exit_code == 1
    assert "carries no manifest" in run(files, "source.png").output
    (files / "none.png").write_bytes(b"\x89PNG nothing")
    assert run(files, "none.png").exit_code == 2


def test_colours_that_the_source_hides_are_no_other_picture(marker, files):
    """A task gets white where nothing is seen; the buyer has the file as it was sent."""
    hidden = np.where(SHOT.alpha[..., None] == 0, np.uint8(7), SHOT.picture)
    sent = cv2.imencode(".png", np.dstack([hidden[..., ::-1], SHOT.alpha]))[1].tobytes()
    task = open_picture(encoded(open_picture(sent, keep_alpha=True)), keep_alpha=True)
    made = replace_background(
        remove_background(task.pixels, None, given=task.alpha), texture(260, 240, seed=5), GroundOptions(PLACES[0])
    )
    (file,) = marker.mark_all(made.picture, STAMP, ("original",), lock=proof.lock_of(task.pixels, made, strict=True))
    (files / "layered.png").write_bytes(file.data)
    (files / "sent.png").write_bytes(sent)
    assert run(files, "layered.png", "sent.png").exit_code == 0


def test_a_file_that_was_changed_after_it_was_signed_is_named(files):
    changed = bytearray((files / "file.png").read_bytes())
    changed[-60] ^= 1
    (files / "changed.png").write_bytes(bytes(changed))
    found = run(files, "changed.png")
    assert found.exit_code in {1, 2}
    assert "FAIL manifest" in found.output or "Error" in found.output


@dataclass(frozen=True)
class Line:
    text: str
    confidence: float


class Reader:
    """Reads what was laid before it, one answer a picture."""

    def __init__(self, *answers: list[Line]) -> None:
        self.answers = answers

    def read(self, images):
        return [list(answer) for answer, _ in zip(self.answers, images, strict=True)]


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        ([Line("Fresh Milk", 0.95)], [Line("FRESHMILK", 0.9)], True),
        ([Line("Fresh Milk", 0.95)], [Line("Fresh Mi1k", 0.9)], False),
        ([Line("Fresh Milk", 0.95), Line("xq", 0.2)], [Line("Fresh Milk", 0.9)], True),
        ([], [], True),
        ([], [Line("SALE", 0.9)], False),
    ],
)
def test_writing_is_compared_by_its_letters(before, after, alike):
    step = proof.writing(Reader(before, after), SHOT.picture, SHOT.picture, SHOT.alpha)
    assert step.holds is alike


@pytest.mark.parametrize(
    "said",
    [
        {"canvas": {"width": 10**9, "height": 1}},
        {"canvas": "A"},
        {"place": {"left": 0, "top": 0, "scale": 1e9}},
        {"place": {"left": 1e300, "top": 0, "scale": 1}},
        {"frame": {"corner": {"x": 0}}},
        {"frame": []},
        {"after": {"bounds": {"largest": 255, "mean": 255}}},
    ],
    ids=str,
)
def test_a_record_that_anyone_wrote_gives_an_answer(marker, chain, removed, said):
    file = delivered(marker, removed, channels=())[0]
    manifest = ManifestReader(chain.anchors.read_text()).read(file.data, file.media_type)
    lock = manifest.generation["lock"] | said
    forged = replace(manifest, state="Valid", generation=manifest.generation | {"lock": lock})
    steps, _, _ = proof.audit(255 - decode(file.data, file.media_type), forged, SHOT.picture)
    assert [step for step in steps if step.holds is False]
