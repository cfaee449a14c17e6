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
from policy.identify.answer import LEANS, LEANS_FAR, PARTLY, Examined, KnownAsset
from policy.identify.code_read import Toned, read_code, read_in
from policy.identify.content.agreement import NOTHING, Agreement, agreement
from policy.identify.content.compare import Similarity, compare, fineness
from policy.identify.content.degradation import degraded_similarity
from policy.identify.content.places import SIDE
from policy.identify.content.recolour import coloured_like, is_recoloured, uncoloured
from policy.identify.content.tone import toned_like, untoned
from policy.identify.fit import GOOD, SMALLEST_COMMON, Fit
from policy.identify.low_texture import CropWindow
from policy.identify.original import Original
from policy.identify.register import (
    Registration,
    by_features,
    by_frame,
    by_search,
    by_window,
    refined,
    resized,
)
from policy.identify.views import MIRRORED, Views

# With a code: how much of the original the copy must explain.
AGREES = 0.75
# Without one: so much of the whole, and so much of what is finer than a twelfth of it. Of 60 near twins (the same
# model, the same thing, another ground) the nearest reached 0.992 and 0.981.
SURE = ((0.994, 0.965),)
# With bits that lean to the code, too many of them wrong to read it: so much less. Twins lean by chance.
LIKE = ((0.94, 0.85), (0.88, 0.9))
# A map found by features counts when chance would give so few: 10 to this power.
LOG10_CHANCE = -4.0
# Before the map is refined less is not worth refining, and so much is good enough to try no other.
_HOPELESS, _GOOD_DETAIL = 0.2, 0.85
# So alike, and its code reads: there is nothing to refine.
_EXACT = 0.98
# So alike that it is worth undoing what was done to the tone, to read the code once more.
_TONE_FROM = 0.6
# A map by features is tried on so many regions of the picture alone.
_REGIONS = 2
# With so many features on both sides, looking for the frame in the original finds nothing more.
_PLENTY = 80
# So many structured places that agree name the asset as one that shares content, which is no claim.
_MOSTLY = 0.6
# With fewer structured places a frame that agrees everywhere says nothing.
_STRUCTURED = 0.05


_Try = tuple[Registration, Image, int, int]  # a map, the turned view it is of, the turn and the view's number


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
    likely = best.similarity.whole >= _TONE_FROM
    toned = untoned(best.laid, best.known, original.frame) if likely else None
    found, similarity = best.found, _similarity(best, toned, original)
    code, chance = read_code(
        (best.laid, best.known), toned, original.frame, original.schemes, candidate.asset, recolours=likely
    )
    agrees = similarity.whole >= AGREES and similarity.common >= SMALLEST_COMMON
    seen = _agreement(best, toned, original) if similarity.common >= SMALLEST_COMMON else NOTHING
    if best.view and seen is not NOTHING and (whole := _shown_beside(views, best, original)) is not None:
        beside = untoned(whole.laid, whole.known, original.frame)
        seen = max(seen, _agreement(whole, beside, original), key=_difference)
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
        content_sure=agrees and (_sure(similarity, chance) or _looks_like(similarity, seen)),
        code_chance=chance,
        agreement=seen,
        place=views.placed(best.place(original), best.view, best.turn),
    )


def _sure(similarity: Similarity, chance: float) -> bool:
    """Whether content names the asset without a readable watermark. Bits that lean to its id lower what is required."""
    if chance <= LEANS_FAR:
        return True
    least = LIKE if chance <= LEANS else SURE
    return any(similarity.whole >= whole and similarity.detail >= detail for whole, detail in least)


def _agreement(fit: Fit, toned: Toned | None, original: Original) -> Agreement:
    """The map of what agrees, of the picture as it is, with its tone undone, or with the original in its colours."""
    found = [agreement(fit.laid, fit.known, original.frame)]
    if toned is not None and (like := toned_like(original.frame, fit.known, fit.laid)) is not None:
        found.append(agreement(fit.laid, fit.known, like))  # the other way round, what was cut off would be unknown
    tones = [fit.laid]
    if toned is not None and compare(toned[0], fit.known, original.frame).whole >= GOOD:
        tones.append(toned[0])  # a tone that was undone; a curve for other colours explains nothing
    if not any(each.near for each in found) and all(is_recoloured(each, fit.known, original.small) for each in tones):
        if (mapped := coloured_like(original.small, fit.known, fit.laid)) is not None:
            found.append(agreement(fit.laid, fit.known, mapped))
        if (undone := uncoloured(resized(fit.laid, SIDE, SIDE), fit.known, original.small)) is not None:
            found.append(agreement(undone, fit.known, original.frame))
    return min(found, key=_difference)


def _difference(each: Agreement) -> tuple[bool, float]:
    """Sort key: a frame that agrees everywhere comes first, and of such the nearest."""
    return (False, each.apart or 0.0) if each.whole else (True, each.other)


def _shown_beside(views: Views, fit: Fit, original: Original) -> Fit | None:
    """The same map for the whole picture, where the picture goes on around the region as the original does.

    A region may be all that is left of ours in a page, and then the page is none of the asset's frame. It may also be
    an edge inside of ours, of something that was put on it: that must not drop out of the map. Around a crop the page
    is a strip so thin that all of it would pass as specks.
    """
    left, top = views.corner(fit.view, fit.turn)
    moved = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    whole = Fit.of(
        views.turned(0, fit.turn), replace(fit.found, matrix=fit.found.matrix @ moved), fit.turn, 0, original
    )
    around = np.where(fit.known == 255, 0, whole.known).astype(np.uint8)
    return whole if agreement(whole.laid, around, original.frame, specks=True).same >= PARTLY else None


def _looks_like(similarity: Similarity, seen: Agreement) -> bool:
    """Whether a picture shows what the asset shows, everywhere or at most structured places."""
    if seen.structured < _STRUCTURED:
        return False
    return seen.same >= _MOSTLY or (similarity.whole >= GOOD and seen.whole)


def _similarity(fit: Fit, toned: Toned | None, original: Original) -> Similarity:
    """The best similarity: of the picture as it is, with its tone undone, or to an original with the same losses."""
    found = [fit.similarity]
    if toned is not None:
        found.append(compare(toned[0], fit.known, original.frame))
    if fit.similarity.whole >= AGREES and not any(_sure(each, 1.0) for each in found):
        degraded = degraded_similarity(fit.query, fit.found, original.pixels)
        found.append(replace(degraded, common=fit.similarity.common))
    return max(found, key=lambda similarity: similarity.whole + similarity.detail)


def _best_fit(views: Views, candidate: Candidate, original: Original) -> Fit | None:
    """Of all registrations of the picture, the one that explains most of the original."""
    best: Fit | None = None
    reads = False  # whether the code reads in the best one
    for rough, query, turn, view in _fits(views, candidate, original):
        fit = Fit.of(query, rough, turn, view, original)
        if fit.similarity.whole < _HOPELESS and not _named_by_code(candidate, fit, original):
            continue
        if fit.similarity.whole >= _EXACT and _is_done(fit, candidate.asset, original):
            return fit
        better = Fit.of(query, refined(query, original.pixels, rough), turn, view, original)
        if better.similarity.whole >= fit.similarity.whole:
            fit = better
        read = fit.similarity.whole < GOOD and read_in(fit.laid, fit.known, original.schemes, candidate.asset)[0]
        if best is None or (bool(read), *_explained(fit)) > (reads, *_explained(best)):
            best, reads = fit, bool(read)
        if _explained(best)[0] and fit.similarity.whole >= GOOD and fit.similarity.detail >= _GOOD_DETAIL:
            break
    return best


def _named_by_code(candidate: Candidate, fit: Fit, original: Original) -> bool:
    """Whether a mark that was read names the asset and parts of it are seen, however much covers the rest."""
    if "code" not in candidate.found_by:
        return False
    return agreement(fit.laid, fit.known, original.frame).same >= PARTLY


def _is_done(fit: Fit, asset: KnownAsset, original: Original) -> bool:
    """Whether the code reads and all of it is as near as a copy is: no other map is better."""
    read, _ = read_in(fit.laid, fit.known, original.schemes, asset)
    return read is not None and agreement(fit.laid, fit.known, original.frame).near


def _fits(views: Views, candidate: Candidate, original: Original) -> Iterator[_Try]:
    """Maps to try, the most probable first."""
    if candidate.framed:
        query = views.turned(candidate.view, candidate.turn)
        yield by_frame((query.shape[1], query.shape[0]), original.size), query, candidate.turn, candidate.view
    if candidate.window:
        query = views.turned(candidate.view, candidate.turn)
        yield (
            by_window((query.shape[1], query.shape[0]), original.size, candidate.window),
            query,
            candidate.turn,
            candidate.view,
        )
    for turn in (0, MIRRORED):
        found = by_features(views.features(turn), original.features)
        if found is not None and found.log10_chance <= LOG10_CHANCE:
            yield found, views.turned(0, turn), turn, 0
            yield from _within(views, found, turn)
    if not _worth_searching(views, candidate, original):
        return
    for view in range(min(2, len(views.images))):
        for turn in (0, MIRRORED):
            query = views.turned(view, turn)
            size = (query.shape[1], query.shape[0])
            searched = by_search(views.small(view, turn), size, original.searched, original.size)
            if searched is not None:
                yield searched, query, turn, view


def _explained(fit: Fit) -> tuple[bool, float]:
    """Sort key: more is better; a fit on a small box of the picture alone comes last."""
    return fit.similarity.common >= SMALLEST_COMMON, fit.similarity.whole + fit.similarity.detail


def _within(views: Views, found: Registration, turn: int) -> Iterator[_Try]:
    """The same map for the largest regions alone: the rest of a screenshot does not belong to the picture."""
    for view in range(1, min(_REGIONS, len(views.regions)) + 1):
        left, top = views.corner(view, turn)
        moved = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
        yield replace(found, matrix=found.matrix @ moved), views.turned(view, turn), turn, view


def _worth_searching(views: Views, candidate: Candidate, original: Original) -> bool:
    """Whether to search the frame.

    Where both have enough features and the candidate came by them, features decided already.
    """
    few = min(len(views.features(0)), len(original.features)) < _PLENTY
    return few or candidate.framed or "crop hash" in candidate.found_by
