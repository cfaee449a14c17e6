"""Copies in other colours: filters of apps, printing inks, lost profiles, inverted screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

Attack = Callable[[Image, np.random.Generator], Image]
_LUMA = np.array([0.299, 0.587, 0.114])
# Linear sRGB to linear Adobe RGB (1998), both of D65.
_TO_ADOBE = np.array([[0.7152, 0.2848, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0412, 0.9588]])


def mixed(rows: Sequence[Sequence[float]], offset: float = 0.0) -> Attack:
    """Each channel a sum of the channels."""
    matrix = np.array(rows)
    return lambda image, _: _levels(image.astype(np.float64) @ matrix.T + offset)


def curved(red: float, green: float, blue: float) -> Attack:
    """A gamma of its own for each channel."""
    power = np.array([red, green, blue])
    return lambda image, _: _levels(255 * (image / 255.0) ** power)


def hue(degrees: float) -> Attack:
    def turned(image: Image, _: np.random.Generator) -> Image:
        parts = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        parts[..., 0] = (parts[..., 0].astype(np.int16) + round(degrees / 2)) % 180
        return np.asarray(cv2.cvtColor(parts, cv2.COLOR_HSV2RGB), np.uint8)

    return turned


def saturation(gain: float) -> Attack:
    def changed(image: Image, _: np.random.Generator) -> Image:
        grey = (image @ _LUMA)[..., None]
        return _levels(grey + gain * (image - grey))

    return changed


def inked(dark: Sequence[int], bright: Sequence[int]) -> Attack:
    """Two inks: luma between a dark colour and a bright one."""
    low, high = np.array(dark), np.array(bright)
    return lambda image, _: _levels(low + (high - low) * ((image @ _LUMA) / 255)[..., None])


def inverted(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(255 - image, np.uint8)


def dark_mode(image: Image, _: np.random.Generator) -> Image:
    """Inverted and turned by half a circle of hue, as browsers do: dark and bright change places, hues stay."""
    matrix = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])  # hue-rotate(180deg)
    return _levels((255.0 - image) @ matrix.T)


def adobe_untagged(image: Image, _: np.random.Generator) -> Image:
    """Converted to Adobe RGB, and the profile thrown away."""
    scaled = image / 255.0
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    return _levels(255 * np.clip(linear @ _TO_ADOBE.T, 0, 1) ** (1 / 2.19921875))


def posterised(levels: int) -> Attack:
    step = 255 / (levels - 1)
    return lambda image, _: _levels(np.round(image / step) * step)


def faded(image: Image, _: np.random.Generator) -> Image:
    """Lifted blacks and a warm cast, as vintage filters do."""
    return _levels(image * np.array([0.82, 0.76, 0.66]) + np.array([42, 36, 40]))


def cross_processed(image: Image, _: np.random.Generator) -> Image:
    """An S curve in red and green, a flat one in blue."""
    scaled = image / 255.0
    wave = scaled - 0.12 * np.sin(2 * np.pi * scaled)
    return _levels(255 * np.stack([wave[..., 0], wave[..., 1], 0.2 + 0.6 * scaled[..., 2]], axis=-1))


def channels_exchanged(image: Image, _: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def equalised(image: Image, _: np.random.Generator) -> Image:
    """Local contrast evened out, as phones do."""
    parts = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    parts[..., 0] = cv2.createCLAHE(2.5, (8, 8)).apply(np.ascontiguousarray(parts[..., 0]))
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_LAB2RGB), np.uint8)


def _levels(values: NDArray[np.float64]) -> Image:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
