"""Code of the watermark: right or not found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.marks import payload

IDS = st.integers(0, (1 << payload.ID_BITS) - 1)


@given(IDS, st.sets(st.integers(0, payload.CODE_BITS - 1), max_size=payload.CORRECTABLE_BITS))
def test_ten_wrong_bits_anywhere_are_corrected_and_counted(watermark_id, wrong):
    bits = payload.encode(watermark_id)
    bits[list(wrong)] ^= 1
    assert payload.decode(bits) == payload.Payload(watermark_id, len(wrong))


def test_more_wrong_bits_than_the_code_forgives_are_never_read_as_an_id():
    chance = np.random.default_rng(1)
    for wrong in range(payload.CORRECTABLE_BITS + 1, 24):
        for _ in range(40):
            bits = payload.encode(int(chance.integers(0, 1 << payload.ID_BITS)))
            bits[chance.choice(payload.CODE_BITS, wrong, replace=False)] ^= 1
            assert payload.decode(bits) is None


def test_random_words_are_not_found():
    chance = np.random.default_rng(2)
    assert not any(payload.decode(chance.integers(0, 2, payload.CODE_BITS).astype(np.uint8)) for _ in range(3000))


@pytest.mark.parametrize("word", [[0] * 127, [1] * 127, [0, 1] * 64, [0, 0, 1, 1] * 32], ids=str)
def test_words_that_flat_pictures_give_are_not_found(word):
    assert payload.decode(np.array(word[:127], np.uint8)) is None


@given(IDS, IDS)
def test_two_ids_differ_in_at_least_21_of_their_bits(one, other):
    assert one == other or payload.distance(payload.encode(one), other) > 2 * payload.CORRECTABLE_BITS


def test_a_reader_may_forgive_less():
    bits = payload.encode(7)
    bits[:10] ^= 1
    assert payload.decode(bits, correct=10) is not None
    assert payload.decode(bits, correct=9) is None


@pytest.mark.parametrize("watermark_id", [-1, 1 << 48])
def test_an_id_outside_of_48_bits_is_refused_by_name(watermark_id):
    with pytest.raises(ValueError, match="48 bits"):
        payload.encode(watermark_id)


def test_the_bits_of_an_id_never_change():
    """Pictures marked by any earlier version must stay readable."""
    assert np.packbits(payload.encode(0xABCDEF012345)).tobytes().hex() == "0035ff6064d475ebaddfef7e085728a2"
