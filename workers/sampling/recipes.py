"""A recipe is what must be equal for items to share a sampling batch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

MAX_SEED = 2**53 - 1  # the largest integer that every JSON reader keeps exact


@dataclass(frozen=True, slots=True)
class Recipe:
    """Equal recipes may be sampled together. Pixels, steps; `loras` are (name, scale) pairs."""

    model: str  # registry name, e.g. "starter"
    model_revision: str  # content hash from the model card, "sha256:..."
    width: int
    height: int
    num_inference_steps: int
    scheduler: str  # diffusers class name, e.g. "DDIMScheduler"
    guidance_scale: float
    task: str = "text-to-image"
    loras: tuple[tuple[str, float], ...] = ()

    @property
    def id(self) -> str:
        """Digest of the content: the same recipe has the same id everywhere."""
        return _digest(self)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "loras": [list(pair) for pair in self.loras]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Recipe:
        return cls(**{**stored, "loras": tuple((name, scale) for name, scale in stored["loras"])})


@lru_cache(maxsize=4096)  # a campaign asks for the same few recipes once an item
def _digest(recipe: Recipe) -> str:
    text = json.dumps(asdict(recipe), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def seed_for(request_id: str, custom_id: str, variant: int) -> int:
    """A 32-bit seed that is a function of the item alone, for items that name none."""
    text = f"{request_id}\n{custom_id}\n{variant}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
