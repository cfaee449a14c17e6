"""Measures of a mask, and the score that decides whether a person has to look at it.

Each measure has a limit. Its score is 1 where nothing speaks against the mask, 0.5 at the limit, and 0 far beyond it.
The score of a mask is that of its worst measure, so a mask below 0.5 is beyond a limit and is held, with the measure
as the reason. A mask that the picture itself states (its transparency) is not measured against a second method.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.verdict import Decision, Finding, Stage
from workers.masks.mask import HALF, Alpha, Mask

PASSES = 0.5
LEAST_AREA, MOST_AREA = 0.03, 0.90  # of the picture
MOST_BORDER = 0.02  # of the picture's border: a product that goes on beyond it was cut
MOST_APART = 0.10  # of the product, in parts other than the largest
MOST_SOFT = 0.05  # of the product, half transparent and not at an edge
LEAST_AGREEMENT = 0.85  # of product and of ground, between two methods
_SOFT = (26, 229)  # alpha between a tenth and nine tenths
_EDGE = 0.01  # of the short side: how far from the edge a pixel may be half transparent
_SPECK = 16  # pixels; smaller parts are noise


class MaskFault(enum.StrEnum):
    """Why a person has to look at a mask."""

    AREA = "area"
    BORDER = "border"
    PARTS = "parts"
    SOFT = "soft"
    DISAGREE = "disagree"


SENTENCES = {
    MaskFault.AREA: "the product covers {area:.1%} of the picture; 3 % to 90 % are usual",
    MaskFault.BORDER: "the product touches {border:.1%} of the picture's border, so it may be cut",
    MaskFault.PARTS: "{apart:.1%} of the product are apart from its largest part",
    MaskFault.SOFT: "{soft:.1%} of the product are half transparent away from its edge",
    MaskFault.DISAGREE: "two methods agree on {agreement:.1%} of the product only",
}


@dataclass(frozen=True, slots=True)
class MaskMeasures:
    """Shares, 0 to 1. `agreement` is None where there was no second method."""

    area: float  # of the picture
    border: float  # of the picture's border
    apart: float  # of the product, outside its largest part
    soft: float  # of the product, half transparent off the edge
    agreement: float | None
    second_method: str = ""


@dataclass(frozen=True, slots=True)
class MaskCheck:
    """What was measured, the score (0 to 1), and what is wrong, the worst first."""

    measures: MaskMeasures
    score: float
    faults: tuple[MaskFault, ...]

    @property
    def hold(self) -> bool:
        """A person has to look."""
        return self.score < PASSES

    @property
    def sentences(self) -> tuple[str, ...]:
        """The faults in words."""
        measured = {name: getattr(self.measures, name) for name in ("area", "border", "apart", "soft", "agreement")}
        return tuple(SENTENCES[fault].format(**measured) for fault in self.faults)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a verdict says of it: one reason to hold for each fault, the worst first."""
        said = zip(self.faults, self.sentences, strict=True)
        return tuple(Finding(Decision.HOLD, Stage.IMAGE, "mask", f"mask/{fault}", None, words) for fault, words in said)

    def to_json(self) -> dict[str, Any]:
        """The record for ledger and replies; shares with four decimals."""
        found = self.measures
        return {
            "score": round(self.score, 4),
            "faults": [fault.value for fault in self.faults],
            "area": round(found.area, 4),
            "border": round(found.border, 4),
            "apart": round(found.apart, 4),
            "soft": round(found.soft, 4),
            "agreement": None if found.agreement is None else round(found.agreement, 4),
            "second_method": found.second_method,
        }


def check(mask: Mask, second: Alpha | None = None, second_method: str = "") -> MaskCheck:
    """The measures of a mask, beside another method's mask of the same picture where there is one."""
    found = MaskMeasures(
        area=float(mask.product.mean()),
        border=_border(mask.product),
        apart=_apart(mask.product),
        soft=_soft(mask.alpha),
        agreement=None if second is None else overlap(mask.product, second >= HALF),
        second_method=second_method if second is not None else "",
    )
    return scored(found)


def scored(found: MaskMeasures) -> MaskCheck:
    """Score and faults of these measures. Pure."""
    scores = dict(_scores(found))
    faults = sorted((fault for fault, score in scores.items() if score < PASSES), key=lambda fault: scores[fault])
    return MaskCheck(found, min(scores.values()), tuple(faults))


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 where both are empty."""
    either = int(np.count_nonzero(one | other))
    return float(np.count_nonzero(one & other) / either) if either else 1.0


def _scores(found: MaskMeasures) -> Iterator[tuple[MaskFault, float]]:
    small = found.area / LEAST_AREA * PASSES
    large = (1 - found.area) / (1 - MOST_AREA) * PASSES
    yield MaskFault.AREA, min(1.0, small, large)
    yield MaskFault.BORDER, _below(found.border, MOST_BORDER)
    yield MaskFault.PARTS, _below(found.apart, MOST_APART)
    yield MaskFault.SOFT, _below(found.soft, MOST_SOFT)
    if found.agreement is not None:
        yield MaskFault.DISAGREE, _below(1 - found.agreement, 1 - LEAST_AGREEMENT)


def _below(value: float, limit: float) -> float:
    """1 at zero, PASSES at the limit, 0 at twice the limit."""
    return max(0.0, 1 - (1 - PASSES) * value / limit)


def _border(product: NDArray[np.bool_]) -> float:
    return float(np.concatenate([product[0], product[-1], product[1:-1, 0], product[1:-1, -1]]).mean())


def _apart(product: NDArray[np.bool_]) -> float:
    _, _, found, _ = cv2.connectedComponentsWithStats(product.astype(np.uint8), connectivity=8)
    sizes = found[1:, cv2.CC_STAT_AREA]
    sizes = sizes[sizes >= _SPECK]
    return float(1 - sizes.max() / sizes.sum()) if len(sizes) else 0.0


def _soft(alpha: Alpha) -> float:
    product = (alpha >= HALF).astype(np.uint8)
    width = 2 * max(2, round(_EDGE * min(alpha.shape))) + 1
    kernel = np.ones((width, width), np.uint8)
    edge = cv2.dilate(product, kernel) != cv2.erode(product, kernel, borderValue=1)
    half = (alpha > _SOFT[0]) & (alpha < _SOFT[1]) & ~edge
    return float(np.count_nonzero(half) / max(1, int(product.sum())))
