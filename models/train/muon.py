"""Muon optimizer: momentum with orthogonalised matrix updates, so that all directions of a weight learn equally fast.

Half the samples of AdamW for the same loss here. Source: Jordan et al., "Muon: an optimizer for hidden layers in
neural networks", 2024; the update's size is AdamW's (Liu et al., "Muon is scalable for LLM training", 2025, eq. 4), so
that one rate serves both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from models.train.network import fast_half

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, from the first source
_ITERATIONS = 5
_SIZE = 0.2  # root mean square of an AdamW update, in rates


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions; a convolution's are rows of everything that makes one output."""

    def __init__(self, weights: Iterable[Tensor], *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update, Nesterov's way; weights without a gradient stay."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight.grad)
                kept = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(kept, group["momentum"])
                update = orthogonal(ahead.flatten(1))
                size = _SIZE * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view(ahead.shape), alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix with all singular values near one, float32, by Newton and Schulz's iteration.

    In bfloat16 where that is fast, as in the first source. A processor without matrix tiles needs a dozen times as
    long for it as for float32, which is no less exact.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(torch.bfloat16 if fast_half(matrix.device) else torch.float32)
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()
