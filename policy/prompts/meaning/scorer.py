"""Scorer protocol: what every scorer of a prompt's meaning provides: a name, its classes, a revision, its scores.

The shipped scorer is an embedding (embedding.py); moderation models from a hub are others (moderation_models.py).
Scorers are slow and heavy compared with rules. They run in the worker, over the prompts of a batch together, and never
in the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PromptScorer(Protocol):
    """Scores texts. The rules decide what a score means.

    A scorer may raise any exception, and may return NaN for a text that it cannot score: the screen then holds the
    prompt. Many threads may call it at once.
    """

    @property
    def name(self) -> str:
        """Lower-case word; the rules and the stored scores name the scorer by it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of `scores`."""

    @property
    def revision(self) -> str:
        """What determines its scores: the digest of its weights, and their licence."""

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """float [N, len(classes)], each in [0, 1], or a row of NaN for a text that it cannot score."""
