"""What every image classifier is: a name, its classes, the weights it stands on, and scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Classifier(Protocol):
    """Scores pictures; what a score means is for the rules to say.

    To add one: implement this, list it in `ImageScreen.load`, name its scores in a rule. It may raise
    whatever it likes: the screen then holds the pictures. Many threads may call it at once.
    """

    @property
    def name(self) -> str:
        """Lower-case word; the rules and the stored scores name the classifier by it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of `scores`."""

    @property
    def revision(self) -> str:
        """What decides its answers: the digest of its weights with their licence, or the version of its formula."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """float [N, len(classes)], each in [0, 1], for uint8 RGB [N, H, W, 3]."""
