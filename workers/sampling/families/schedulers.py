"""Schedulers by what their model predicts, and the options that a recipe may set.

A scheduler turns what the denoiser returns into the next latents. One of another kind runs without an error and draws
noise, so a card may name only those of its family. Every class here is a function of latents, seed and steps alone.
"""

from __future__ import annotations

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
ALL = tuple(dict.fromkeys(name for names in KINDS.values() for name in names))


def kinds_of(scheduler: str) -> str:
    """What the models of a scheduler predict, in words."""
    return " or ".join(kind for kind, names in KINDS.items() if scheduler in names) or "nothing that is known here"
