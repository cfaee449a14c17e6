"""Light on a product: from which side it comes, found along the product's outline.

At the outline of a smooth thing its surface is seen edge on, so its direction is known there from the mask alone, and
its brightness is linear in the part of it that faces the light. Source: Johnson and Farid, "Exposing digital forgeries
by detecting inconsistencies in lighting" (2005); Nillius and Eklundh (CVPR 2001). Colours of a product and light that
comes from everywhere disturb it, so it says how sure it is, and an unsure answer is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workers.masks.compositing import Cutout, to_linear

USUAL = -35.0  # degrees: from above, a little to the left, as most catalogues have it
_LOWEST = 55.0  # degrees from above: a lower light throws a shadow that leaves the picture
_SURE = 0.15  # of the variance along the outline that light has to explain
_SIDE = 256  # pixels of the long side on which it is looked at
_INSIDE = (2.0, 6.0)  # pixels from the outline: nearer ones are mixed, farther ones face the camera
_LEAST = 60  # pixels


@dataclass(frozen=True, slots=True)
class Light:
    """Where light comes from, in degrees from above, left below zero; and the share of variance it explains, 0 to 1."""

    angle: float
    sure: float

    @property
    def used(self) -> float:
        """The angle for a shadow: this one where it is sure, else the usual one; never lower than 55 degrees."""
        return min(max(self.angle, -_LOWEST), _LOWEST) if self.sure >= _SURE else USUAL


def light_on(product: Cutout) -> Light:
    """The light on a product. Pure and deterministic; milliseconds."""
    factor = min(1.0, _SIDE / max(product.alpha.shape))
    size = (max(1, round(product.alpha.shape[1] * factor)), max(1, round(product.alpha.shape[0] * factor)))
    alpha = cv2.resize(product.alpha, size, interpolation=cv2.INTER_AREA)
    colours = np.asarray(cv2.resize(product.colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    framed = cv2.copyMakeBorder((alpha >= 250).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    smooth = cv2.GaussianBlur(depth, (0, 0), 2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    steep = np.hypot(across, down)
    rim = (depth >= _INSIDE[0]) & (depth <= _INSIDE[1]) & (steep > 1e-3)
    if np.count_nonzero(rim) < _LEAST:
        return Light(USUAL, 0.0)
    facing = np.stack([-across[rim] / steep[rim], -down[rim] / steep[rim], np.ones(int(rim.sum()), np.float32)], axis=1)
    bright = to_linear(colours[rim]) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    found = np.linalg.lstsq(facing.astype(np.float64), bright.astype(np.float64), rcond=None)[0]
    left_over = float(np.var(bright - facing @ found))
    whole = float(np.var(bright))
    sure = 0.0 if whole < 1e-6 or found[1] >= 0 else max(0.0, 1 - left_over / whole)  # light from below is no studio's
    return Light(round(float(np.degrees(np.arctan2(found[0], -found[1]))), 1), round(sure, 4))
