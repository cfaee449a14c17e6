"""Sampler of a worker without a device: it serves the queue of kept drawings, and draws nothing."""

from __future__ import annotations

import socket

from workers.errors import ModelMissing
from workers.jobs.types import Claim
from workers.sampling.types import Sampled


class NoDevice:
    """Stands where others have a device. No model is loaded, and no device is asked."""

    device_id = f"none@{socket.gethostname()}"
    device_class = ""

    def make_ready(self, held: Claim) -> None:
        """Raises ModelMissing: what has to be drawn is another worker's."""
        raise ModelMissing(f"this worker has no device, and {held.recipe.model} has to be drawn")

    def sample(self, held: Claim, *_: object, **__: object) -> Sampled:
        """Raises ModelMissing."""
        raise ModelMissing(f"this worker has no device, and {held.recipe.model} has to be drawn")
