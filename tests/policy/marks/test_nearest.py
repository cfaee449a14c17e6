"""Informed watermark read: the right id of many from bits no blind read can use, none from a foreign picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.marks import nearest, payload, watermark
from tests.support.pictures import jpeg, product, texture

ID = 0xABCDEF012345
LARGE = watermark.SCHEMES[0]
OTHERS = [int(id) for id in np.random.default_rng(7).integers(0, 1 << payload.ID_BITS, 2000)]


def soft(bits):
    return bits.astype(np.float32) * 2 - 1


@given(st.lists(st.integers(0, (1 << payload.ID_BITS) - 1), min_size=1, max_size=5))
def test_many_ids_at_once_have_the_bits_of_each(ids):
    assert np.array_equal(nearest.encode_all(ids), np.stack([payload.encode(id) for id in ids]))


def test_the_right_id_is_found_among_thousands_with_22_wrong_bits_and_not_with_23():
    chance = np.random.default_rng(1)
    for wrong, expected in ((0, True), (11, True), (22, True), (23, False)):
        bits = payload.encode(ID)
        bits[chance.choice(payload.CODE_BITS, wrong, replace=False)] ^= 1
        found = nearest.match(soft(bits), [*OTHERS, ID])
        assert found == (nearest.Match(ID, wrong, 127) if expected else None)


def test_random_bits_match_none_of_thousands():
    chance = np.random.default_rng(2)
    words = chance.normal(0, 1, (50, payload.CODE_BITS)).astype(np.float32)
    assert all(nearest.match(word, OTHERS) is None for word in words)


def test_sure_bits_outweigh_unsure_ones():
    """Two ids fit equally many bits; the one whose wrong bits were unsure is the answer."""
    one, other = payload.encode(5), payload.encode(ID)
    differing = np.flatnonzero(one != other)
    word = soft(other)
    word[differing[: len(differing) // 2]] = 0.1 * soft(one)[differing[: len(differing) // 2]]
    found = nearest.match(word, [5, ID], at_most=1)
    assert found.watermark_id == ID


def test_the_chance_of_a_false_match_is_the_one_the_documents_name():
    assert nearest.Match(1, 22, 127).false_probability == pytest.approx(1.83e-14, rel=0.01)
    assert nearest.Match(1, 22, 127).false_probability <= nearest.MAX_FALSE_PROBABILITY
    assert nearest.Match(1, 23, 127).false_probability > nearest.MAX_FALSE_PROBABILITY
    assert nearest.Match(1, 0, 127).false_probability < 1e-38


def test_bits_that_were_not_heard_count_neither_way_and_allow_fewer_wrong_ones():
    word = soft(payload.encode(ID))
    word[60:] = 0
    assert nearest.match(word, [*OTHERS, ID]) == nearest.Match(ID, 0, 60)
    word[:5] *= -1
    assert nearest.match(word, [*OTHERS, ID]) is None
    assert nearest.match(np.zeros(payload.CODE_BITS, np.float32), [*OTHERS, ID]) is None


def test_no_candidates_no_match_and_no_id_beyond_48_bits():
    assert nearest.match(soft(payload.encode(ID)), []) is None
    with pytest.raises(ValueError, match="48 bits"):
        nearest.encode_all([1 << 48])


def test_a_jpeg_too_coarse_for_a_blind_read_still_matches():
    copies = [jpeg(watermark.embed(texture(512, 512, seed=s), ID, LARGE), 45) for s in range(4)]
    assert None in [watermark.read(copy) for copy in copies]
    found = [nearest.match(watermark.soft_bits(copy, LARGE), [*OTHERS, ID]) for copy in copies]
    assert all(match is not None and match.watermark_id == ID for match in found)


def test_the_part_that_a_crop_left_is_enough_when_it_lies_where_it_lay():
    marked = watermark.embed(product(800, 600), ID, LARGE)
    known = np.zeros((600, 800), np.uint8)
    known[150:450, 200:600] = 255  # a quarter of the picture
    cropped = np.where(known[..., None] > 0, marked, 90).astype(np.uint8)
    assert watermark.read(cropped) is None
    found = nearest.match(watermark.soft_bits(cropped, LARGE, known), [*OTHERS, ID])
    assert found is not None
    assert found.watermark_id == ID
    whole = np.full_like(known, 255)
    assert np.array_equal(watermark.soft_bits(marked, LARGE, whole), watermark.soft_bits(marked, LARGE))


def test_an_unmarked_picture_laid_onto_a_marked_one_matches_nothing():
    for seed in range(10):
        image = np.asarray(cv2.resize(texture(300, 300, seed=seed), (512, 512)), np.uint8)
        assert nearest.match(watermark.soft_bits(image, LARGE), [*OTHERS, ID]) is None


def test_a_scheme_is_found_by_the_name_in_the_evidence():
    assert [watermark.scheme_named(scheme.name) for scheme in watermark.SCHEMES] == list(watermark.SCHEMES)
    assert watermark.scheme_named("dwtDctSvd-64/36") is None


def test_soft_bits_agree_with_the_hard_ones():
    image = watermark.embed(product(700, 500), ID, LARGE)
    tallies = watermark.soft_bits(image, LARGE)
    assert np.array_equal(tallies > 0, watermark.read_bits(image, LARGE) > 0)
    assert np.abs(tallies).max() <= 1
