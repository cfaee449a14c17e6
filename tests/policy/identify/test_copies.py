"""Copies of the world that were lost or called conflicting, each of a kind that was, held against one library."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench.identify import asked_of
from bench.pictures.artworks import artwork
from bench.pictures.copies.listed import COPIES
from bench.pictures.gallery import Released, Shelf
from bench.pictures.scenes import scene
from bench.pictures.siblings import staged
from bench.pictures.transplants import TRANSPLANTS
from policy.fingerprints import turned
from policy.identify.answer import PARTLY
from policy.identify.content.agreement import agreement
from policy.identify.content.places import SIDE
from policy.marks import watermark
from policy.marks.pure_ground import pure_ground
from tests.support.pictures import jpeg
from tests.support.products import bottle


@pytest.fixture(scope="module")
def shelf() -> tuple[Shelf, list[Released]]:
    made = []
    for number, image in enumerate((staged(4), artwork(2_006), scene(2_003))):
        small = np.asarray(cv2.resize(image, (512, 512), interpolation=cv2.INTER_AREA), np.uint8)
        marked = watermark.embed(small, 77 + number, watermark.ladder(small)[0])
        made.append(Released(str(number), 77 + number, marked, {}))
    return Shelf(made), made


@pytest.mark.parametrize(
    ("way", "number", "findings"),
    [
        ("negative film", 0, {"ours"}),
        ("adobe rgb untagged", 0, {"ours", "ours_altered"}),
        ("opaque strip", 1, {"ours_altered"}),  # it was conflicting: the strip outweighs products on white
        ("5 stickers", 0, {"ours_altered"}),  # it was ours: a tone was undone, and the brightest places were unknown
        ("dark mode", 0, {"ours", "ours_altered"}),
        ("light leak", 2, {"ours_altered", "shares_content"}),  # it was not found
        ("posterised to 6 levels", 2, {"ours_altered", "shares_content"}),
    ],
)
def test_a_copy_is_found(shelf: tuple[Shelf, list[Released]], way: str, number: int, findings: set[str]) -> None:
    image = COPIES[way](shelf[1][number].marked, np.random.default_rng(1))
    answer, _ = asked_of(image, shelf[0])
    assert answer.finding.value in findings, answer.to_json()
    assert answer.asset is not None
    assert answer.asset.asset_id == str(number)


@pytest.mark.parametrize("turn", [0, 1, 6])
def test_a_picture_put_on_ours_stays_in_the_map_whatever_its_edges_cut_off(turn: int) -> None:
    """It was verified: the strip above the other picture was taken for all of ours that was there."""
    source, kind = staged(9), "a fourth replaced"
    marked = watermark.embed(source, 99, watermark.ladder(source)[0])
    covered = TRANSPLANTS[kind](source, marked, source, 99, np.random.default_rng((sum(kind.encode()), 23, 0)))
    answer, _ = asked_of(turned(covered, turn), Shelf([Released("9", 99, marked, {})]))
    assert (answer.finding.value, answer.verified) == ("ours_altered", False)
    assert answer.agreement is not None
    assert 0.15 < answer.agreement.other < 0.45


@pytest.mark.parametrize(("side", "quality"), [(1024, 90), (384, 85)])
@pytest.mark.parametrize("ground", ["white", "black"])
def test_a_copy_of_a_product_on_pure_ground_is_found_by_its_code(ground: str, side: int, quality: int) -> None:
    """It was told to share content: only the schemes that mark the whole picture were held against it."""
    shot = bottle(512, ground=ground, seed=3).picture
    pure = pure_ground(shot)
    assert pure is not None
    marked = watermark.embed(shot, 99, watermark.off_ground(watermark.ladder(shot)[pure.leaves_little]), pure.where)
    copied = jpeg(np.asarray(cv2.resize(marked, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8), quality)
    answer, _ = asked_of(copied, Shelf([Released("3", 99, marked, {})]))
    assert (answer.finding.value, answer.verified) == ("ours", True)


def test_a_page_around_a_crop_is_something_else_however_thin_it_is() -> None:
    """It passed for specks, so that the page counted as what goes on around the crop, and the crop as altered."""
    source = np.asarray(cv2.resize(scene(8), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    page, around = np.full_like(source, 250), np.full((SIDE, SIDE), 255, np.uint8)
    around[6:, :-6] = 0  # so thin that two places are left beside the rims
    assert agreement(page, around, source).same == 1.0
    assert agreement(page, around, source, specks=True).same < PARTLY
    assert agreement(source, around, source, specks=True).same == 1.0


def test_another_object_in_the_scene_shares_content_and_no_more(shelf: tuple[Shelf, list[Released]]) -> None:
    other = np.asarray(cv2.resize(staged(4, thing=1), (512, 512), interpolation=cv2.INTER_AREA), np.uint8)
    answer, _ = asked_of(other, shelf[0])
    assert answer.finding.value in ("shares_content", "not_found")
    assert not answer.verified
