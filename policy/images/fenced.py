"""Fenced classifier: a classifier behind a time limit and a check of its answer's shape and range."""

from __future__ import annotations

import numpy as np

from policy.errors import PolicyUnavailable
from policy.fence import Fence
from policy.images.classifier import Classifier


class FencedClassifier:
    """A classifier whose failure is one exception with a reason, and whose answer has the expected shape."""

    def __init__(self, classifier: Classifier, *, seconds: float) -> None:
        self.classifier = classifier
        self._custody = Fence(classifier.name, seconds=seconds)

    def scores(self, images: np.ndarray) -> np.ndarray:
        """float64 [N, classes]. A row with NaN or with a value outside [0, 1] is all NaN.

        Raises PolicyUnavailable for every other failure.
        """
        return self._checked(self._custody.run(lambda: self.classifier.scores(images)), len(images))

    def _checked(self, answered: object, images: int) -> np.ndarray:
        wanted = (images, len(self.classifier.classes))
        scores = np.asarray(answered)
        if scores.shape != wanted or scores.dtype.kind != "f":
            raise PolicyUnavailable(f"answered {scores.dtype} {list(scores.shape)} instead of float {list(wanted)}")
        checked = scores.astype(np.float64)
        wrong = ~(np.isfinite(checked) & (checked >= 0) & (checked <= 1 + 1e-4)).all(axis=1)
        checked[wrong] = np.nan
        return np.minimum(checked, 1)
