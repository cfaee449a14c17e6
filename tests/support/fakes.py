"""Stand-ins for the two things a test of the line does without: the device and, where sends are counted, the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from workers.jobs.types import Claim, SamplingPosition
from workers.sampling.types import CANCELLED, Pictures, Sampled, Watch


@dataclass(slots=True)
class RecordingQueue:
    """A broker that remembers what it was sent. `fail_after` messages it refuses with `error`."""

    batch_ids: list[str] = field(default_factory=list)
    fail_after: int | None = None
    error: Exception | None = None
    on_send: Callable[[str], object] | None = None

    def send(self, queue: str, batch_id: str) -> None:
        if self.error is not None and len(self.batch_ids) == self.fail_after:
            raise self.error
        if self.on_send is not None:
            self.on_send(batch_id)
        self.batch_ids.append(batch_id)


@dataclass(slots=True)
class FakeSampler:
    """Draws gradients at once instead of diffusing; looks at the lease between `steps` as the real one does."""

    steps: int = 2
    between: Callable[[Claim, Watch, int], object] | None = None  # called before every look at the lease
    faults: dict[str, str] = field(default_factory=dict)  # custom_id -> code
    pictures: dict[str, np.ndarray] = field(default_factory=dict)  # custom_id -> what comes out instead
    claims: list[Claim] = field(default_factory=list)
    seconds: float = 0.0  # of each run
    joules: float | None = None

    def make_ready(self, held: Claim) -> None:
        """Nothing to fetch."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Pictures] | None = None) -> Sampled:
        """An item with a picture is drawn half over it, so that the result tells what it was made from."""
        self.claims.append(held)
        for step in range(self.steps):
            if self.between is not None:
                self.between(held, watch, step)
            watch.check()
        faults = {item.id: self.faults[item.custom_id] for item in held.items if item.custom_id in self.faults}
        faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        height, width, _ = held.recipe.shape
        images = np.zeros((len(held.items), height, width, 3), np.uint8)
        for n, item in enumerate(held.items):
            if item.id not in faults:
                images[n] = self.pictures.get(item.custom_id, draw(item.seed, height, width))
                if shown := (pictures or {}).get(item.id):
                    given = next(iter(shown.values())).convert("RGB").resize((width, height))
                    images[n] = (0.5 * images[n] + 0.5 * np.asarray(given)).astype(np.uint8)
        positions = tuple(SamplingPosition(len(held.items), n, "fake") for n in range(len(held.items)))
        return Sampled(images, faults, positions, self.seconds, self.joules)


def draw(seed: int, height: int, width: int) -> np.ndarray:
    """A soft two-colour gradient with a little grain: nothing a screen minds, something a mark can live in."""
    random = np.random.default_rng(seed)
    ends = random.uniform(60, 200, (2, 3))
    across = np.linspace(0, 1, width)[None, :, None] * 0.7 + np.linspace(0, 1, height)[:, None, None] * 0.3
    grain = random.normal(0, 4, (height, width, 1))
    image: np.ndarray = np.clip(ends[0] * (1 - across) + ends[1] * across + grain, 0, 255).astype(np.uint8)
    return image
