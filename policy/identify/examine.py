"""One candidate beside the picture: laid back onto the original, compared, and its code read in place. Pure.

Content agrees when the laid-back picture explains the original; it agrees surely, without the code, only where it does
so down to the detail, as variants of one campaign resemble each other in everything else. The numbers below are
measured by bench/identify.py; docs/identify.md shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy.fingerprints import Image
from policy.identify.answer import CodeRead, Examined, Known
from policy.identify.compare import Likeness, compare
from policy.identify.features import Features, features
from policy.identify.register import FRAME, Registration, by_features, by_frame, by_search, lay_back, refined, resized
from policy.identify.views import MIRRORED, Views
from policy.marks import nearest, watermark

# With a code: how much of the original the copy must explain.
AGREES = 0.75
# Without one: of the whole, and of what is finer than a twelfth of it.
SURE, SURE_DETAIL = 0.94, 0.85
# A map found by features counts when chance would give so few: 10 to this power.
LOG10_CHANCE = -4.0
# Before the map is refined less is not worth refining, and so much is good enough to try no other.
_HOPELESS, _GOOD = 0.2, 0.92
_SMALLEST_COMMON = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """An asset worth a look, and why. `framed`: that view of the query, so turned, may be the whole of it."""

    asset: Known
    found_by: tuple[str, ...]
    hash_distance: int | None = None
    framed: bool = False
    view: int = 0
    turn: int = 0
    votes: int | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """An original, how it may be marked, and its features: worth keeping for the next query."""

    pixels: Image
    schemes: tuple[watermark.Scheme, ...]
    features: Features

    @classmethod
    def of(cls, pixels: Image) -> Original:
        """Shrunk to what is compared: two pixels for one of the frame."""
        scale = 2 * FRAME / max(pixels.shape[:2])
        small = pixels
        if scale < 1:
            small = resized(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        return cls(small, watermark.ladder(pixels), features(small))

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


def examine(views: Views, candidate: Candidate, original: Original | None) -> Examined:
    """What content and code of this candidate say. Without the original nothing can agree."""
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
    found, query, likeness, turn = best
    agrees = likeness.whole >= AGREES and likeness.common >= _SMALLEST_COMMON
    agrees = agrees and (found.method != "features" or found.log10_chance <= LOG10_CHANCE)
    sure = agrees and likeness.whole >= SURE and likeness.detail >= SURE_DETAIL
    return Examined(
        **known,  # type: ignore[arg-type]
        original=True,
        method=found.method,
        turn=turn,
        inliers=found.inliers,
        matches=found.matches,
        log10_chance=found.log10_chance,
        likeness=likeness.whole,
        detail=likeness.detail,
        fine=likeness.fine,
        common=likeness.common,
        code=_read_code(query, found, candidate.asset, original),
        content_agrees=agrees,
        content_sure=sure,
    )


def _best_fit(
    views: Views, candidate: Candidate, original: Original
) -> tuple[Registration, Image, Likeness, int] | None:
    """Of all ways to lay the picture on the original, the one that explains most of it."""
    frame = resized(original.pixels, FRAME, FRAME)
    best: tuple[Registration, Image, Likeness, int] | None = None
    for rough, query, turn in _fits(views, candidate, original):
        found, likeness = rough, _likeness(query, rough, original, frame)
        if likeness.whole < _HOPELESS:
            continue
        better = refined(query, original.pixels, rough)
        after = _likeness(query, better, original, frame)
        if after.whole >= likeness.whole:
            found, likeness = better, after
        if best is None or likeness.whole > best[2].whole:
            best = (found, query, likeness, turn)
        if likeness.whole >= _GOOD:
            break
    return best


def _likeness(query: Image, found: Registration, original: Original, frame: Image) -> Likeness:
    laid, known = lay_back(query, found.matrix, original.size)
    return compare(laid, known, frame)


def _fits(views: Views, candidate: Candidate, original: Original) -> Iterator[tuple[Registration, Image, int]]:
    """Maps to try, likeliest first."""
    if candidate.framed:
        query = views.turned(candidate.view, candidate.turn)
        yield by_frame((query.shape[1], query.shape[0]), original.size), query, candidate.turn
    for turn in (0, MIRRORED):
        found = by_features(views.features(turn), original.features)
        if found is not None:
            yield found, views.turned(0, turn), turn
    for view in range(min(2, len(views.images))):
        for turn in (0, MIRRORED):
            query = views.turned(view, turn)
            searched = by_search(query, original.pixels)
            if searched is not None:
                yield searched, query, turn


def _read_code(query: Image, found: Registration, asset: Known, original: Original) -> CodeRead | None:
    """The asset's own id, if the bits of the laid-back picture are near enough to it."""
    laid, known = lay_back(query, found.matrix, original.size)
    reads = []
    for scheme in original.schemes:
        soft = watermark.soft_bits(laid, scheme, known)
        match = nearest.match(soft, [asset.watermark_id])
        if match is not None:
            reads.append(
                CodeRead(
                    asset.watermark_id,
                    scheme.name,
                    match.bit_errors,
                    match.bits_heard,
                    match.false_probability,
                    asset,
                    "aligned",
                )
            )
    return min(reads, key=lambda read: read.false_probability) if reads else None
