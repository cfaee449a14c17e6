"""Masks: what a picture or a person states, what is estimated, and when a person has to look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policy.verdict import Decision
from tests.support.masks import TrueFinder
from tests.support.products import Shot, bottle
from workers.errors import MaskRefused
from workers.masks import choose, ground, measures
from workers.masks.mask import Alpha, MaskSource, decode, encode, from_alpha, supplied
from workers.masks.measures import MaskFault, MaskMeasures, scored

SIDE = 200


@pytest.fixture(scope="module")
def shot() -> Shot:
    return bottle(SIDE, shadow=0.4)


def block(left: int = 60, right: int = 140) -> Alpha:
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[40:160, left:right] = 255
    return alpha


def test_transparency_comes_before_a_supplied_mask_and_that_before_the_network(shot: Shot) -> None:
    finder = TrueFinder(block())
    both = choose.choose(shot.picture, finder, alpha=shot.alpha, given=block())
    assert (both.mask.source, both.mask.alpha.tolist()) == (MaskSource.ALPHA, shot.alpha.tolist())
    assert choose.choose(shot.picture, finder, given=block()).mask.source is MaskSource.SUPPLIED
    opaque = np.full((SIDE, SIDE), 255, np.uint8)
    assert choose.choose(shot.picture, finder, alpha=opaque).mask.source is MaskSource.NETWORK
    assert choose.choose(shot.picture, None).mask.source is MaskSource.GROUND


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((SIDE, SIDE + 1), np.uint8), "the mask has 201 x 200 pixels, its picture has 200 x 200"),
        (np.zeros((SIDE, SIDE), np.uint8), "the mask is empty"),
        (np.full((SIDE, SIDE), 255, np.uint8), "the mask is full"),
        (np.zeros((SIDE, SIDE, 3), np.uint8), "has to be one channel of 8 bits"),
        (np.zeros((SIDE, SIDE), np.float32), "has to be one channel of 8 bits"),
    ],
    ids=["size", "empty", "full", "colour", "floats"],
)
def test_a_mask_that_cannot_be_used_is_refused_in_words(shot: Shot, given: np.ndarray, said: str) -> None:
    with pytest.raises(MaskRefused, match=said):
        choose.choose(shot.picture, None, given=given)
    with pytest.raises(MaskRefused, match=said):  # even where transparency decides
        choose.choose(shot.picture, None, alpha=shot.alpha, given=given)


def test_a_wholly_transparent_picture_has_no_product() -> None:
    with pytest.raises(MaskRefused, match="the picture's transparency is empty"):
        from_alpha(np.zeros((8, 8), np.uint8))


def test_a_stored_mask_comes_back_with_its_digest(shot: Shot) -> None:
    kept = supplied(shot.alpha, shot.picture.shape)
    again = decode(encode(kept), kept.source, kept.method)
    assert again.sha256 == kept.sha256
    other = shot.alpha.copy()
    other[0, 0] ^= 1
    assert supplied(other, other.shape).sha256 != kept.sha256
    turned = np.zeros((2, 8), np.uint8)
    turned[0, 0] = 255  # the same bytes in another shape are another mask
    assert supplied(turned, (2, 8)).sha256 != supplied(turned.reshape(8, 2), (8, 2)).sha256
    with pytest.raises(MaskRefused, match="no grey PNG"):
        decode(b"nothing", kept.source, "")


@pytest.mark.parametrize("shadow", [0.0, 0.4])
@pytest.mark.parametrize("before", ["white", "black", "studio"])
def test_a_uniform_ground_gives_the_mask_without_the_shadow(before: str, shadow: float) -> None:
    shot = bottle(SIDE, ground=before, shadow=shadow if before != "black" else 0.0)
    found = choose.by_ground(shot.picture, (200, 195, 187) if before == "studio" else None)
    assert measures.overlap(found.mask.product, shot.alpha >= 128) > 0.86  # with hairs, at this size
    assert found.mask.method.startswith("ground #")


def test_a_busy_ground_is_no_key(shot: Shot) -> None:
    busy = bottle(SIDE, ground="busy").picture
    assert ground.keyed(busy) is None
    for way in (choose.by_ground, lambda picture: choose.choose(picture, None)):
        with pytest.raises(MaskRefused, match="send a mask"):
            way(busy)
    with pytest.raises(MaskRefused, match="send a mask"):
        choose.by_ground(np.full((64, 64, 3), 255, np.uint8))


def test_a_network_that_finds_nothing_is_a_refusal(shot: Shot) -> None:
    for alpha in (np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 255, np.uint8)):
        with pytest.raises(MaskRefused, match="finds no product"):
            choose.choose(shot.picture, TrueFinder(alpha))


def test_a_true_mask_passes_and_one_beside_the_product_is_held(shot: Shot) -> None:
    right = choose.choose(shot.picture, TrueFinder(shot.alpha))
    assert (right.check.hold, right.check.faults) == (False, ())
    assert right.check.measures.second_method == "ground #ffffff"
    wrong = choose.choose(shot.picture, TrueFinder(block(20, 90)))
    assert wrong.check.hold
    assert MaskFault.DISAGREE in wrong.check.faults
    assert "two methods agree on" in " ".join(wrong.check.sentences)


def test_the_shadow_in_a_mask_is_no_disagreement_and_half_of_the_ground_is(shot: Shot) -> None:
    keyed = ground.keyed(shot.picture)
    assert keyed is not None
    assert ground.agreement(keyed.shadowed, keyed) == 1.0
    assert ground.agreement(keyed.shadowed | (np.mgrid[:SIDE, :SIDE][1] < 60), keyed) < measures.LEAST_AGREEMENT


def test_a_ground_that_is_not_even_hides_no_fault_and_makes_none() -> None:
    """Painted and lit grounds vary by more than a studio's paper; the right mask must not be held for that."""
    picture = np.full((SIDE, SIDE, 3), (150, 200, 240), np.uint8)
    picture[:, np.arange(SIDE) // 10 % 3 == 0, 0] += 9
    picture[30:170, 50:150] = (176, 200, 240)  # a light around the product
    picture[40:160, 60:140] = (200, 60, 60)
    keyed = ground.keyed(picture)
    assert keyed is not None
    assert keyed.without.sum() > keyed.certain.sum() == 9600
    assert not choose.choose(picture, TrueFinder(block())).check.hold
    assert MaskFault.DISAGREE in choose.choose(picture, TrueFinder(block(60, 110))).check.faults


def test_an_enclosed_hole_of_the_ground_s_colour_is_for_a_person() -> None:
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[40:160, 60:140] = (30, 60, 90)
    picture[60:120, 80:120] = 255
    filled = block()
    found = choose.choose(picture, TrueFinder(filled))
    assert found.check.faults == (MaskFault.DISAGREE,)
    holed = filled.copy()
    holed[60:120, 80:120] = 0
    assert not choose.choose(picture, TrueFinder(holed)).check.hold


def test_without_a_uniform_ground_the_mirrored_answer_is_the_second_method() -> None:
    busy = bottle(SIDE, ground="busy", seed=1)
    same = choose.choose(busy.picture, TrueFinder(busy.alpha))
    assert (same.check.measures.agreement, same.check.hold) == (1.0, False)
    other = choose.choose(busy.picture, TrueFinder(busy.alpha, block(20, 90)))
    assert MaskFault.DISAGREE in other.check.faults


GOOD = MaskMeasures(area=0.3, border=0.0, apart=0.0, soft=0.0, agreement=0.99)


@pytest.mark.parametrize(
    ("better", "worse", "fault"),
    [
        ({"area": 0.031}, {"area": 0.029}, MaskFault.AREA),
        ({"area": 0.89}, {"area": 0.91}, MaskFault.AREA),
        ({"border": 0.019}, {"border": 0.021}, MaskFault.BORDER),
        ({"apart": 0.09}, {"apart": 0.11}, MaskFault.PARTS),
        ({"soft": 0.049}, {"soft": 0.051}, MaskFault.SOFT),
        ({"agreement": 0.86}, {"agreement": 0.84}, MaskFault.DISAGREE),
    ],
)
def test_each_measure_holds_beyond_its_limit(
    better: dict[str, float], worse: dict[str, float], fault: MaskFault
) -> None:
    passing, held = scored(replace(GOOD, **better)), scored(replace(GOOD, **worse))
    assert (passing.hold, passing.faults) == (False, ())
    assert (held.hold, held.faults) == (True, (fault,))
    assert held.score < measures.PASSES <= passing.score < scored(GOOD).score
    assert len(held.sentences) == 1
    (finding,) = held.findings
    assert (finding.decision, finding.rule, finding.detail) == (Decision.HOLD, f"mask/{fault}", held.sentences[0])
    assert passing.findings == ()


def test_the_worst_fault_comes_first_and_a_record_says_all() -> None:
    found = scored(replace(GOOD, area=0.02, border=0.5))
    assert found.faults == (MaskFault.BORDER, MaskFault.AREA)
    assert found.to_json() == {
        "score": 0.0,
        "faults": ["border", "area"],
        "area": 0.02,
        "border": 0.5,
        "apart": 0.0,
        "soft": 0.0,
        "agreement": 0.99,
        "second_method": "",
    }
    assert scored(replace(GOOD, agreement=None)).to_json()["agreement"] is None


def test_measures_see_borders_parts_and_soft_pixels() -> None:
    two = block(10, 60) | block(120, 170)
    assert measures.check(supplied(two, two.shape)).measures.apart == pytest.approx(0.5)
    left = block(0, 80)
    assert measures.check(supplied(left, left.shape)).measures.border == pytest.approx(120 / (4 * SIDE - 4))
    soft = block()
    soft[80:120, 80:120] = 140
    assert measures.check(supplied(soft, soft.shape)).measures.soft == pytest.approx(1600 / 9600, abs=0.01)
    assert measures.check(supplied(block(), (SIDE, SIDE))).measures.soft == 0
