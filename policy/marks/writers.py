"""Watermark writers: numpy for one picture when it is needed, or torch for a whole batch on a device.

Both give, for each picture, a function from a scheme to a watermarked copy. The first rung of a whole batch is written
on the device together. The stronger rung, which few pictures need, is written one by one with numpy. A device without
enough memory leaves all to numpy: the watermarks are the same, and a batch must not fail for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from policy.marks import watermark
from policy.marks.pure_ground import pure_ground
from policy.marks.watermark import Floats, Image, Scheme

if TYPE_CHECKING:
    import torch

Write = Callable[[Scheme], Image]


class Writer(Protocol):
    """Any thread may call it."""

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[Write]:
        """For each RGB picture of uint8 [N, H, W, 3], a function that writes its id into it."""


class NumpyWriter:
    """Watermarks a picture when a scheme is first asked for, once a scheme."""

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[Write]:
        return [_kept(image, watermark_id) for image, watermark_id in zip(images, ids, strict=True)]


class TorchWriter:
    """Watermarks a batch on one device when it is prepared. Holds no lock of the sampler: it takes milliseconds."""

    def __init__(self, device: torch.device | str) -> None:
        import torch  # noqa: PLC0415 - only workers with a device come here

        self._device = torch.device(device)

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[Write]:
        import torch  # noqa: PLC0415

        from policy.marks import watermark_torch  # noqa: PLC0415

        later = [_kept(image, watermark_id) for image, watermark_id in zip(images, ids, strict=True)]
        first = watermark.ladder(images[0])[0]
        try:
            on_device = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            written = watermark_torch.embed(on_device, ids, first).cpu().numpy()
        except torch.OutOfMemoryError:
            return later
        return [_first(copy, first, other) for copy, other in zip(written, later, strict=True)]


def _kept(image: Image, watermark_id: int) -> Write:
    @cache
    def where() -> Floats | None:
        ground = pure_ground(image)
        return None if ground is None else ground.where

    return cache(lambda scheme: watermark.embed(image, watermark_id, scheme, where() if scheme.off_ground else None))


def _first(copy: Image, first: Scheme, other: Write) -> Write:
    return lambda scheme: copy if scheme == first else other(scheme)
