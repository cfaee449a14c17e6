"""Watermark writers: numpy for one picture when it is needed, or torch for a whole batch on a device.

Both give, for each picture, its prepared mark: a function from a scheme to a watermarked copy. The first rung of a
whole batch is written on the device together. The stronger rung, which few pictures need, is written one by one with
numpy. A device without enough memory leaves all to numpy: the watermarks are the same, and a batch must not fail for
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from policy.marks import watermark
from policy.marks.pure_ground import PureGround, pure_ground
from policy.marks.watermark import Image, Scheme

if TYPE_CHECKING:
    import torch

Write = Callable[[Scheme], Image]  # a prepared mark, or a lock's own


class PreparedMark:
    """One picture and its id: `mark(scheme)` is the watermarked copy, made once a scheme. Any thread may call it."""

    def __init__(self, image: Image, watermark_id: int, done: Mapping[Scheme, Image] | None = None) -> None:
        self._image, self._watermark_id = image, watermark_id
        self._copies = dict(done or {})

    @cached_property
    def ground(self) -> PureGround | None:
        """The pure ground of the picture, which a scheme beside it leaves alone."""
        return pure_ground(self._image)

    def __call__(self, scheme: Scheme) -> Image:
        if scheme not in self._copies:
            where = self.ground.where if scheme.off_ground and self.ground else None
            self._copies[scheme] = watermark.embed(self._image, self._watermark_id, scheme, where)
        return self._copies[scheme]


class Writer(Protocol):
    """Any thread may call it."""

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[PreparedMark]:
        """For each RGB picture of uint8 [N, H, W, 3], what writes its id into it."""


class NumpyWriter:
    """Watermarks a picture when a scheme is first asked for, once a scheme."""

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[PreparedMark]:
        return [PreparedMark(image, watermark_id) for image, watermark_id in zip(images, ids, strict=True)]


class TorchWriter:
    """Watermarks a batch on one device when it is prepared. Holds no lock of the sampler: it takes milliseconds."""

    def __init__(self, device: torch.device | str) -> None:
        import torch  # noqa: PLC0415 - only workers with a device come here

        self._device = torch.device(device)

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[PreparedMark]:
        import torch  # noqa: PLC0415

        from policy.marks import watermark_torch  # noqa: PLC0415

        first = watermark.ladder(images[0])[0]
        try:
            on_device = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            written = watermark_torch.embed(on_device, ids, first).cpu().numpy()
        except torch.OutOfMemoryError:
            return NumpyWriter().prepare(images, ids)
        return [PreparedMark(image, id, {first: copy}) for image, id, copy in zip(images, ids, written, strict=True)]
