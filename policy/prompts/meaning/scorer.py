"""What every scorer of a prompt's meaning is: a name, its scores, the weights it stands on.

The shipped one is an embedding (embedding.py), guard models of a hub are others (guards.py). Scorers are slow and heavy
next to rules: they run in the worker, over the prompts of a batch together, and never in the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PromptScorer(Protocol):
    """Scores texts; what a score means is for the rules to say.

    It may raise whatever it likes, and answer NaN for a text it cannot score: the screen then holds the prompt. Many
    threads may call it at once.
    """

    @property
    def name(self) -> str:
        """Lower-case word; the rules and the stored scores name the scorer by it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of `scores`."""

    @property
    def revision(self) -> str:
        """What decides its answers: the digest of its weights and the licence they come under."""

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """float [N, len(classes)], each in [0, 1], or a row of NaN for a text it cannot score."""
