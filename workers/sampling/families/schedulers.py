"""Schedulers by what their model predicts, and the options that a recipe may set.

A scheduler turns what the denoiser returns into the next latents. One of another kind runs without an error and draws
noise, so a card may name only those of its family. Every class here is a function of latents, seed and steps alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The denoiser predicts the noise, the velocity or the sample of a discrete noise schedule.
DIFFUSION = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LCMScheduler",
    "PNDMScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
)
# Pipelines that pass latents, a step and nothing that a multistep solver would need.
PLAIN_DIFFUSION = ("DDIMScheduler", "DDPMScheduler")
# The denoiser predicts the velocity of a straight path between noise and image.
FLOW = ("FlowMatchEulerDiscreteScheduler",)
FLOW_SOLVERS = (*FLOW, "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
# The model maps a noisy image to a clean one.
CONSISTENCY = ("CMStochasticIterativeScheduler",)

KINDS = {
    "diffusion (epsilon, v_prediction or sample)": DIFFUSION,
    "flow matching": FLOW_SOLVERS,
    "consistency": CONSISTENCY,
}
# Options of a recipe: what each sets, and the schedulers that have it. They change the picture: the ledger has them.
_SIGMAS = (
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "UniPCMultistepScheduler",
)
_SPACED = (
    *_SIGMAS,
    "DDIMScheduler",
    "DDPMScheduler",
    "EulerAncestralDiscreteScheduler",
    "LCMScheduler",
    "TCDScheduler",
)
OPTIONS: Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "karras": ({"use_karras_sigmas": True}, _SIGMAS),
    "sde": ({"algorithm_type": "sde-dpmsolver++"}, ("DPMSolverMultistepScheduler",)),
    "trailing": (
        {"timestep_spacing": "trailing"},
        tuple(name for name in _SPACED if name != "DPMSolverSinglestepScheduler"),
    ),
}

ALL = tuple(dict.fromkeys(name for names in KINDS.values() for name in names))


def kinds_of(scheduler: str) -> str:
    """What the models of a scheduler predict, in words."""
    return " or ".join(kind for kind, names in KINDS.items() if scheduler in names) or "nothing that is known here"


def settings_of(options: Sequence[str]) -> dict[str, Any]:
    """What these options set in a scheduler's configuration."""
    return {name: value for option in options for name, value in OPTIONS[option][0].items()}


def misfit(scheduler: str, options: Sequence[str], *, flow: bool) -> str | None:
    """Why a scheduler cannot have one of these options, or None. `flow`: for a model that matches flows."""
    for option in options:
        if flow:
            return f"{option} is an option of diffusion schedules; this model matches flows"
        if option not in OPTIONS:
            return f"{option!r} is no option of a scheduler; there are: {', '.join(OPTIONS)}"
        if scheduler not in OPTIONS[option][1]:
            return f"{scheduler} has no option {option}; these have it: {', '.join(OPTIONS[option][1])}"
    return None
