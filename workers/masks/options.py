"""Options of a new ground: where the product stands, at what scale, and its shadow. Light: loads no library of pixels.

Every value has bounds, which the schema of requests repeats. A value beyond them is refused in words, never corrected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from workers.errors import MaskRefused


class Bounds(NamedTuple):
    """The least and the largest value of an option."""

    least: float
    most: float


PLACEMENT = {"x": Bounds(-1, 2), "y": Bounds(-1, 2), "scale": Bounds(0.05, 4)}
SHADOW = {"contact": Bounds(0, 1), "drop": Bounds(0, 1), "angle": Bounds(-80, 80), "softness": Bounds(0, 0.5)}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a product stands on its new ground: the middle of its canvas as shares of the sides, and its scale."""

    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0

    def __post_init__(self) -> None:
        _check("placement", asdict(self), PLACEMENT)


@dataclass(frozen=True, slots=True)
class Shadow:
    """Amounts are shares of light taken away, 0 to 1. `softness` is a share of the product's height.

    `angle` is where the light comes from, in degrees from above, to the left below zero, to the right above it; None is
    where it comes from on the product itself (workers/masks/light.py).
    """

    contact: float = 0.5
    drop: float = 0.3
    angle: float | None = None
    softness: float = 0.05

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        _check("shadow", given, SHADOW)


@dataclass(frozen=True, slots=True)
class GroundOptions:
    """How a product stands on its new ground. Without a shadow it floats."""

    placement: Placement = field(default_factory=Placement)
    shadow: Shadow | None = field(default_factory=Shadow)
    around: bool = False  # the model sees the product and draws the ground around it

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_json` wrote, or a part of it. Raises MaskRefused for an unknown name and a value out of bounds."""
        _known("ground options", stored, {"placement", "shadow", "around"})
        place, dark, around = stored.get("placement", {}), stored.get("shadow", {}), stored.get("around", False)
        if not isinstance(around, bool):
            raise MaskRefused(f"around is {around!r}; true and false are possible")
        _known("placement", place, set(PLACEMENT))
        if dark is None:
            return cls(Placement(**place), None, around)
        _known("shadow", dark, set(SHADOW))
        return cls(Placement(**place), Shadow(**dark), around)

    def to_json(self) -> dict[str, Any]:
        """The record, with every value."""
        return asdict(self)


def _known(what: str, stored: object, names: set[str]) -> None:
    if not isinstance(stored, Mapping):
        raise MaskRefused(f"{what} is {type(stored).__name__}; send a mapping of {', '.join(sorted(names))}")
    if unknown := sorted(set(stored) - names):
        raise MaskRefused(f"{what} has no '{unknown[0]}'; it has {', '.join(sorted(names))}")


def _check(what: str, values: Mapping[str, object], bounds: Mapping[str, Bounds]) -> None:
    for name, value in values.items():
        least, most = bounds[name]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not least <= float(value) <= most:  # type: ignore[arg-type]
            shown = f"{value:g}" if isinstance(value, int | float) else repr(value)
            raise MaskRefused(f"{what}.{name} is {shown}; {least:g} to {most:g} are possible")
