"""Decision over the layers of identification: a table of cases, and the chance that an answer is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.identify.answer import Examined, IdentificationFinding, KnownAsset, WatermarkRead
from policy.identify.content.agreement import NOTHING
from policy.identify.decide import decide, false_match_probability, manifest_layer, overlap
from policy.identify.register import log10_chance

ASSET, OTHER = KnownAsset("a", 1, "released", "acme"), KnownAsset("b", 2, "released", "acme")
FIT = Examined(
    ASSET, ("features",), None, 9, True, "features", 0, 60, 80, -90.0, 0.98, 0.95, 0.9, 1.0, None, True, True
)
ALL = replace(NOTHING, same=1.0, other=0.0, structured=0.5, apart=0.3)
FAR = replace(ALL, apart=1.6)
PART = replace(NOTHING, same=0.6, other=0.2, structured=0.5)
FRAME = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
CODE = WatermarkRead(1, "s", 3, 127, 1e-30, ASSET, "aligned")
NO_MANIFEST = manifest_layer(None, lambda _: None)


def test_an_unknown_code_on_our_content_conflicts_and_on_no_content_says_nothing() -> None:
    stray = WatermarkRead(99, "s", 0, 127, 1e-9, None, "whole")
    assert decide(NO_MANIFEST, stray, [FIT], picture={}).finding is IdentificationFinding.CONFLICTING
    assert decide(NO_MANIFEST, stray, [], picture={}).finding is IdentificationFinding.NOT_FOUND


def test_the_code_decides_between_twins() -> None:
    near = replace(FIT, asset=OTHER, likeness=0.999, detail=0.999)
    answer = decide(NO_MANIFEST, None, [near, replace(FIT, code=CODE, agreement=ALL)], picture={})
    assert (answer.asset, answer.verified) == (ASSET, True)


def test_content_that_only_resembles_is_no_answer() -> None:
    like = replace(FIT, content_sure=False)
    assert decide(NO_MANIFEST, None, [like], picture={}).finding is IdentificationFinding.NOT_FOUND


@pytest.mark.parametrize(
    ("code", "chance", "agreement", "finding", "verified"),
    [
        (CODE, 1e-30, ALL, IdentificationFinding.OURS, True),
        (CODE, 1e-30, FAR, IdentificationFinding.OURS_ALTERED, False),
        (CODE, 1e-30, PART, IdentificationFinding.OURS_ALTERED, False),
        (None, 1e-9, ALL, IdentificationFinding.OURS, False),
        (None, 1e-9, PART, IdentificationFinding.OURS_ALTERED, False),
        (None, 1e-5, ALL, IdentificationFinding.SHARES_CONTENT, False),
        (None, 1.0, ALL, IdentificationFinding.SHARES_CONTENT, False),
    ],
)
def test_a_claim_needs_a_code_and_content_that_bears_it_out(code, chance, agreement, finding, verified) -> None:
    each = replace(FIT, code=code, code_chance=chance, agreement=agreement)
    answer = decide(NO_MANIFEST, None, [each], picture={})
    assert (answer.finding, answer.verified) == (finding, verified)
    assert (answer.false_match_probability is None) == (finding is IdentificationFinding.SHARES_CONTENT)


def test_a_picture_that_is_farther_than_copies_are_is_told_so() -> None:
    said = " ".join(decide(NO_MANIFEST, None, [replace(FIT, code=CODE, agreement=FAR)], picture={}).reasons)
    assert "1.6 times as far from it as copies do" in said


def test_a_code_on_a_picture_that_is_hardly_the_asset_s_claims_nothing() -> None:
    moved = replace(FIT, code=CODE, content_agrees=False, content_sure=False, agreement=replace(PART, same=0.1))
    named = replace(CODE, view="whole")
    answer = decide(NO_MANIFEST, named, [moved], picture={})
    assert (answer.finding, answer.asset) == (IdentificationFinding.CONFLICTING, None)
    assert "Marks can be moved" in " ".join(answer.reasons)


def test_content_that_fits_two_assets_names_neither() -> None:
    twin = replace(FIT, asset=OTHER, likeness=0.979)
    answer = decide(NO_MANIFEST, None, [FIT, twin], picture={})
    assert (answer.finding, answer.asset) == (IdentificationFinding.SHARES_CONTENT, None)
    assert "a, b" in " ".join(answer.reasons)
    far = replace(twin, likeness=0.9)
    assert decide(NO_MANIFEST, None, [FIT, far], picture={}).asset == ASSET


def test_two_assets_side_by_side_are_both_named_and_neither_mark_contradicts() -> None:
    left, right = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    one = replace(FIT, code=CODE, agreement=ALL, place=left)
    other = replace(one, asset=OTHER, code=replace(CODE, watermark_id=2, asset=OTHER), place=right, likeness=0.97)
    assert overlap(one, other) == 0
    answer = decide(NO_MANIFEST, replace(CODE, watermark_id=2, asset=OTHER), [one, other], picture={})
    assert (answer.finding, answer.asset) == (IdentificationFinding.OURS, ASSET)
    assert [each["asset_id"] for each in answer.to_json()["also"]] == ["b"]
    assert answer.for_tenant("acme")["also"] != answer.for_tenant("rival")["also"]
    same = replace(other, place=FRAME)
    assert decide(NO_MANIFEST, None, [one, same], picture={}).also == ()


def test_the_chance_is_that_of_the_code_alone() -> None:
    """Siblings of one model agree in content as a copy does: content adds nothing to the claim."""
    both = replace(FIT, code=CODE, code_chance=1e-30, agreement=ALL)
    assert false_match_probability(both, None, [both]) == pytest.approx(1e-30)
    assert false_match_probability(both, None, [both] * 9) == pytest.approx(9e-30)
    assert log10_chance(40, 50, (512, 512)) < log10_chance(10, 50, (512, 512))
    assert log10_chance(4, 50, (512, 512)) > 0


def test_a_damaged_code_counts_and_is_told() -> None:
    answer = decide(NO_MANIFEST, None, [replace(FIT, code_chance=1e-9, agreement=ALL)], picture={})
    assert answer.false_match_probability == pytest.approx(1e-9)
    assert "leans to that asset" in " ".join(answer.reasons)
    assert not answer.verified
