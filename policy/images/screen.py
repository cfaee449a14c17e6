"""The verdicts on pictures: every classifier over the whole batch, then the rules over the scores. Fails closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from policy.errors import PolicyUnavailable
from policy.images.blank import Blank
from policy.images.classifier import Classifier
from policy.images.guard import Guard
from policy.images.nsfw import Nsfw
from policy.images.thresholds import apply
from policy.rules import SCREENING, Rules
from policy.verdict import Decision, Finding, Stage, Verdict

UNAVAILABLE = "classifier_unavailable"
"""Rule of the finding that holds a picture because it could not be screened."""

SECONDS = 60.0  # a batch of 64 pictures takes about two on one core


class ImageScreen:
    """Any number of threads may screen at once. Owns the classifiers and their weights in memory."""

    def __init__(self, rules: Rules, classifiers: Sequence[Classifier], *, seconds: float = SECONDS) -> None:
        _check(rules, classifiers)
        self._rules = rules
        self._guards = tuple(Guard(classifier, seconds=seconds) for classifier in classifiers)

    @classmethod
    def load(cls, rules: Rules, *, threads: int = 1, seconds: float = SECONDS) -> Self:
        """With every classifier that ships. Raises PolicyUnavailable where weights are missing or changed.

        `threads` are those of one run; `seconds` is the longest a batch may take before it is held.
        """
        return cls(rules, (Blank(), Nsfw.load(threads=threads)), seconds=seconds)

    @property
    def revisions(self) -> Mapping[str, str]:
        """Classifier -> what decides its answers, for the record of what screened a picture."""
        return {guard.classifier.name: guard.classifier.revision for guard in self._guards}

    def screen(self, images: np.ndarray) -> list[Verdict]:
        """One verdict a picture, in order, for uint8 RGB [N, H, W, 3]. Holds what it cannot judge; does not raise.

        The one exception is an array that is no batch of pictures at all (not four axes): there is
        nothing to give verdicts on, so ValueError.
        """
        if images.ndim != 4:
            raise ValueError(f"a batch of pictures has four axes [N, H, W, 3]; this array has shape {images.shape}")
        count = len(images)
        scores: list[dict[str, float]] = [{} for _ in range(count)]
        findings: list[list[Finding]] = [[] for _ in range(count)]
        for guard in self._guards if count else ():
            judged = self._judged(guard, images)
            for number, row in enumerate(judged):
                if isinstance(row, Finding):
                    findings[number].append(row)
                else:
                    scores[number] |= {f"{guard.classifier.name}/{name}": score for name, score in row.items()}
                    findings[number] += apply(self._rules, guard.classifier.name, row)
        return [Verdict(self._rules.version, tuple(found), kept) for found, kept in zip(findings, scores, strict=True)]

    def _judged(self, guard: Guard, images: np.ndarray) -> list[dict[str, float] | Finding]:
        """For each picture its scores by class, or the finding that there are none."""
        name = guard.classifier.name
        if images.dtype != np.uint8 or images.shape[3] != 3 or 0 in images.shape:
            return [_unavailable(name, f"was given {images.dtype} {list(images.shape)}, no RGB pictures")] * len(images)
        try:
            scores = guard.scores(images)
        except PolicyUnavailable as reason:
            return [_unavailable(name, str(reason))] * len(images)
        return [
            _unavailable(name, "answered with a number that is no score")
            if np.isnan(row).any()
            else dict(zip(guard.classifier.classes, map(float, row), strict=True))
            for row in scores
        ]


def _unavailable(classifier: str, reason: str) -> Finding:
    return Finding(Decision.HOLD, Stage.IMAGE, SCREENING, UNAVAILABLE, detail=f"classifier {classifier} {reason}")


def _check(rules: Rules, classifiers: Sequence[Classifier]) -> None:
    """A rule about a score that nobody gives would never speak: refuse to start."""
    known = {classifier.name: classifier.classes for classifier in classifiers}
    for rule in rules.image_rules:
        if rule.classifier not in known:
            raise PolicyUnavailable(
                f"image rule {rule.id!r} asks classifier {rule.classifier!r}; loaded are {', '.join(sorted(known))}"
            )
        unknown = set(rule.scores) - set(known[rule.classifier])
        if unknown:
            raise PolicyUnavailable(
                f"image rule {rule.id!r} asks for {', '.join(sorted(unknown))};"
                f" classifier {rule.classifier!r} scores {', '.join(known[rule.classifier])}"
            )
