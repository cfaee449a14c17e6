"""Identification without services: copies are named, moved marks and forged manifests show, others are not found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from bench.pictures.artworks import artwork
from bench.pictures.attacks import ATTACKS
from bench.pictures.scenes import scene
from policy.fingerprints import Image, fingerprint
from policy.identify.answer import IdentificationFinding, KnownAsset, ManifestStanding
from policy.identify.content.compare import compare
from policy.identify.decide import manifest_layer
from policy.identify.descriptors import DESCRIPTORS_KEPT, binary_descriptors
from policy.identify.features import features
from policy.identify.index import Index, IndexEntry
from policy.identify.original import Original
from policy.identify.regions import regions
from policy.identify.register import (
    FRAME,
    by_features,
    by_search,
    lay_back,
    refined,
    resized,
    searched_luma,
)
from policy.identify.search import identify_pixels
from policy.intake.picture import Picture
from policy.marks import watermark
from policy.marks.provenance.manifest import Manifest


class Shelf:
    """A library in memory: pictures, marked, under ids "0", "1", ..."""

    def __init__(self, images: Sequence[Image]) -> None:
        chance = np.random.default_rng(4)
        self.known = [KnownAsset(str(n), int(chance.integers(1 << 48)), "released", "acme") for n in range(len(images))]
        self.marked = [
            watermark.embed(image, known.watermark_id, watermark.ladder(image)[0])
            for image, known in zip(images, self.known, strict=True)
        ]
        self.originals: list[Original | None] = [Original.of(image) for image in self.marked]
        self.index = Index()
        self.index.add([_entry(original) for original in self.originals if original])

    def by_id(self, asset_id: str) -> KnownAsset | None:
        return next((known for known in self.known if known.asset_id == asset_id), None)

    def by_watermark(self, watermark_id: int) -> KnownAsset | None:
        return next((known for known in self.known if known.watermark_id == watermark_id), None)

    def by_number(self, number: int) -> KnownAsset | None:
        return self.known[number]

    def original(self, asset: KnownAsset) -> Original | None:
        return self.originals[int(asset.asset_id)]

    def asked(self, image: Image, manifest: Manifest | None = None):
        height, width = image.shape[:2]
        opened = Picture(image, "image/png", width, height, "RGB", 1, 1, False, 0, b"")
        return identify_pixels(opened, manifest, self.index, self)


def _entry(original: Original) -> IndexEntry:
    return IndexEntry(fingerprint(original.pixels), binary_descriptors(original.features, most=DESCRIPTORS_KEPT))


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Five kinds of scenes, two variants each."""
    return Shelf([scene(seed, variant) for seed in range(5) for variant in range(2)])


@pytest.mark.parametrize(
    "attack",
    [
        *("jpeg 60", "resize 0.5", "crop 75%", "rotate 5", "quarter turn", "mirror", "border 10%"),
        *("screenshot", "mirror + crop + webp"),
    ],
)
def test_a_copy_is_named(shelf: Shelf, attack: str) -> None:
    for number in (1, 8):
        answer = shelf.asked(ATTACKS[attack](shelf.marked[number], np.random.default_rng(number)))
        near = {IdentificationFinding.OURS, *([IdentificationFinding.OURS_ALTERED] if attack == "screenshot" else [])}
        assert answer.finding in near, answer.to_json()  # a small screenshot may be worn more than a sibling differs
        assert answer.asset == shelf.known[number]


def test_content_and_code_together_verify(shelf: Shelf) -> None:
    answer = shelf.asked(shelf.marked[3])
    assert answer.verified
    assert answer.false_match_probability is not None
    assert answer.false_match_probability < 1e-12


@pytest.mark.parametrize("number", [0, 3, 4])
def test_a_crop_in_a_screenshot_is_compared_without_the_page_around_it(shelf: Shelf, number: int) -> None:
    """The page lay on the part of the original that the crop had lost, and spoke against it."""
    found = ATTACKS["screenshot + crop"](shelf.marked[number], np.random.default_rng(number))
    answer = shelf.asked(found)
    assert (answer.finding, answer.verified) == (IdentificationFinding.OURS, True)
    assert answer.asset
    assert answer.asset.asset_id == str(number)


def test_a_small_box_that_fits_well_is_no_better_than_the_whole() -> None:
    """Lights at night, made darker: one lamp explained itself so well that the picture was not found."""
    shelf = Shelf([artwork(37), scene(3)])
    answer = shelf.asked(ATTACKS["darker"](shelf.marked[0], np.random.default_rng(0)))
    assert answer.finding is IdentificationFinding.OURS


def test_without_colour_the_content_alone_is_named_and_claims_nothing(shelf: Shelf) -> None:
    answer = shelf.asked(ATTACKS["grey"](shelf.marked[2], np.random.default_rng(0)))
    shares = IdentificationFinding.SHARES_CONTENT
    assert (answer.finding, answer.asset, answer.verified) == (shares, shelf.known[2], False)
    assert answer.false_match_probability is None
    told = answer.for_tenant("rival")
    assert (told["made_here"], told["state"], told["asset_id"]) == (False, None, None)
    assert "no claim" in " ".join(answer.reasons)


@pytest.mark.parametrize("attack", ["contrast 0.7", "contrast 1.3", "gamma 0.7", "gamma 1.5", "brighter"])
def test_the_code_is_read_under_another_tone(shelf: Shelf, attack: str) -> None:
    for number in (2, 5):
        answer = shelf.asked(ATTACKS[attack](shelf.marked[number], np.random.default_rng(number)))
        assert answer.verified, answer.to_json()


@pytest.mark.parametrize("attack", ["contrast 0.7", "gamma 1.5"])
def test_undoing_the_tone_writes_no_code_onto_a_picture_that_has_none(shelf: Shelf, attack: str) -> None:
    """The tone is fitted to the marked original; the picture is the same one before it was marked."""
    for number in range(10):
        answer = shelf.asked(ATTACKS[attack](scene(number // 2, number % 2), np.random.default_rng(number)))
        assert not answer.verified, answer.to_json()


@pytest.mark.parametrize("kind", [10, 18, 3, 14])
def test_a_flat_twin_of_a_marked_picture_is_not_verified(kind: int) -> None:
    """To ask the marked original, place by place, what was cut off, let its code choose the places that spoke."""
    shelf = Shelf([artwork(kind), scene(2)])
    attacks = ("none", "brighter", "contrast 1.3")
    for variant in range(6):
        twin = artwork(kind, variant)  # 0: the picture itself before it was marked
        for attack in attacks if variant == 0 else (attacks[variant % 3],):
            answer = shelf.asked(ATTACKS[attack](twin, np.random.default_rng(variant)))
            assert not answer.verified, answer.to_json()
            assert all(each.code_chance > 1e-5 for each in answer.candidates)


def test_a_mark_moved_onto_another_picture_shows(shelf: Shelf) -> None:
    """The attacker reads our mark and writes it onto a picture of his own."""
    other = scene(31)
    moved = watermark.embed(other, shelf.known[0].watermark_id, watermark.ladder(other)[0])
    answer = shelf.asked(moved)
    assert (answer.finding, answer.verified, answer.asset) == (IdentificationFinding.CONFLICTING, False, None)
    assert answer.blind is not None
    assert answer.blind.asset == shelf.known[0]
    assert "Marks can be moved" in " ".join(answer.reasons)


def test_a_mark_moved_onto_another_picture_of_ours_shows(shelf: Shelf) -> None:
    swapped = watermark.embed(scene(3, 1), shelf.known[0].watermark_id, watermark.ladder(scene(3, 1))[0])
    answer = shelf.asked(swapped)
    assert answer.finding is IdentificationFinding.CONFLICTING
    assert answer.asset == shelf.known[7]


def test_pictures_of_others_are_not_found(shelf: Shelf) -> None:
    for seed in range(40, 46):
        assert shelf.asked(scene(seed)).finding is IdentificationFinding.NOT_FOUND


def test_an_unreleased_variant_of_a_released_scene_is_not_found(shelf: Shelf) -> None:
    for seed in range(5):
        answer = shelf.asked(scene(seed, 9))
        assert answer.finding is IdentificationFinding.NOT_FOUND, answer.to_json()


def test_a_plain_picture_of_ours_is_known_by_its_code_and_its_colour() -> None:
    shelf = Shelf([np.full((400, 400, 3), (200, 60, 30), np.uint8), np.full((400, 400, 3), (30, 60, 200), np.uint8)])
    answer = shelf.asked(shelf.marked[0])
    assert (answer.finding, answer.asset, answer.verified) == (IdentificationFinding.OURS, shelf.known[0], True)
    moved = watermark.embed(shelf.marked[1], shelf.known[0].watermark_id, watermark.SCHEMES[0])
    assert shelf.asked(moved).finding is IdentificationFinding.CONFLICTING


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_plain_ground_is_nobody_s(shelf: Shelf, colour: int) -> None:
    assert shelf.asked(np.full((400, 300, 3), colour, np.uint8)).finding is IdentificationFinding.NOT_FOUND


def test_where_the_original_is_gone_its_fingerprint_speaks_for_the_content() -> None:
    shelf = Shelf([scene(1)])
    shelf.originals[0] = None
    kept = shelf.asked(ATTACKS["jpeg 60"](shelf.marked[0], np.random.default_rng(0)))
    assert (kept.finding, kept.verified, kept.candidates[0].method) == (
        IdentificationFinding.OURS,
        False,
        "fingerprint",
    )
    assert "only its fingerprint" in " ".join(kept.reasons)
    other = scene(31)
    answer = shelf.asked(watermark.embed(other, shelf.known[0].watermark_id, watermark.ladder(other)[0]))
    assert answer.finding is IdentificationFinding.CONFLICTING
    assert "not at hand" in " ".join(answer.reasons)


OURS = Manifest(state="Trusted", asset_id="0")


@pytest.mark.parametrize(
    ("manifest", "standing"),
    [
        (None, ManifestStanding.NONE),
        (OURS, ManifestStanding.OURS),
        (replace(OURS, asset_id="77"), ManifestStanding.UNKNOWN_ASSET),
        (replace(OURS, state="Invalid"), ManifestStanding.ALTERED),
        (replace(OURS, state="Valid"), ManifestStanding.UNTRUSTED),
        (Manifest(state="Valid"), ManifestStanding.FOREIGN),
        (Manifest(state="Trusted"), ManifestStanding.FOREIGN),
        (Manifest(state="Invalid"), ManifestStanding.ALTERED),
    ],
)
def test_what_a_manifest_is_worth(shelf: Shelf, manifest: Manifest | None, standing: ManifestStanding) -> None:
    assert manifest_layer(manifest, shelf.by_id).standing is standing


@pytest.mark.parametrize("state", ["Trusted", "Valid"])
def test_a_manifest_about_another_picture_conflicts(shelf: Shelf, state: str) -> None:
    answer = shelf.asked(shelf.marked[5], Manifest(state=state, asset_id="0"))
    assert (answer.finding, answer.asset) == (IdentificationFinding.CONFLICTING, shelf.known[5])
    foreign = shelf.asked(scene(61), Manifest(state=state, asset_id="0"))
    assert (foreign.finding, foreign.asset) == (IdentificationFinding.CONFLICTING, None)


def test_somebody_else_s_manifest_on_our_picture_is_told(shelf: Shelf) -> None:
    answer = shelf.asked(shelf.marked[5], Manifest(state="Valid", generator="Another Maker 2"))
    assert (answer.finding, answer.verified) == (IdentificationFinding.OURS, True)
    assert "a manifest of another issuer" in " ".join(answer.reasons)


def test_another_tenant_s_asset_leaves_no_trace_in_what_is_told(shelf: Shelf) -> None:
    answer = shelf.asked(shelf.marked[5], Manifest(state="Trusted", asset_id="0"))
    told = answer.for_tenant("rival")
    assert (told["finding"], told["made_here"], told["own"]) == ("conflicting", True, False)
    assert told["layers"]["candidates"] == []
    assert told["asset_id"] is None
    assert told["layers"]["manifest"]["asset_id"] is None
    assert answer.for_tenant("acme")["asset_id"] == "5"


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_is_laid_back_where_it_was(seed: int) -> None:
    image = scene(seed)
    height, width = image.shape[:2]
    crop = np.ascontiguousarray(image[height // 5 : -height // 8, width // 6 : -width // 9])
    original = Original.of(image)
    size = (crop.shape[1], crop.shape[0])
    searched = by_search(searched_luma(crop), size, original.searched, original.size)
    found = by_features(features(crop), original.features) or searched
    assert found is not None
    laid, known = lay_back(crop, refined(crop, original.pixels, found).matrix, original.size)
    likeness = compare(laid, known, resized(original.pixels, FRAME, FRAME))
    assert likeness.whole > 0.97
    assert 0.4 < likeness.common < 0.7


def test_what_is_flat_or_barely_there_is_like_nothing() -> None:
    image = resized(scene(2), FRAME, FRAME)
    everywhere = np.full((FRAME, FRAME), 255, np.uint8)
    nowhere = np.zeros((FRAME, FRAME), np.uint8)
    grey = np.full_like(image, 128)
    assert compare(image, everywhere, image).whole > 0.999
    assert compare(image, nowhere, image).whole == 0
    assert compare(image, everywhere, grey).whole == 0
    assert compare(grey, everywhere, image).whole < 0.1


def test_the_picture_in_a_page_is_a_region() -> None:
    page = np.full((700, 900, 3), 250, np.uint8)
    page[120:520, 200:700] = resized(scene(3), 500, 400)
    cv2.putText(page, "words below the picture", (200, 560), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)
    (first, *_) = regions(page)
    found = np.array([first.left, first.top, first.right, first.bottom])
    assert np.abs(found - [200, 120, 700, 520]).max() <= 4
    assert regions(np.full((300, 300, 3), 7, np.uint8)) == []
