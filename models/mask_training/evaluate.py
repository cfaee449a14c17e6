"""Evaluation of mask methods on held-out goods: networks beside the colour of the ground.

Goods are those of the set `held`, which no training saw; a third of them are drawn by formula from other seeds. Grounds
are those of training from other seeds, and a texture that no training saw.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.mask_training import cutouts
from models.mask_training.shots import Shot, shot
from workers.errors import MaskRefused
from workers.masks import choose, ground, measures
from workers.masks.mask import HALF, Pixels
from workers.masks.network import MaskNetwork
from workers.sampling.cards.contents import CARD
from workers.sampling.cards.extras import read
from workers.sampling.cards.mask_networks import MaskNetworkCard, read_mask_network

SIDE = 384
RIGHT = 0.9  # IoU from which a mask is right
_SEED = 990_001  # far from those of training


def shots(sources: Path, which: str, count: int) -> list[Shot]:
    """Held-out or tuning pictures; every fourth before the unseen texture."""
    goods = cutouts.paths(sources, which)
    begin = _SEED + 1_000 * cutouts.SETS.index(which)
    return [
        shot(np.random.default_rng([begin, n]), goods, SIDE, under=unseen(n) if n % 4 == 3 else None)
        for n in range(count)
    ]


def unseen(number: int) -> Pixels:
    """Colour noise at every scale with hard grain, by another formula than those of training."""
    chance = np.random.default_rng([_SEED, number, 5])
    total = np.zeros((SIDE, SIDE, 3), np.float32)
    for octave in range(1, 8):
        coarse = chance.normal(0, 1, (2**octave + 1, 2**octave + 1, 3)).astype(np.float32)
        total += cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / octave
    total += chance.normal(0, 0.1, total.shape)
    return np.clip(total / total.std() * 40 + 128, 0, 255).astype(np.uint8)


def overlaps(found: Callable[[Pixels], np.ndarray], pictures: list[Shot]) -> np.ndarray:
    """Intersection over union with the known product, one a picture."""
    return np.array([measures.overlap(found(one.picture), one.alpha >= HALF) for one in pictures])


def decisions(network: MaskNetwork, pictures: list[Shot]) -> tuple[np.ndarray, np.ndarray]:
    """Intersection over union, and whether the check holds the mask for a person, one a picture.

    A picture in which the network finds nothing has no mask that could be used: nought, and held.
    """
    found, held = np.zeros(len(pictures)), np.ones(len(pictures), bool)
    for n, one in enumerate(pictures):
        try:
            chosen = choose.choose(one.picture, network)
        except MaskRefused:
            continue
        found[n], held[n] = measures.overlap(chosen.mask.product, one.alpha >= HALF), chosen.check.hold
    return found, held


def by_colour(picture: Pixels) -> np.ndarray:
    """What differs from a uniform ground; nothing where the ground is not uniform."""
    keyed = ground.keyed(picture)
    return np.zeros(picture.shape[:2], bool) if keyed is None else keyed.without


def networks_of(folder: Path, models: Path) -> dict[str, MaskNetwork]:
    """The finished network, where there is one, and the one that ships."""
    own = read(folder / CARD, MaskNetworkCard) if (folder / CARD).exists() else None
    cards = [card for card in (own, read_mask_network(models)) if card]
    return {card.name: MaskNetwork(card.method, card.weights(), side_pixels=card.side_pixels) for card in cards}


def run(sources: Path, networks: Mapping[str, MaskNetwork], *, which: str, count: int) -> dict[str, Any]:
    """Median and tenth percentile of each method, and how many wrong and right masks of a network are held."""
    pictures = shots(sources, which, count)
    judged = {name: decisions(network, pictures) for name, network in networks.items()}
    judged["flood fill"] = (overlaps(by_colour, pictures), np.zeros(count, bool))
    told: dict[str, Any] = {}
    for name, (found, held) in judged.items():
        wrong = found < RIGHT
        told[name] = {
            "wrong": f"{int((held & wrong).sum())} of {int(wrong.sum())} held",
            "right": f"{int((held & ~wrong).sum())} of {int((~wrong).sum())} held",
            "median": round(float(np.median(found)), 4),
            "p10": round(float(np.percentile(found, 10)), 4),
            "mean": round(float(found.mean()), 4),
        }
        print(f"{which}, {count} pictures, {name}: {json.dumps(told[name])}", flush=True)
    return told
