"""Presets of distilled models: few steps, the guidance that goes with them, and the scheduler they were distilled for.

A distilled model's files do not say that it is one. Drawn with the steps and guidance of its teacher it draws badly,
and no library says so; the person who adds it names the preset, and its card refuses other guidance.
"""

from __future__ import annotations

from typing import NamedTuple


class Preset(NamedTuple):
    """What a request gets that asks for nothing, and the most that it may ask for."""

    steps: int
    most_steps: int
    guidance: float
    most_guidance: float
    scheduler: str | None = None  # None: the one that the model came with


PRESETS = {
    "turbo": Preset(1, 4, 0.0, 1.0, "EulerAncestralDiscreteScheduler"),  # adversarial distillation: SD and SDXL Turbo
    "lightning": Preset(4, 8, 0.0, 1.0, "EulerDiscreteScheduler"),  # SDXL Lightning; its UNet names its own steps
    "lcm": Preset(4, 8, 1.0, 2.0, "LCMScheduler"),  # latent consistency weights for another pipeline
    "tcd": Preset(4, 8, 0.0, 1.0, "TCDScheduler"),  # trajectory consistency, Hyper-SD
    "schnell": Preset(4, 8, 0.0, 1.0),  # timestep-distilled flow models: FLUX schnell
    "distilled-flow": Preset(8, 16, 1.0, 1.0),  # FLUX.2 klein, Z-Image Turbo
}
