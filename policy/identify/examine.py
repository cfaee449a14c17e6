"""Examination of one candidate: registered to the original, compared with it, its watermark read in place. Pure.

Content agrees where the registered picture explains the original. Variants of one campaign resemble each other in
everything but detail. So without a readable watermark, content is sure only where it agrees down to the detail, or
where the bits lean to the candidate's id. The numbers below are measured by bench/identify.py; docs/identify.md shows
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from policy.fingerprints import Image
from policy.identify.answer import LEANS, Examined, KnownAsset, WatermarkRead
from policy.identify.compare import Similarity, compare, fineness
from policy.identify.degradation import degraded_similarity
from policy.identify.features import Features, features
from policy.identify.low_texture import CropWindow
from policy.identify.register import (
    FRAME,
    Registration,
    by_features,
    by_frame,
    by_search,
    by_window,
    lay_back,
    refined,
    resized,
    searched_luma,
)
from policy.identify.tone import untoned
from policy.identify.views import MIRRORED, Views
from policy.marks import nearest, watermark

# With a code: how much of the original the copy must explain.
AGREES = 0.75
# Without one: so much of the whole, and so much of what is finer than a twelfth of it. Of 60 near twins (the same
# model, the same thing, another ground) the nearest reached 0.992 and 0.981.
SURE = ((0.994, 0.965),)
# With bits that lean to the code, too many of them wrong to read it: so much less. Twins lean by chance.
LIKE = ((0.94, 0.85), (0.88, 0.9))
# Bits that lean so far need no more than content that agrees.
LEANS_FAR = 1e-6
# A map found by features counts when chance would give so few: 10 to this power.
LOG10_CHANCE = -4.0
# Before the map is refined less is not worth refining, and so much is good enough to try no other.
_HOPELESS, _GOOD, _GOOD_DETAIL = 0.2, 0.92, 0.85
# So alike, and its code reads: there is nothing to refine.
_EXACT = 0.98
# So alike that it is worth undoing what was done to the tone, to read the code once more.
_TONE_FROM = 0.6
# A map by features is tried on so many regions of the picture alone.
_REGIONS = 2
# With so many features on both sides, looking for the frame in the original finds nothing more.
_PLENTY = 80
_SMALLEST_COMMON = 0.1


_Toned = tuple[Image, Image]  # pixels, and where they are known


@dataclass(frozen=True, slots=True)
class Candidate:
    """An asset to examine, and why. `framed`: the query's view, so turned, may be the whole of it."""

    asset: KnownAsset
    found_by: tuple[str, ...]
    hash_distance: int | None = None
    framed: bool = False
    view: int = 0
    turn: int = 0
    votes: int | None = None
    window: CropWindow | None = None  # the part of the original that the view may be


@dataclass(frozen=True, slots=True)
class Original:
    """An original, its possible watermark schemes, and what a comparison needs of it.

    Worth keeping for the next query.
    """

    pixels: Image
    schemes: tuple[watermark.Scheme, ...]
    features: Features
    frame: Image
    searched: Image

    @classmethod
    def of(cls, pixels: Image) -> Original:
        """Shrunk to what is compared: two pixels for one of the frame."""
        scale = 2 * FRAME / max(pixels.shape[:2])
        small = pixels
        if scale < 1:
            small = resized(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        frame = resized(small, FRAME, FRAME)
        return cls(small, watermark.ladder(pixels), features(small), frame, searched_luma(small))

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One registration of the picture to the original, and how much of it that explains."""

    found: Registration
    query: Image
    turn: int
    laid: Image
    known: Image
    similarity: Similarity

    @classmethod
    def of(cls, query: Image, found: Registration, turn: int, original: Original) -> _Fit:
        laid, known = lay_back(query, found.matrix, original.size)
        return cls(found, query, turn, laid, known, compare(laid, known, original.frame))


def examine(views: Views, candidate: Candidate, original: Original | None) -> Examined:
    """What content and watermark of this candidate show. Without the original nothing can agree."""
    known = {
        "asset": candidate.asset,
        "found_by": candidate.found_by,
        "hash_distance": candidate.hash_distance,
        "votes": candidate.votes,
    }
    if original is None:
        return Examined(**known, original=False)  # type: ignore[arg-type]
    best = _best_fit(views, candidate, original)
    if best is None:
        return Examined(**known, original=True)  # type: ignore[arg-type]
    toned = untoned(best.laid, best.known, original.frame) if best.similarity.whole >= _TONE_FROM else None
    found, similarity = best.found, _similarity(best, toned, original)
    code, chance = _read_code(best, toned, candidate.asset, original)
    agrees = similarity.whole >= AGREES and similarity.common >= _SMALLEST_COMMON
    return Examined(
        **known,  # type: ignore[arg-type]
        original=True,
        method=found.method,
        turn=best.turn,
        inliers=found.inliers,
        matches=found.matches,
        log10_chance=found.log10_chance,
        likeness=similarity.whole,
        detail=similarity.detail,
        fine=fineness(best.laid, best.known, original.frame) if agrees else 0.0,
        common=similarity.common,
        code=code,
        content_agrees=agrees,
        content_sure=agrees and _sure(similarity, chance),
        code_chance=chance,
    )


def _sure(similarity: Similarity, chance: float) -> bool:
    """Whether content names the asset without a readable watermark. Bits that lean to its id lower what is required."""
    if chance <= LEANS_FAR:
        return True
    least = LIKE if chance <= LEANS else SURE
    return any(similarity.whole >= whole and similarity.detail >= detail for whole, detail in least)


def _similarity(fit: _Fit, toned: _Toned | None, original: Original) -> Similarity:
    """The best similarity: of the picture as it is, with its tone undone, or to an original with the same losses."""
    found = [fit.similarity]
    if toned is not None:
        found.append(compare(toned[0], fit.known, original.frame))
    if fit.similarity.whole >= AGREES and not any(_sure(each, 1.0) for each in found):
        degraded = degraded_similarity(fit.query, fit.found, original.pixels)
        found.append(replace(degraded, common=fit.similarity.common))
    return max(found, key=lambda similarity: similarity.whole + similarity.detail)


def _best_fit(views: Views, candidate: Candidate, original: Original) -> _Fit | None:
    """Of all registrations of the picture, the one that explains most of the original."""
    best: _Fit | None = None
    for rough, query, turn in _fits(views, candidate, original):
        fit = _Fit.of(query, rough, turn, original)
        if fit.similarity.whole < _HOPELESS:
            continue
        if fit.similarity.whole >= _EXACT and _read_in(fit.laid, fit.known, candidate.asset, original)[0]:
            return fit
        better = _Fit.of(query, refined(query, original.pixels, rough), turn, original)
        if better.similarity.whole >= fit.similarity.whole:
            fit = better
        if best is None or _explained(fit) > _explained(best):
            best = fit
        if _explained(best)[0] and fit.similarity.whole >= _GOOD and fit.similarity.detail >= _GOOD_DETAIL:
            break
    return best


def _fits(views: Views, candidate: Candidate, original: Original) -> Iterator[tuple[Registration, Image, int]]:
    """Maps to try, the most probable first."""
    if candidate.framed:
        query = views.turned(candidate.view, candidate.turn)
        yield by_frame((query.shape[1], query.shape[0]), original.size), query, candidate.turn
    if candidate.window:
        query = views.turned(candidate.view, candidate.turn)
        yield by_window((query.shape[1], query.shape[0]), original.size, candidate.window), query, candidate.turn
    for turn in (0, MIRRORED):
        found = by_features(views.features(turn), original.features)
        if found is not None and found.log10_chance <= LOG10_CHANCE:
            yield found, views.turned(0, turn), turn
            yield from _within(views, found, turn)
    if not _worth_searching(views, candidate, original):
        return
    for view in range(min(2, len(views.images))):
        for turn in (0, MIRRORED):
            query = views.turned(view, turn)
            size = (query.shape[1], query.shape[0])
            searched = by_search(views.small(view, turn), size, original.searched, original.size)
            if searched is not None:
                yield searched, query, turn


def _explained(fit: _Fit) -> tuple[bool, float]:
    """Sort key: more is better; a fit on a small box of the picture alone comes last."""
    return fit.similarity.common >= _SMALLEST_COMMON, fit.similarity.whole + fit.similarity.detail


def _within(views: Views, found: Registration, turn: int) -> Iterator[tuple[Registration, Image, int]]:
    """The same map for the largest regions alone: the rest of a screenshot does not belong to the picture."""
    for view in range(1, min(_REGIONS, len(views.regions)) + 1):
        left, top = views.corner(view, turn)
        moved = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
        yield replace(found, matrix=found.matrix @ moved), views.turned(view, turn), turn


def _worth_searching(views: Views, candidate: Candidate, original: Original) -> bool:
    """Whether to search the frame.

    Where both have enough features and the candidate came by them, features decided already.
    """
    few = min(len(views.features(0)), len(original.features)) < _PLENTY
    return few or candidate.framed or "crop hash" in candidate.found_by


def _read_code(
    fit: _Fit, toned: _Toned | None, asset: KnownAsset, original: Original
) -> tuple[WatermarkRead | None, float]:
    """The asset's own id, if the bits are near enough, of the registered picture as it is or with its tone undone.

    The second value is the probability that a picture without this watermark comes as near to the id in any of the
    reads.
    """
    ways = [(fit.laid, fit.known)]
    if toned is not None:
        ways += [toned, (toned[0], fit.known)]  # without what was cut off, and with it, where that is nearly everything
    chances = []
    for laid, known in ways:
        read, chance = _read_in(laid, known, asset, original)
        chances.append(chance)
        if read is not None:
            return read, chance
    return None, min(1.0, len(ways) * min(chances))


def _read_in(laid: Image, known: Image, asset: KnownAsset, original: Original) -> tuple[WatermarkRead | None, float]:
    chance = 1.0
    for scheme in original.schemes:
        soft = watermark.soft_bits(laid, scheme, known)
        match = nearest.match(soft, [asset.watermark_id], at_most=1.0)
        if match is None:
            continue
        chance = min(chance, len(original.schemes) * match.false_probability)
        if match.false_probability <= nearest.MAX_FALSE_PROBABILITY:
            read = WatermarkRead(
                asset.watermark_id,
                scheme.name,
                match.bit_errors,
                match.bits_heard,
                match.false_probability,
                asset,
                "aligned",
            )
            return read, chance
    return None, chance
