"""Types between the sampler and the line. Light: the line's tests need no torch for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from workers.jobs.types import Claim, SamplingPosition

if TYPE_CHECKING:
    from policy.marks.locks.product_lock import ProductLock
    from policy.verdict import Finding
    from workers.masks.backgrounds import RemovedBackground

Pixels = npt.NDArray[np.uint8]  # [N, H, W, 3], RGB, contiguous
Pictures = Mapping[str, Any]  # of one item: PIL images by the option they answer, such as "image" and "mask_image"

# Faults, stable codes. A fault is an item without an image; its neighbours have theirs.
CANCELLED = "cancelled"  # its tenant no longer wants it
OUT_OF_MEMORY = "out_of_memory"  # this one image alone does not fit on the device
NOT_FINITE = "not_finite"  # the device returned NaN or infinity
BLACK = "black"  # every value is zero: what a decoder leaves of an overflow


@dataclass(frozen=True, slots=True)
class Sampled:
    """Pixels of a claim, in item order. Rows of items in `faults` (item id -> code) are zeros."""

    images: Pixels
    faults: Mapping[str, str]
    positions: tuple[SamplingPosition, ...]
    seconds: float  # of drawing; without the time to load a model, which the order of batches decides
    joules: float | None = None  # that the device used meanwhile; None where it reports none
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by item id, what provenance says besides
    locks: Mapping[str, ProductLock] = field(default_factory=dict)  # by item id, products that stay as they were
    products: Mapping[str, RemovedBackground] = field(default_factory=dict)  # by item id, cut out of what was drawn

    def doubts(self, item_id: str) -> tuple[Finding, ...]:
        """About the mask by which a product was cut out of what was drawn."""
        product = self.products.get(item_id)
        return product.chosen.check.findings if product else ()


class Watch(Protocol):
    """The lease, as the sampler sees it: asked before every run and between denoising steps."""

    def check(self) -> None:
        """Raises LeaseLost or Draining to abandon the batch."""

    @property
    def cancelled(self) -> frozenset[str]:
        """Ids of items that were cancelled meanwhile; it only grows."""


class Unwatched:
    """A watch of what nobody leased and nobody cancels."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Goes on."""


class Sampler(Protocol):
    """What draws. The real one is workers.sampling.sampler.DiffusersSampler."""

    def make_ready(self, held: Claim) -> None:
        """Do for a claim what takes time and needs no device: fetch, hash and check files. Without the GPU lock."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Pictures] = ...) -> Sampled:
        """Pixels for a claim, in item order. Same claim, same versions -> same pixels. Hold the GPU lock.

        `pictures` are by item id, for tasks that take some.
        """
