"""Choice of a picture's mask: its own transparency, else a supplied mask, else the network; with its check.

What a person or a file states is never replaced by an estimate. An estimate is compared with a second method: the
colour of the ground where that is uniform, else the network's own answer for the mirrored picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from workers.errors import MaskRefused
from workers.masks import ground, mask, measures
from workers.masks.mask import Alpha, Mask, Pixels
from workers.masks.measures import MaskCheck

_MIRRORED = "mirrored picture"


class MaskFinder(Protocol):
    """What estimates a mask. Many threads may call it at once."""

    method: str

    def find(self, picture: Pixels) -> Mask:
        """The mask of an RGB picture; it may be empty."""

    def mirrored(self, picture: Pixels) -> Alpha:
        """The same of the mirrored picture, mirrored back."""


@dataclass(frozen=True, slots=True, eq=False)
class ChosenMask:
    """A mask and its check. `check.hold` says that a person has to look before it is used."""

    mask: Mask
    check: MaskCheck


def choose(
    picture: Pixels, finder: MaskFinder | None, *, alpha: Alpha | None = None, given: Alpha | None = None
) -> ChosenMask:
    """The mask of an RGB picture, uint8 [H, W, 3], its transparency first.

    `alpha` is the picture's own transparency, `given` a supplied mask, both uint8 [H, W]. Without a finder the colour
    of a uniform ground decides. Raises MaskRefused where a stated mask cannot be used or no method finds a product.
    Pure but for the network: the same arrays give the same mask.
    """
    stated = mask.from_alpha(alpha) if alpha is not None else None
    if given is not None:
        sent = mask.supplied(given, picture.shape)
        stated = stated or sent  # a wrong mask is refused even where it is not needed
    if stated is not None:
        return ChosenMask(stated, measures.check(stated))
    return _estimated(picture, finder)


def _estimated(picture: Pixels, finder: MaskFinder | None) -> ChosenMask:
    keyed = ground.keyed(picture)
    if finder is None:
        by_colour = ground.mask_by_ground(keyed) if keyed else None
        if by_colour is None:
            raise MaskRefused("no product stands out from the ground; send a mask, or a picture with transparency")
        return ChosenMask(by_colour, measures.check(by_colour))
    found = finder.find(picture)
    if not found.product.any() or found.product.all():
        raise MaskRefused("the network finds no product in the picture; send a mask, or a picture with transparency")
    if keyed is not None and keyed.without.any():
        return ChosenMask(found, _between(found, keyed))
    return ChosenMask(found, measures.check(found, finder.mirrored(picture), f"{found.method}, {_MIRRORED}"))


def _between(found: Mask, keyed: ground.KeyedGround) -> MaskCheck:
    """The check beside a keyed ground, which gives a lower and an upper bound instead of one mask."""
    alone = measures.check(found).measures
    agreed = ground.agreement(found.product, keyed)
    return measures.scored(replace(alone, agreement=agreed, second_method=keyed.method))


def by_ground(picture: Pixels, colour: tuple[int, int, int] | None = None) -> ChosenMask:
    """The mask by the colour of the ground alone, for a caller that asks for it. Raises MaskRefused."""
    keyed = ground.keyed(np.ascontiguousarray(picture), colour)
    found = ground.mask_by_ground(keyed) if keyed else None
    if found is None:
        raise MaskRefused("the ground around the picture is not uniform, or nothing stands out from it; send a mask")
    return ChosenMask(found, measures.check(found))
