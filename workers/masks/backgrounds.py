"""Background tasks: a product cut out of its picture, and put on a new ground. Pure: arrays in, arrays and records out.

    remove_background    choose the mask -> solve its edge -> the product's own colours
    replace_background   place the product -> shadow on the ground -> composite -> prove the product's pixels

Digests and scores go into the ledger beside the item (`to_json`). A mask below its score is a reason to hold the item:
`hold` and `reasons` say so, and the picture is made all the same, so that a person sees what there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from policy.marks.locks.measures import LockMeasures
from workers.masks import choose
from workers.masks.choose import ChosenMask, MaskFinder
from workers.masks.compositing import Cutout, check_lock, composite, placed
from workers.masks.foreground import foreground
from workers.masks.light import light_on
from workers.masks.mask import Alpha, Mask, MaskSource, Pixels
from workers.masks.matting import matte, trimap
from workers.masks.options import GroundOptions, Placement, Shadow
from workers.masks.shadow import shade

_SOFT_ENOUGH = 0.001  # of a supplied mask between black and white: its edge was drawn on purpose
_SUPPLIED_BAND = 0.004  # of the short side: how far the edge of a black and white mask may be off


@dataclass(frozen=True, slots=True, eq=False)
class RemovedBackground:
    """A product without its ground, the mask that was chosen, and the one whose edge was solved."""

    cutout: Cutout
    chosen: ChosenMask
    mask: Mask
    picture: Pixels  # the source

    @property
    def hold(self) -> bool:
        """A person has to look at the mask."""
        return self.chosen.check.hold

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences. `chosen.check.findings` is the same for a verdict."""
        return self.chosen.check.sentences

    def to_json(self) -> dict[str, Any]:
        """The record for the ledger: `mask` is what cut the product out, `chosen` what it was solved from."""
        return {
            "mask": {"sha256": self.mask.sha256, "source": self.mask.source.value, "method": self.mask.method},
            "chosen": {"sha256": self.chosen.mask.sha256, "method": self.chosen.mask.method},
            "check": self.chosen.check.to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ReplacedBackground:
    """The picture, RGB uint8 [H, W, 3], the product as it was placed in it, and the proof of its pixels."""

    picture: Pixels
    placed: Cutout
    lock: LockMeasures
    options: GroundOptions  # as they were used: the angle of the light is known

    def to_json(self) -> dict[str, Any]:
        """The record for the ledger."""
        return {"lock": self.lock.to_json(), "ground": self.options.to_json()}


def remove_background(
    picture: Pixels, finder: MaskFinder | None, *, alpha: Alpha | None = None, given: Alpha | None = None
) -> RemovedBackground:
    """The product of an RGB picture, uint8 [H, W, 3]; `alpha` and `given` as in `choose`. Raises MaskRefused.

    Where alpha is 255 its colours are the picture's own, bit for bit. The picture's own transparency is taken as it is.
    The same arrays and the same finder give the same bytes. Any thread; no lock is held.
    """
    chosen = choose.choose(picture, finder, alpha=alpha, given=given)
    mask = _solved(picture, chosen.mask)
    own = picture if mask.source is MaskSource.ALPHA else foreground(picture, mask.alpha)
    return RemovedBackground(Cutout(own, mask.alpha), chosen, mask, picture)


def replace_background(
    removed: RemovedBackground, ground: Pixels, options: GroundOptions | None = None
) -> ReplacedBackground:
    """The product on this ground, whose size is that of the result. Raises MaskRefused for an impossible placement.

    A ground of another size than the product's picture is the canvas: at scale 1 the product's pixels are moved whole.
    """
    options = options or GroundOptions()
    height, width = ground.shape[:2]
    here = removed.cutout
    if here.alpha.shape != (height, width) or options.placement != Placement():
        here = placed(here, width, height, options.placement)
    options = replace(options, shadow=_lit(options.shadow, removed.cutout))
    dark = None if options.shadow is None else shade(here.alpha, options.shadow)
    made = composite(here, ground, dark)
    return ReplacedBackground(made, here, check_lock(here, made), options)


def fitted_ground(ground: Pixels, width: int, height: int) -> Pixels:
    """A ground that a model drew, in the size of the product's picture: scaled to cover it, and cut at its middle."""
    drawn_height, drawn_width = ground.shape[:2]
    scale = max(width / drawn_width, height / drawn_height)
    size = (max(width, round(drawn_width * scale)), max(height, round(drawn_height * scale)))
    larger = cv2.resize(ground, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(larger[top : top + height, left : left + width])


def _lit(shadow: Shadow | None, product: Cutout) -> Shadow | None:
    """The shadow with its angle: where the light on the product comes from, unless another was asked for."""
    if shadow is None or shadow.angle is not None:
        return shadow
    return replace(shadow, angle=light_on(product).used)


def _solved(picture: Pixels, mask: Mask) -> Mask:
    """The mask with its edge solved, unless the edge was stated."""
    if mask.source is MaskSource.ALPHA:
        return mask
    if mask.source is MaskSource.SUPPLIED:
        soft = ((mask.alpha > 0) & (mask.alpha < 255)).mean()
        return mask if soft > _SOFT_ENOUGH else matte(picture, mask, trimap(mask, _SUPPLIED_BAND))
    return matte(picture, mask)
