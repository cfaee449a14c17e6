"""The verdicts on pictures: every classifier over the whole batch, then the rules over the scores. Fails closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from policy.errors import PolicyUnavailable
from policy.images.blank import Blank
from policy.images.classifier import Classifier
from policy.images.guard import Guard
from policy.images.nsfw import MID, MID_CARD, Nsfw
from policy.images.thresholds import asks, judge
from policy.rulebook.images import Combine, ImageRule
from policy.rules import SCREENING, Rules
from policy.verdict import Decision, Finding, Stage, Verdict

UNAVAILABLE = "classifier_unavailable"
"""Rule of the finding that holds a picture because it could not be screened."""

SECONDS = 60.0  # a batch of 64 pictures takes about two on one core


class ImageScreen:
    """Any number of threads may screen at once. Owns the classifiers and their weights in memory.

    A classifier that rules name as a second opinion only is asked of the pictures that want one; the others of all.
    """

    def __init__(self, rules: Rules, classifiers: Sequence[Classifier], *, seconds: float = SECONDS) -> None:
        _check(rules, classifiers)
        self._rules = rules
        guards = [Guard(classifier, seconds=seconds) for classifier in classifiers]
        only_second = _second_names(rules) - {rule.classifier for rule in rules.image_rules}
        self._always = [guard for guard in guards if guard.classifier.name not in only_second]
        self._seconds = [guard for guard in guards if guard.classifier.name in only_second]

    @classmethod
    def load(cls, rules: Rules, *, threads: int = 1, seconds: float = SECONDS) -> Self:
        """With every classifier that the rules need. Raises PolicyUnavailable where weights are missing or changed.

        `threads` are those of one run; `seconds` is the longest a batch may take before it is held.
        """
        classifiers: list[Classifier] = [Blank(), Nsfw.load(threads=threads)]
        if MID in {rule.classifier for rule in rules.image_rules} | _second_names(rules):
            classifiers.append(Nsfw.load(MID_CARD, threads=threads))
        return cls(rules, classifiers, seconds=seconds)

    @property
    def revisions(self) -> Mapping[str, str]:
        """Classifier -> what decides its answers, for the record of what screened a picture."""
        return {guard.classifier.name: guard.classifier.revision for guard in (*self._always, *self._seconds)}

    def screen(self, images: np.ndarray) -> list[Verdict]:
        """One verdict a picture, in order, for uint8 RGB [N, H, W, 3]. Holds what it cannot judge; does not raise.

        The one exception is an array that is no batch of pictures at all (not four axes): there is
        nothing to give verdicts on, so ValueError.
        """
        if images.ndim != 4:
            raise ValueError(f"a batch of pictures has four axes [N, H, W, 3]; this array has shape {images.shape}")
        heard = [_Heard() for _ in images]
        for guard in self._always:
            _ask(guard, images, heard)
        for guard in self._seconds:
            wanted = [n for n, one in enumerate(heard) if self._in_doubt(guard.classifier.name, one)]
            _ask(guard, images[wanted], [heard[n] for n in wanted])
        return [self._verdict(one) for one in heard]

    def _in_doubt(self, second: str, heard: _Heard) -> bool:
        return any(
            rule.second is not None and rule.second.classifier == second and asks(rule, heard.scores)
            for rule in self._rules.image_rules
            if rule.classifier in heard.scores
        )

    def _verdict(self, heard: _Heard) -> Verdict:
        found = [finding for rule in self._rules.image_rules for finding in _findings(rule, heard)]
        scores = {f"{name}/{of}": score for name, row in heard.scores.items() for of, score in row.items()}
        return Verdict(self._rules.version, (*found, *heard.silent.values()), scores)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the classifiers said of one picture, and which of them could not say anything."""

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    silent: dict[str, Finding] = field(default_factory=dict)


def _ask(guard: Guard, images: np.ndarray, heard: Sequence[_Heard]) -> None:
    """Note for each picture its scores by class, or the finding that holds it because there are none."""
    name = guard.classifier.name
    if not heard:
        return
    try:
        if images.dtype != np.uint8 or images.shape[3] != 3 or 0 in images.shape:
            raise PolicyUnavailable(f"was given {images.dtype} {list(images.shape)}, no RGB pictures")
        scores = guard.scores(images)
    except PolicyUnavailable as reason:
        for one in heard:
            one.silent[name] = _unavailable(name, str(reason))
        return
    for one, row in zip(heard, scores, strict=True):
        if np.isnan(row).any():
            one.silent[name] = _unavailable(name, "answered with a number that is no score")
        else:
            one.scores[name] = dict(zip(guard.classifier.classes, map(float, row), strict=True))


def _findings(rule: ImageRule, heard: _Heard) -> Iterator[Finding]:
    """What the rule says. Whose classifier is silent says nothing: the silence itself holds the picture.

    Where only the second opinion is silent, a rule for which either counts still has the first one's.
    """
    if rule.classifier in heard.silent:
        return
    second = rule.second
    if second is not None and second.classifier in heard.silent and asks(rule, heard.scores):
        if second.combine is Combine.BOTH:
            return
        rule = ImageRule(rule.id, rule.classifier, rule.scores, rule.hold, rule.refuse)
    finding = judge(rule, heard.scores)
    if finding is not None:
        yield finding


def _unavailable(classifier: str, reason: str) -> Finding:
    return Finding(Decision.HOLD, Stage.IMAGE, SCREENING, UNAVAILABLE, detail=f"classifier {classifier} {reason}")


def _second_names(rules: Rules) -> set[str]:
    return {rule.second.classifier for rule in rules.image_rules if rule.second is not None}


def _check(rules: Rules, classifiers: Sequence[Classifier]) -> None:
    """A rule about a score that nobody gives would never speak: refuse to start."""
    known = {classifier.name: classifier.classes for classifier in classifiers}
    for rule in rules.image_rules:
        for asked in (rule, rule.second) if rule.second else (rule,):
            if asked.classifier not in known:
                loaded = ", ".join(sorted(known))
                raise PolicyUnavailable(
                    f"image rule {rule.id!r} asks classifier {asked.classifier!r}; loaded are {loaded}"
                )
            unknown = set(asked.scores) - set(known[asked.classifier])
            if unknown:
                raise PolicyUnavailable(
                    f"image rule {rule.id!r} asks for {', '.join(sorted(unknown))};"
                    f" classifier {asked.classifier!r} scores {', '.join(known[asked.classifier])}"
                )
