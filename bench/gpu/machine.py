"""Machine: what a device can do at most, how much of the time it works, and how far two pictures are apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from workers.sampling.types import Pixels

_PRODUCTS = 20


def matrix_rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """FLOP a second of products of two square matrices: what no network of this dtype exceeds. The best of three."""
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(4):  # the first warms up, and is no better than those after it
        _wait_for(device)
        started = time.perf_counter()
        for _ in range(_PRODUCTS):
            one @ other
        _wait_for(device)
        best = min(best, time.perf_counter() - started)
    return 2.0 * side**3 * _PRODUCTS / best


def flop(act: Callable[[], Pixels]) -> tuple[float, Pixels]:
    """Floating-point operations of matrix products, convolutions and attention, and what was made by them."""
    with FlopCounterMode(display=False) as counter:
        made = act()
    return float(counter.get_total_flops()), made


def seconds(act: Callable[[], Pixels], repeats: int) -> tuple[float, Pixels]:
    """The median of some runs after one that warms up, and what the last made. Pixels on the host end the clock."""
    made, taken = act(), []
    for _ in range(repeats):
        started = time.perf_counter()
        made = act()
        taken.append(time.perf_counter() - started)
    return median(taken), made


def busy(device: torch.device, act: Callable[[], object]) -> float:
    """The share of its time in which at least one kernel ran; on a CPU, one operation of this thread."""
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as seen:
        started = time.perf_counter()
        act()
        wall = time.perf_counter() - started
    kind = DeviceType.CUDA if cuda else DeviceType.CPU
    spans = sorted(
        (event.time_range.start, event.time_range.end) for event in seen.events() if event.device_type == kind
    )
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e6 / wall


def psnr(one: Pixels, other: Pixels) -> float:
    """dB over the contrast of the first: random weights draw little of it, and 255 would flatter."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    peak = max(1.0, float(one.max()) - float(one.min()))
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
