"""What goes into and comes out of a sampler, without the weight of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workers.jobs.types import Claim, Place


class Watch(Protocol):
    """The word from outside that a sampler asks for between two denoising steps."""

    def check(self) -> None:
        """Raises LeaseLost or Draining: abandon the batch, keep the pipeline usable."""

    @property
    def cancelled(self) -> frozenset[str]:
        """Ids of items nobody wants any more."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What came off the device for one claim, in item order.

    images: uint8 [N, H, W, 3], RGB; zeros for items in `faults`. faults: item id -> stable code
    ("cancelled", "out_of_memory", "not_finite"). places: one per item. seconds: time on the device.
    """

    images: np.ndarray
    faults: Mapping[str, str]
    places: tuple[Place, ...]
    seconds: float


class Sampler(Protocol):
    """What draws. The real one is workers.sampling.sampler.DiffusersSampler."""

    def sample(self, held: Claim, watch: Watch) -> Sampled:
        """Pixels for a claim, in item order. Same claim, same versions -> same pixels. Hold the GPU lock."""
