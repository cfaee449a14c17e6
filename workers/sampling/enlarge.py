"""Upscaling by the factor of an upscaler's card: a small convolutional network, tile by tile.

The network is SRVGGNetCompact of Real-ESRGAN (Wang et al., 2021): plain 3 x 3 convolutions, so a pixel of the result
depends on no more than one pixel around it for every convolution. Tiles that overlap by that much, and are cut back
afterwards, give what the whole picture would give, and memory is that of one tile however large the picture is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from workers.errors import ModelMissing, ModelRefused
from workers.sampling.cards.extras import UpscalerCard
from workers.sampling.files.folder_rules import check_extra
from workers.sampling.types import Pixels

TILE = 128  # pixels of a side, before the overlap; 64 channels of it in float32 are 6 MB a layer
_CHANNELS = 3


class Compact(nn.Module):  # type: ignore[misc]
    """Convolutions and PReLUs in a row, a pixel shuffle, and the picture itself, enlarged, added to it."""

    def __init__(self, features: int, convolutions: int, factor: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(_CHANNELS, features, 3, 1, 1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        layers.append(nn.Conv2d(features, _CHANNELS * factor**2, 3, 1, 1))
        self.body = nn.Sequential(*layers)
        self.factor = factor
        self.reach = convolutions + 2  # pixels around one that decide what becomes of it

    def forward(self, pictures: Tensor) -> Tensor:
        """float [N, 3, H, W] in [0, 1] -> [N, 3, H * factor, W * factor], not clipped."""
        grown = functional.interpolate(pictures, scale_factor=float(self.factor), mode="nearest")
        return functional.pixel_shuffle(self.body(pictures), self.factor) + grown


class Enlarger:
    """One upscaler on one device. One thread at a time: the one that holds the GPU lock."""

    def __init__(self, card: UpscalerCard, device: torch.device) -> None:
        """Checks the weights against the card. Raises ModelMissing and ModelRefused."""
        self.card, self._device = card, device
        self._network = _loaded(card, check_extra(card)).to(device)

    def enlarge(self, picture: Pixels) -> Pixels:
        """One picture, uint8 [H, W, 3] -> [H * factor, W * factor, 3]. The same pixels for the same picture."""
        factor = self.card.factor
        height, width = picture.shape[:2]
        grown = np.empty((height * factor, width * factor, _CHANNELS), np.uint8)
        with torch.inference_mode():
            source = torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None].float() / 255
            for tile in _tiles(height, width, TILE, self._network.reach):
                shown = self._network(source[..., tile.top : tile.bottom, tile.left : tile.right])
                kept = shown[0, :, *(slice(begin * factor, end * factor) for begin, end in tile.kept)]
                pixels = (kept.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
                grown[tile.y * factor : tile.y * factor + len(pixels), tile.x * factor :][:, : pixels.shape[1]] = pixels
        return grown


class _Tile(NamedTuple):
    """What is read of the picture, what of that is kept (rows, columns), and where it belongs."""

    top: int
    bottom: int
    left: int
    right: int
    kept: tuple[tuple[int, int], tuple[int, int]]
    y: int
    x: int


def _tiles(height: int, width: int, side: int, overlap: int) -> Iterator[_Tile]:
    for y in range(0, height, side):
        for x in range(0, width, side):
            top, left = max(0, y - overlap), max(0, x - overlap)
            end_y, end_x = min(height, y + side), min(width, x + side)
            rows, columns = (y - top, end_y - top), (x - left, end_x - left)
            yield _Tile(top, min(height, end_y + overlap), left, min(width, end_x + overlap), (rows, columns), y, x)


def _loaded(card: UpscalerCard, weights: Path) -> Compact:
    network = Compact(card.features, card.convolutions, card.factor)
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    except RuntimeError as error:
        raise ModelRefused(f"upscaler {card.name}: its weights are not those of its architecture") from error
    except OSError as error:
        raise ModelMissing(f"upscaler {card.name}: {weights} cannot be read") from error
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return network
