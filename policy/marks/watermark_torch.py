"""Watermark in torch: the same watermark for many pictures at once, on a CPU or a CUDA device.

It follows policy/marks/watermark.py step by step with a batch dimension, including the roundings of OpenCV's resizing.
Nothing loops over cells: an area mean is two matrix products, and power iteration runs over all cells of all pictures.
The bits are those that numpy writes. A pixel differs by one level at most, where a sum falls on the edge between two
(tests/policy/marks/test_watermark_torch.py). The watermark in a file is always read back with numpy, whichever wrote
it.

Any thread may call; nothing is kept but small matrices. Importing this module loads torch, so only workers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from policy.marks import payload, watermark
from policy.marks.watermark import Scheme, WatermarkReading
from policy.marks.watermark_cells import (
    HIGHEST,
    LOWEST,
    LUMA_OF_RGB,
    LUMA_WEIGHT,
    U_OF_RGB,
    U_TO_BLUE,
    U_TO_GREEN,
)

_RED, _GREEN, _BLUE = 0, 1, 2


def embed(images: Tensor, ids: Sequence[int], scheme: Scheme) -> Tensor:
    """Watermarked copies of RGB pictures of one size, uint8 [N, H, W, 3], on their device."""
    planes = images.permute(0, 3, 1, 2)
    small = _resize_bytes(planes, scheme.grid, scheme.grid)
    value, left, right = _singular(_chroma(small))
    bits = torch.tensor(np.stack([payload.encode(id) for id in ids]), device=images.device)
    target = _targets(value, bits, small, scheme)
    direction = left[:, :, None, :] * right[:, None, :, :]
    shift, most = target - value, 2.5 * scheme.step
    draft = small if min(planes.shape[2:]) > scheme.grid else planes
    settled, before = None, torch.ones(len(ids), device=images.device)
    for _ in range(watermark.CORRECTIONS):
        marked = _written(draft, direction, shift, scheme)
        off = target - _values(marked, scheme.grid)
        wrong = off.abs() > watermark.TOLERANCE * scheme.step
        share = wrong.float().mean(dim=1)
        # A picture that is done is done: what the next pass would find for it counts for nothing.
        going_on = (share > watermark.OFF_CELLS) & (share <= watermark.STALLED * before)
        if not bool(going_on.any()):
            settled = marked
            break
        corrected = (shift + torch.where(wrong, off, 0)).clamp(-most, most)
        shift = torch.where(going_on[:, None], corrected, shift)
        before = torch.where(going_on, share, 0)
    if settled is None or draft is not planes:
        settled = _written(planes, direction, shift, scheme)
    return settled.permute(0, 2, 3, 1).contiguous()


def read(images: Tensor) -> list[WatermarkReading | None]:
    """The watermark of each RGB picture, uint8 [N, H, W, 3], or None: as watermark.read."""
    found: list[WatermarkReading | None] = [None] * len(images)
    values: dict[int, Tensor] = {}
    for scheme in watermark.SCHEMES:
        if scheme.grid not in values:
            values[scheme.grid] = _values(images.permute(0, 3, 1, 2), scheme.grid)
        for number, word in enumerate(_majority(values[scheme.grid], scheme).cpu().numpy()):
            payload_read = payload.decode(word, correct=scheme.correctable_bits) if found[number] is None else None
            if payload_read is not None:
                found[number] = WatermarkReading(payload_read.watermark_id, scheme, payload_read.bit_errors)
    return found


def read_bits(images: Tensor, scheme: Scheme) -> Tensor:
    """The 127 bits of each picture, uncorrected, uint8 [N, 127]."""
    return _majority(_values(images.permute(0, 3, 1, 2), scheme.grid), scheme)


def _written(planes: Tensor, direction: Tensor, shift: Tensor, scheme: Scheme) -> Tensor:
    residual = _assemble(direction * (shift[:, None, None, :] * 0.5), scheme.grid)
    return _move_chroma(planes, _resize_smoothly(residual, planes.shape[2], planes.shape[3]))


def _values(planes: Tensor, grid: int) -> Tensor:
    return _singular(_chroma(_resize_bytes(planes, grid, grid)))[0]


def _majority(value: Tensor, scheme: Scheme) -> Tensor:
    votes = -torch.sin(value * (2 * torch.pi / scheme.step))
    places = torch.arange(value.shape[1], device=value.device) % payload.CODE_BITS
    tally = torch.zeros(len(value), payload.CODE_BITS, device=value.device)
    return (tally.index_add_(1, places, votes) > 0).to(torch.uint8)


def _chroma(small: Tensor) -> Tensor:
    """U of [N, 3, G, G] bytes, as OpenCV's integers have it (BT.601, 14 bits), Haar LL: [N, G / 2, G / 2]."""
    red, green, blue = (small[:, channel].int() for channel in (_RED, _GREEN, _BLUE))
    luma = (red * 4899 + green * 9617 + blue * 1868 + 8192) >> 14
    chroma = (((blue - luma) * 8061 + (128 << 14) + 8192) >> 14).clamp(0, 255).float()
    return (chroma[:, 0::2, 0::2] + chroma[:, 1::2, 0::2] + chroma[:, 0::2, 1::2] + chroma[:, 1::2, 1::2]) * 0.5


def _singular(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Top singular triple of each 4 x 4 block: values [N, C], left and right vectors [N, 4, C]."""
    pictures, side = plane.shape[0], plane.shape[1] // 4
    blocks = plane.view(pictures, side, 4, side, 4).permute(0, 2, 4, 1, 3).reshape(pictures, 4, 4, -1)
    right = blocks.sum(dim=1)
    for _ in range(6):
        right = right / (right.norm(dim=1, keepdim=True) + 1e-9)
        left = (blocks * right[:, None]).sum(dim=2)
        right = (blocks * left[:, :, None]).sum(dim=1)
    right = right / (right.norm(dim=1, keepdim=True) + 1e-9)
    left = (blocks * right[:, None]).sum(dim=2)
    value = left.norm(dim=1)
    return value, left / (value[:, None] + 1e-9), right


def _assemble(blocks: Tensor, grid: int) -> Tensor:
    """[N, 4, 4, C] to planes [N, grid / 2, grid / 2]."""
    side = grid // 8
    return blocks.view(-1, 4, 4, side, side).permute(0, 3, 1, 4, 2).reshape(-1, 4 * side, 4 * side)


def _targets(value: Tensor, bits: Tensor, small: Tensor, scheme: Scheme) -> Tensor:
    side, step = scheme.grid // 8, scheme.step
    places = torch.arange(side * side, device=value.device) % payload.CODE_BITS
    cells = _resize_bytes(small, side, side)
    up, down = _cost(cells, 2.0), _cost(cells, -2.0)
    phase = step * (0.25 + 0.5 * bits[:, places].float())
    below = torch.floor((value - phase) / step) * step + phase
    above = below + step
    rises = (above - value) * up <= (value - below) * down
    rises = torch.where(above > HIGHEST, False, torch.where(below < LOWEST, True, rises))
    return torch.where(rises, above, below)


def _cost(cells: Tensor, amount: float) -> Tensor:
    """Colour distance per unit of U when each cell's mean colour moves that way, in the gamut: [N, C]."""
    moved, excess = _moved_planes(cells, torch.full_like(cells[:, 0], amount, dtype=torch.float32))
    change = (moved - excess[:, None]).clamp(0, 255) - cells.float()
    of_u, of_luma = (torch.from_numpy(row).to(cells.device) for row in (U_OF_RGB, LUMA_OF_RGB))
    gained = torch.einsum("nchw,c->nhw", change, of_u).abs() + 1e-3
    luma = torch.einsum("nchw,c->nhw", change, of_luma).abs()
    return ((change.norm(dim=1) + float(LUMA_WEIGHT) * luma) / gained).flatten(1)


def _move_chroma(planes: Tensor, amount: Tensor) -> Tensor:
    moved, excess = _moved_planes(planes, amount)
    return (moved - excess[:, None]).round().clamp(0, 255).to(torch.uint8)


def _moved_planes(planes: Tensor, amount: Tensor) -> tuple[Tensor, Tensor]:
    """Red, green and blue [N, 3, H, W] with U raised, and by how much a channel leaves 0..255."""
    moved = planes.float()
    moved[:, _GREEN] += float(U_TO_GREEN) * amount
    moved[:, _BLUE] += float(U_TO_BLUE) * amount
    changed = moved[:, _GREEN:]
    return moved, (changed.amax(dim=1) - 255).clamp(min=0) + changed.amin(dim=1).clamp(max=0)


def _resize_bytes(planes: Tensor, height: int, width: int) -> Tensor:
    """uint8 [N, C, H, W] resized as watermark_cells.resize: what shrinks by area, then what grows by interpolation."""
    for rows, columns in _steps(planes.shape[2], planes.shape[3], height, width):
        before = planes.shape[2], planes.shape[3]
        if rows > before[0] or columns > before[1]:
            planes = _interpolated(planes, rows, columns)
            continue
        # OpenCV's halving rounds halves up, its other means to even: sums that end a little beside one are put on it.
        means = (_through(planes.float(), rows, columns) * 4096).round() / 4096
        halved = before == (2 * rows, 2 * columns)
        planes = ((means + 0.5).floor() if halved else means.round()).clamp(0, 255).to(torch.uint8)
    return planes


def _interpolated(planes: Tensor, height: int, width: int) -> Tensor:
    """Linear interpolation of bytes in OpenCV's integers: weights of 11 bits, and its shifts on the way back to 8."""
    first, second, near, far = _taps(planes.shape[3], width, planes.device)
    across = planes[..., first].int() * near + planes[..., second].int() * far
    first, second, near, far = _taps(planes.shape[2], height, planes.device)
    upper, lower = across[..., first, :] >> 4, across[..., second, :] >> 4
    mixed = (upper * near[:, None] >> 16) + (lower * far[:, None] >> 16)
    return (mixed + 2 >> 2).clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _taps(before: int, after: int, device: torch.device) -> tuple[Tensor, ...]:
    """The two old places that each new one is mixed from, and the weight of each in 2048ths."""
    centre = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1).astype(np.float32)
    first = np.floor(centre).astype(np.int64)
    far = np.rint((centre - first) * np.float32(2048)).astype(np.int32)
    second = np.minimum(first + 1, before - 1)
    return tuple(torch.from_numpy(row).to(device) for row in (first, second, 2048 - far, far))


def _resize_smoothly(planes: Tensor, height: int, width: int) -> Tensor:
    for rows, columns in _steps(planes.shape[1], planes.shape[2], height, width):
        planes = _through(planes, rows, columns)
    return planes


def _steps(rows: int, columns: int, height: int, width: int) -> list[tuple[int, int]]:
    shrunk = (min(height, rows), min(width, columns))
    return [size for size, before in ((shrunk, (rows, columns)), ((height, width), shrunk)) if size != before]


def _through(planes: Tensor, height: int, width: int) -> Tensor:
    """[..., H, W] to [..., height, width]: rows, then columns, each one matrix product."""
    down = _weights(planes.shape[-2], height, planes.device)
    across = _weights(planes.shape[-1], width, planes.device)
    return torch.matmul(torch.matmul(down, planes), across.T)


@lru_cache(maxsize=64)
def _weights(before: int, after: int, device: torch.device) -> Tensor:
    """The share of each old place in each new one, [after, before]: area where it shrinks, cubic where it grows."""
    scale = before / after
    places = np.arange(before)
    if after <= before:
        starts = np.arange(after)[:, None] * scale
        overlap = np.minimum(starts + scale, places[None, :] + 1) - np.maximum(starts, places[None, :])
        return torch.from_numpy((np.clip(overlap, 0, 1) / scale).astype(np.float32)).to(device)
    centre = (np.arange(after) + 0.5) * scale - 0.5
    matrix = np.zeros((after, before))
    for tap in range(-1, 3):
        place = np.floor(centre) + tap
        at = np.clip(place, 0, before - 1).astype(int)
        np.add.at(matrix, (np.arange(after), at), _cubic(np.abs(centre - place)))
    return torch.from_numpy(matrix.astype(np.float32)).to(device)


def _cubic(near: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel with OpenCV's a = -0.75 (Keys 1981)."""
    a = -0.75
    inner = (a + 2) * near**3 - (a + 3) * near**2 + 1
    outer = a * near**3 - 5 * a * near**2 + 8 * a * near - 4 * a
    return np.where(near <= 1, inner, np.where(near < 2, outer, 0))
