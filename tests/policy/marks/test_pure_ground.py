"""Pure grounds: white stays white and black stays black in every delivered file, and the watermark still reads."""

from __future__ import annotations

import numpy as np
import pytest

from policy.marks import watermark
from policy.marks.encode import decode
from policy.marks.marker import Marker
from policy.marks.pure_ground import KEPT, PureGround, pure_ground
from policy.marks.renditions import RENDITIONS
from tests.support.marking import STAMP, new_marker
from tests.support.pictures import BLACK, WHITE, flat, jpeg, product, resized, texture
from tests.support.products import bottle

ID = STAMP.watermark_id
ATTACKS = {
    "as is": lambda image: image,
    "jpeg 75": lambda image: jpeg(image, 75),
    "half": lambda image: resized(image, 0.5),
    "0.7, jpeg 90": lambda image: jpeg(resized(image, 0.7), 90),
}
SHOTS = {
    "ball": product(512, 512, seed=11),
    "bottle": bottle(512, seed=2).picture,  # 15 % of the picture, with hairs
    "bottle with shadow": bottle(512, shadow=0.35, seed=0, at=0.4).picture,
    "bottle on black": bottle(512, ground="black", seed=3).picture,
}


def ground_of(image: np.ndarray) -> PureGround:
    found = pure_ground(image)
    assert found is not None
    return found


@pytest.mark.parametrize("name", SHOTS)
def test_the_mark_leaves_every_ground_pixel_and_survives_copies(name: str) -> None:
    image = SHOTS[name]
    ground = ground_of(image)
    scheme = watermark.off_ground(watermark.ladder(image)[ground.leaves_little])
    marked = watermark.embed(image, ID, scheme, ground.where)
    assert ground.kept(image, marked) == 1.0
    assert (marked != image).any()
    for attack in ATTACKS.values():
        found = watermark.read(attack(marked))
        assert found is not None
        assert (found.watermark_id, found.scheme) == (ID, scheme)
    assert watermark.read(image) is None


def test_a_part_of_the_picture_holds_every_bit() -> None:
    scheme = watermark.OFF_GROUND[0]
    image = flat(512, 512, (90, 120, 60))
    where = np.zeros((512, 512), np.float32)
    where[100:260, 300:460] = 1  # a tenth
    marked = watermark.embed(image, ID, scheme, where)
    assert (marked[where == 0] == image[where == 0]).all()
    only = np.where(where[..., None] > 0, marked, 255).astype(np.uint8)
    found = watermark.read(only)
    assert found is not None
    assert found.watermark_id == ID


def test_a_mark_can_be_kept_out_of_the_product_instead() -> None:
    shot = bottle(512, ground="busy", seed=1)
    where = (shot.alpha == 0).astype(np.float32)
    for scheme in (watermark.SCHEMES[0], watermark.OFF_GROUND[0]):
        marked = watermark.embed(shot.picture, ID, scheme, where)
        assert (marked[shot.alpha > 0] == shot.picture[shot.alpha > 0]).all()
        found = watermark.read(jpeg(marked, 90))
        assert found is not None
        assert (found.watermark_id, found.scheme) == (ID, scheme)


@pytest.mark.parametrize("colour", [WHITE, BLACK])
def test_a_blank_picture_has_no_bits_off_its_ground(colour: tuple[int, int, int]) -> None:
    image = flat(512, 512, colour)
    assert watermark.read(watermark.embed(image, ID, watermark.OFF_GROUND[0], ground_of(image).where)) is None


def test_a_ground_is_connected_to_the_border_or_a_large_hole() -> None:
    image = texture(200, 200)
    assert pure_ground(image) is None
    image[:, :30] = 255
    image[80:120, 80:120] = 255  # a hole
    image[150:154, 150:154] = 255  # a highlight
    ground = ground_of(image)
    assert ground.pixels[:, :30].all()
    assert ground.pixels[80:120, 80:120].all()
    assert not ground.pixels[150:154, 150:154].any()
    assert ground.colour == "white"
    image[100, 2] = 254
    assert not ground_of(image).pixels[100, 2]
    assert ground_of(np.zeros((64, 64, 3), np.uint8)).colour == "black"
    assert ground_of(image).to_json(0.99912345)["kept"] == 0.99912


@pytest.fixture(scope="module")
def marker(tmp_path_factory: pytest.TempPathFactory) -> Marker:
    return new_marker(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def files(marker: Marker) -> dict[str, list[tuple[str, np.ndarray, dict]]]:
    made = {}
    for name in ("bottle", "bottle on black"):
        all_files = marker.mark_all(SHOTS[name], STAMP, tuple(RENDITIONS))
        made[name] = [(file.name, decode(file.data, file.media_type), file.evidence) for file in all_files]
    return made


@pytest.mark.parametrize("name", ["bottle", "bottle on black"])
def test_every_delivered_format_keeps_the_ground_and_reads(files: dict, name: str) -> None:
    ground = ground_of(SHOTS[name])
    for rendition, pixels, evidence in files[name]:
        kept = ground.kept(SHOTS[name], pixels)
        assert kept >= KEPT, rendition
        assert evidence["pure_ground"] == ground.to_json(kept)
        assert evidence["watermark"]["scheme"] == "dwtDctSvd-512/60/off-ground"
        assert evidence["watermark"]["psnr_db"] > 42


def test_a_ground_without_a_product_carries_the_mark_and_says_so(marker: Marker) -> None:
    blank = flat(128, 128, WHITE)
    marked = marker.mark(blank, STAMP)
    assert marked.evidence["pure_ground"]["kept"] < KEPT
    assert "off-ground" not in marked.evidence["watermark"]["scheme"]


def test_a_picture_without_a_pure_ground_has_no_such_evidence(marker: Marker) -> None:
    assert "pure_ground" not in marker.mark(texture(128, 128), STAMP).evidence
