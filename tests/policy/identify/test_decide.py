"""What the layers of identification say together: a table of cases, and the chance that an answer is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.identify.answer import Examined, IdentificationFinding, KnownAsset, WatermarkRead
from policy.identify.decide import decide, false_match_probability, hash_chance, manifest_layer
from policy.identify.register import log10_chance

ASSET, OTHER = KnownAsset("a", 1, "released", "acme"), KnownAsset("b", 2, "released", "acme")
FIT = Examined(
    ASSET, ("features",), None, 9, True, "features", 0, 60, 80, -90.0, 0.98, 0.95, 0.9, 1.0, None, True, True
)
CODE = WatermarkRead(1, "s", 3, 127, 1e-30, ASSET, "aligned")
NO_MANIFEST = manifest_layer(None, lambda _: None)


def test_an_unknown_code_on_our_content_conflicts_and_on_no_content_says_nothing() -> None:
    stray = WatermarkRead(99, "s", 0, 127, 1e-9, None, "whole")
    assert decide(NO_MANIFEST, stray, [FIT], indexed=10, picture={}).finding is IdentificationFinding.CONFLICTING
    assert decide(NO_MANIFEST, stray, [], indexed=10, picture={}).finding is IdentificationFinding.NOT_FOUND


def test_the_code_decides_between_twins() -> None:
    near = replace(FIT, asset=OTHER, likeness=0.999, detail=0.999)
    answer = decide(NO_MANIFEST, None, [near, replace(FIT, code=CODE)], indexed=10, picture={})
    assert (answer.asset, answer.verified) == (ASSET, True)


def test_content_that_only_resembles_is_no_answer() -> None:
    like = replace(FIT, content_sure=False)
    assert decide(NO_MANIFEST, None, [like], indexed=10, picture={}).finding is IdentificationFinding.NOT_FOUND


def test_the_chance_grows_with_the_index_and_shrinks_with_the_evidence() -> None:
    alone = false_match_probability(FIT, None, [FIT], 1_000_000)
    assert alone == pytest.approx(1e6 * 1e-90)
    assert false_match_probability(FIT, None, [FIT], 10) < alone
    both = replace(FIT, code=CODE)
    assert false_match_probability(both, None, [both], 1_000_000) < alone * 1e-25
    assert hash_chance(0) < hash_chance(40) < hash_chance(100) < 0.5 < hash_chance(160) <= 1
    assert log10_chance(40, 50, (512, 512)) < log10_chance(10, 50, (512, 512))
    assert log10_chance(4, 50, (512, 512)) > 0


def test_a_damaged_code_counts_and_is_told() -> None:
    """A frame searched for in the original has no formula of its own; what is left of its code has one."""
    searched = replace(FIT, method="search", hash_distance=None)
    assert decide(NO_MANIFEST, None, [searched], indexed=10, picture={}).false_match_probability is None
    answer = decide(NO_MANIFEST, None, [replace(searched, code_chance=1e-9)], indexed=10, picture={})
    assert answer.false_match_probability == pytest.approx(1e-8)
    assert "leans to it" in " ".join(answer.reasons)
    assert not answer.verified
