"""Backgrounds of a batch: products cut out of their inputs before anything is drawn, and put on new grounds afterwards.

    ProductFinder    an input, and a mask if one was sent -> its product, with the mask and its check
    cut_outs         remove-background: the products themselves are the pictures
    grounds_of       replace-background: what the model is asked for
    surroundings     the same: what it sees, where the ground is drawn around the product
    on_new_grounds   the same: the products on what it drew
    drawn_of         any other task: what the model is asked for, at its own size and on its own ground
    as_asked         the same: what it drew in the size that was asked for, cut out where the ground is transparent

No lock is held: the mask network runs on the processor. Killed anywhere: nothing was written, and the next attempt
comes to the same masks.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from policy.images.screen import pixels_digest
from policy.marks.cutouts.files import over, without_ground
from policy.marks.locks.product_lock import ProductLock
from policy.marks.marker import Marked
from policy.marks.renditions import MASK
from workers.errors import MaskRefused, ModelMissing
from workers.jobs.types import Claim, SamplingPosition
from workers.masks.backgrounds import RemovedBackground, fitted_ground, remove_background, replace_background
from workers.masks.canvas import cleared
from workers.masks.compositing import placed
from workers.masks.mask import HALF, Alpha, Mask, Pixels, encode
from workers.masks.network import MaskNetwork
from workers.masks.options import GroundOptions
from workers.masks.proof import lock_of
from workers.recipes import CLEARED
from workers.sampling.cards.mask_networks import MaskNetworkCard, read_mask_network
from workers.sampling.families.family import INPAINT, REMOVE_BACKGROUND, REPLACE_BACKGROUND, TEXT_TO_IMAGE
from workers.sampling.given.pictures import GivenPicture, SourceUnusable, pictures_for
from workers.sampling.receipts.comparison import PIXELS
from workers.sampling.types import Pictures, Sampled

BACKGROUNDS = (REMOVE_BACKGROUND, REPLACE_BACKGROUND)
STRICT = "strict"  # the lock of a recipe
_DEVICE = "cpu"
_LEAST, _MOST = 0.005, 0.85  # of a ground: less is no thing, more is the ground itself
log = structlog.get_logger()


class ProductFinder:
    """Finds products with the mask network of one models directory, which is loaded at its first use. Any thread."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._network: MaskNetwork | None = None

    def find(self, picture: GivenPicture, mask: GivenPicture | None) -> RemovedBackground:
        """Its own transparency, else the mask, else what the network finds.

        Raises SourceUnusable, and what loading the network raises.
        """
        given = _checked(mask, picture) if mask else None
        stated = given is not None or (picture.alpha is not None and picture.alpha.min() < 255)
        finder = None if stated else self._loaded()
        try:
            return remove_background(picture.colours, finder, alpha=picture.alpha, given=given)
        except MaskRefused:
            raise SourceUnusable("no_product") from None

    def cleared(self, ground: Pixels) -> Pixels:
        """A ground without what stands out from it, if anything does. Raises what loading the network raises."""
        thing = self._loaded().find(ground)
        return cleared(ground, thing.alpha) if _LEAST < thing.product.mean() < _MOST else ground

    def _loaded(self) -> MaskNetwork:
        with self._lock:
            if self._network is None:
                card = read_mask_network(self._models_dir)
                if card is None:
                    raise ModelMissing(f"{self._models_dir} has no mask network; copy the folder masks there")
                self._network = load_network(card)
            return self._network


def load_network(card: MaskNetworkCard) -> MaskNetwork:
    """Raises ModelMissing where the weights are not there, ModelRefused where they are others."""
    return MaskNetwork(card.method, card.weights(), side_pixels=card.side_pixels)


def cut_outs(held: Claim, products: Mapping[str, RemovedBackground]) -> Sampled:
    """The products on white, as they are screened; their transparency is in `products`."""
    images = np.stack([_on_white(products[item.id]) for item in held.items])
    positions = tuple(SamplingPosition(1, 0, _DEVICE, {PIXELS: pixels_digest(image)}) for image in images)
    records = {item.id: products[item.id].to_json() for item in held.items}
    return Sampled(images, {}, positions, 0.0, records=records)


def grounds_of(held: Claim) -> Claim:
    """The same claim as the model sees it: grounds drawn from their prompts, by themselves or around the products."""
    alone = replace(held.recipe, task=TEXT_TO_IMAGE, canvas=None, lock="", ground="", clearing="")
    around = options_of(held).around
    return replace(held, recipe=replace(alone, task=INPAINT, strength=1.0) if around else alone)


def surroundings(held: Claim, products: Mapping[str, RemovedBackground]) -> dict[str, Pictures]:
    """By item, the product where it will stand, and all else to be drawn anew; empty where the ground is drawn alone.

    What lies there now is the product's own mean colour, so that nothing of the old ground is seen.
    """
    options = options_of(held)
    if not options.around:
        return {}
    height, width, _ = held.recipe.shape
    asked, found = grounds_of(held).recipe, {}
    for item in held.items:
        cut = products[item.id].cutout
        try:
            there = placed(cut, width, height, options.placement)
        except MaskRefused:
            there = cut  # on_new_grounds names the fault
        mean = cut.colours[cut.alpha == 255].mean(axis=0) if (cut.alpha == 255).any() else np.full(3, 128)
        seen = over(there.colours, there.alpha, np.broadcast_to(np.rint(mean).astype(np.uint8), there.colours.shape))
        anew = np.repeat((255 - there.alpha)[..., None], 3, axis=2)
        given = {"image": GivenPicture(b"", seen, None), "mask": GivenPicture(b"", anew, None)}
        found[item.id] = pictures_for(asked, given)
    return found


def on_new_grounds(
    held: Claim, grounds: Sampled, products: Mapping[str, RemovedBackground], finder: ProductFinder
) -> Sampled:
    """The products on the grounds that were drawn, each with its lock; without a ground, nothing, and the fault stays.

    A product that is not its source's, pixel for pixel, gets a fault too: such a picture must not leave.
    """
    height, width, _ = held.recipe.shape
    options = options_of(held)
    images = np.zeros((len(held.items), height, width, 3), np.uint8)
    records: dict[str, dict[str, Any]] = {}
    locks: dict[str, ProductLock] = {}
    faults = dict(grounds.faults)
    for n, item in enumerate(held.items):
        if item.id in faults:
            continue
        product, ground = products[item.id], grounds.images[n]
        if held.recipe.clearing == CLEARED and not options.around:
            ground = finder.cleared(ground)
        try:
            made = replace_background(product, fitted_ground(ground, width, height), options)
        except MaskRefused:
            faults[item.id] = "no_place"
            continue
        try:
            locks[item.id] = lock_of(product.picture, made, strict=held.recipe.lock == STRICT)
        except MaskRefused as changed:
            log.error("product_changed", item_id=item.id, reason=str(changed))
            faults[item.id] = "product_changed"
            continue
        images[n] = made.picture
        records[item.id] = product.to_json() | made.to_json()
    return replace(grounds, images=images, faults=faults, records=records, locks=locks)


def drawn_of(held: Claim) -> Claim:
    """The same claim as the model sees it."""
    return replace(held, recipe=replace(held.recipe, canvas=None, background=""))


def as_asked(held: Claim, drawn: Sampled, finder: ProductFinder) -> Sampled:
    """What the model drew, scaled to cover the canvas; on transparent ground the products, shown on white.

    That is what is screened, and what the files show. Where nothing stands out from the ground, the item has a fault.
    """
    if not held.recipe.canvas and not held.recipe.background:
        return drawn
    height, width, _ = held.recipe.shape
    images = np.zeros((len(held.items), height, width, 3), np.uint8)
    faults, records = dict(drawn.faults), dict(drawn.records)
    products: dict[str, RemovedBackground] = {}
    for n, item in enumerate(held.items):
        if item.id in faults:
            continue
        images[n] = fitted_ground(drawn.images[n], width, height)
        if not held.recipe.background:
            continue
        try:
            product = products[item.id] = finder.find(GivenPicture(b"", images[n], None), None)
        except SourceUnusable as nothing:
            images[n], faults[item.id] = 0, nothing.code
            continue
        images[n] = _on_white(product)
        records[item.id] = product.to_json()
    return replace(drawn, images=images, faults=faults, records=records, products=products)


def mask_file(mask: Mask) -> Marked:
    """The mask beside the files; its evidence is in the record of the product."""
    data, (height, width) = encode(mask), mask.alpha.shape
    return Marked(MASK, data, "image/png", width, height, hashlib.sha256(data).hexdigest(), {})


def options_of(held: Claim) -> GroundOptions:
    """How the products of this claim stand on their grounds."""
    return GroundOptions.from_json(json.loads(held.recipe.ground)) if held.recipe.ground else GroundOptions()


def _on_white(product: RemovedBackground) -> Pixels:
    cut = product.cutout
    return over(without_ground(cut.colours, cut.alpha), cut.alpha, 255)


def _checked(mask: GivenPicture, picture: GivenPicture) -> Alpha:
    """A supplied mask: white is the product, or what is opaque. Raises SourceUnusable."""
    if mask.colours.shape != picture.colours.shape:
        raise SourceUnusable("mask_size")
    given = mask.shares()
    if not (given >= HALF).any():
        raise SourceUnusable("mask_empty")
    if (given >= HALF).all():
        raise SourceUnusable("mask_full")
    return given
