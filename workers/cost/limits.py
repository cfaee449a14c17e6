"""Limits of a budget: how many images may be made, in how many GPU seconds, for how much money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be made. None: without a limit of that kind."""

    images: int | None = None
    gpu_seconds: Decimal | None = None
    cost: Decimal | None = None
    currency: str | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.images, self.gpu_seconds, self.cost))
