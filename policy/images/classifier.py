"""Classifier protocol: what every image classifier provides: a name, its classes, a revision, its scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Classifier(Protocol):
    """Scores pictures. The rules decide what a score means.

    To add one, implement this protocol, list it in `load` of stack.py and name its scores in a rule. A classifier may
    raise any exception: the screen then holds the pictures. Many threads may call it at once.
    """

    @property
    def name(self) -> str:
        """Lower-case word; the rules and the stored scores name the classifier by it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of `scores`."""

    @property
    def revision(self) -> str:
        """What determines its scores: the digest of its weights with their licence, or the version of its formula."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """float [N, len(classes)], each in [0, 1], for uint8 RGB [N, H, W, 3]."""
