"""Latent space: the four principal components of 4 x 4 pixel patches, scaled. Known before any network is trained.

So the denoiser can be trained at once, while the decoder learns to undo this better than linear algebra does
(28 dB) and the encoder to compute it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

PATCH = 4
CHANNELS = 4
SCALES = np.array([1.0, 0.9, 0.8, 0.6], np.float32)  # standard deviation of each; detail counts less than colour
_VALUES = PATCH * PATCH * 3


@dataclass(frozen=True, slots=True)
class Latents:
    """Mean [48], basis [48, 4] and gains [4] of the components."""

    mean: np.ndarray
    basis: np.ndarray
    gains: np.ndarray

    @classmethod
    def fit(cls, pictures: np.ndarray) -> Self:
        """From uint8 RGB [N, H, W, 3]."""
        patches = _patches(pictures)
        mean = patches.mean(0)
        variance, basis = np.linalg.eigh(np.cov((patches - mean).T))
        best = variance.argsort()[::-1][:CHANNELS]
        return cls(mean, basis[:, best].astype(np.float32), SCALES / np.sqrt(variance[best]).astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> Self:
        stored = np.load(path)
        return cls(stored["mean"], stored["basis"], stored["gains"])

    def save(self, path: Path) -> None:
        np.savez(path, mean=self.mean, basis=self.basis, gains=self.gains)

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """float32 [N, 4, H / 4, W / 4] of uint8 RGB [N, H, W, 3]."""
        count, height, width = pictures.shape[:3]
        components = (_patches(pictures) - self.mean) @ self.basis * self.gains
        grid = components.reshape(count, height // PATCH, width // PATCH, CHANNELS)
        return np.ascontiguousarray(grid.transpose(0, 3, 1, 2), np.float32)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """uint8 RGB: what linear algebra alone gets back."""
        count, _, height, width = latents.shape
        patches = latents.transpose(0, 2, 3, 1).reshape(-1, CHANNELS) / self.gains @ self.basis.T + self.mean
        grid = patches.reshape(count, height, width, 3, PATCH, PATCH).transpose(0, 1, 4, 2, 5, 3)
        pixels = grid.reshape(count, height * PATCH, width * PATCH, 3)
        return np.asarray(((pixels + 1) * 127.5).clip(0, 255).astype(np.uint8))


def _patches(pictures: np.ndarray) -> np.ndarray:
    """float32 [N * patches, 48] in [-1, 1], each as (channel, y, x)."""
    count, height, width = pictures.shape[:3]
    scaled = pictures.astype(np.float32) / 127.5 - 1
    grid = scaled.reshape(count, height // PATCH, PATCH, width // PATCH, PATCH, 3).transpose(0, 1, 3, 5, 2, 4)
    return grid.reshape(-1, _VALUES)
