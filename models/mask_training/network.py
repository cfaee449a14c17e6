"""Mask network: an encoder of residual blocks with the whole picture in view, and a decoder up to half the size.

The picture comes in as workers/masks/network.py prepares it for every mask network: scaled by its lightest level, less
ImageNet's mean, over its deviation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WIDTHS = (16, 32, 64, 112, 160)  # at a half, a quarter, ... of the sides
_DEPTHS = (0, 1, 2, 3, 3)


class MaskNet(nn.Module):
    """float32 [N, 3, H, W], sides a multiple of 32 -> logits [N, 1, H/2, W/2]."""

    def __init__(self) -> None:
        super().__init__()
        into, self.down, self.up = 3, nn.ModuleList(), nn.ModuleList()
        for width, depth in zip(_WIDTHS, _DEPTHS, strict=True):
            first = _Step(into, width, stride=2, side=5 if into == 3 else 3)
            self.down.append(nn.Sequential(first, *(_Block(width) for _ in range(depth))))
            into = width
        self.whole = _Whole(into)
        for width in reversed(_WIDTHS[:-1]):
            self.up.append(_Up(into, width))
            into = width
        self.head = nn.Conv2d(into, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        found, kept = picture, []
        for down in self.down:
            found = down(found)
            kept.append(found)
        found = self.whole(found)
        for up, beside in zip(self.up, reversed(kept[:-1]), strict=True):
            found = up(found, beside)
        return self.head(found)


class Probability(nn.Module):
    """The network as it is exported: probabilities instead of logits."""

    def __init__(self, network: MaskNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return torch.sigmoid(self.network(picture))


class _Step(nn.Sequential):
    def __init__(self, into: int, out: int, *, stride: int = 1, side: int = 3) -> None:
        plain = nn.Conv2d(into, out, side, stride, side // 2, bias=False)
        super().__init__(plain, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = _Step(width, width)
        self.two = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, found: Tensor) -> Tensor:
        return functional.relu(found + self.two(self.one(found)))


class _Whole(nn.Module):
    """Every place learns what the whole picture holds: what is ground is a question of the whole."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seen = nn.Linear(2 * width, width)
        self.near = _Block(width)

    def forward(self, found: Tensor) -> Tensor:
        flat = found.flatten(2)
        seen = self.seen(torch.cat([flat.mean(2), flat.amax(2)], 1))
        return self.near(functional.relu(found + seen[..., None, None]))


class _Up(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.narrow = _Step(into, out, side=1)
        self.mix = _Step(out, out)
        self.fine = _Step(out, out)

    def forward(self, found: Tensor, beside: Tensor) -> Tensor:
        wide = functional.interpolate(self.narrow(found), scale_factor=2.0, mode="nearest")
        return self.fine(self.mix(wide + beside))
