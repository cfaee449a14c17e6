"""Index of fingerprints and what its local codes are made of: grown or made at once, rare words, mirrors."""

from __future__ import annotations

import numpy as np

from bench.pictures.scenes import scene
from policy.fingerprints import HASH_BYTES, fingerprint
from policy.identify.descriptors import DESCRIPTORS_KEPT, binary_descriptors, projections
from policy.identify.features import features, mirrored
from policy.identify.hashes import EXACT_ROWS, Hashes
from policy.identify.index import Index, IndexEntry


def test_an_index_grown_in_pieces_answers_like_one_made_at_once() -> None:
    images = [scene(seed) for seed in range(6)]
    found = [features(image) for image in images]
    entries = [
        IndexEntry(fingerprint(i), binary_descriptors(f, most=DESCRIPTORS_KEPT))
        for i, f in zip(images, found, strict=True)
    ]
    grown = Index()
    for entry in entries * 3:
        grown.add([entry])
    whole = Index()
    whole.add(entries * 3)
    asked = [entries[4].fingerprint.whole]
    assert grown.nearest(asked, most=5) == whole.nearest(asked, most=5)
    assert grown.nearest(asked, most=1)[0].distance == 0
    projected = projections(found[4].descriptors)
    votes = {each.number: each.votes for each in grown.voted(projected, most=30)}
    assert votes == {each.number: each.votes for each in whole.voted(projected, most=30)}
    assert {4, 10, 16} <= set(sorted(votes, key=lambda number: -votes[number])[:3])


def test_a_mirrored_picture_s_features_need_not_be_looked_for() -> None:
    image = scene(2)
    found, looked_for = mirrored(features(image)), features(np.ascontiguousarray(image[:, ::-1]))
    alike = found.descriptors @ looked_for.descriptors.T
    pairs = np.flatnonzero(alike.max(axis=1) > 0.97)
    apart = np.abs(found.places[pairs] - looked_for.places[alike.argmax(axis=1)[pairs]]).max(axis=1)
    assert len(pairs) > 0.6 * len(found)
    assert float(np.median(apart)) < 1


def test_a_word_that_many_share_weighs_less_than_one_that_is_rare() -> None:
    """Plain edges are everywhere: counted alike, their votes drowned the right picture among sixty others."""
    chance = np.random.default_rng(0)
    common, rare = (chance.integers(1 << 63, size=count, dtype=np.uint64) for count in (6, 2))
    fingerprints = fingerprint(scene(0))
    index = Index()
    index.add([IndexEntry(fingerprints, common) for _ in range(40)])
    index.add([IndexEntry(fingerprints, rare)])
    bits = [[word >> place & 1 for place in range(64)] for word in map(int, [*common, *rare])]
    (first, *_) = index.voted(np.array(bits, np.float32) - np.float32(0.5), most=5)
    assert first.number == 40


def test_an_empty_index_finds_nothing() -> None:
    index = Index()
    index.add([])
    assert index.nearest([bytes(32)], most=3) == []
    assert index.nearest_crops([bytes(32)], most=3) == []
    assert index.voted(np.ones((4, 64), np.float32), most=3) == []


def test_a_near_hash_is_found_among_so_many_that_not_all_are_compared_whole() -> None:
    chance = np.random.default_rng(2)
    rows = chance.integers(0, 256, (EXACT_ROWS + 5_000, HASH_BYTES), np.uint8)
    hashes = Hashes(1)
    hashes.add(rows)
    for number in (0, 77_777, EXACT_ROWS + 4_999):
        turned = np.unpackbits(rows[number])
        turned[chance.choice(256, 40, replace=False)] ^= 1
        (first, *_) = hashes.nearest([bytes(32), np.packbits(turned).tobytes()], most=3)
        assert (first.number, first.distance, first.query) == (number, 40, 1)
