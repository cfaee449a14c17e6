"""Image screen: the verdicts on pictures. Asks every classifier about the whole batch, then applies the rules.

It fails closed: a picture that could not be screened is held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from policy.errors import PolicyUnavailable
from policy.images import stack
from policy.images.classifier import Classifier
from policy.images.fenced import FencedClassifier
from policy.images.texts import NAME as TEXT_READER
from policy.images.texts import Reader, TextScreen
from policy.images.thresholds import apply_rule, wants_second_opinion
from policy.rulebook.images import Combine, ImageRule
from policy.rulebook.scope import Context
from policy.rules import SCREENING, Rules
from policy.verdict import Decision, Finding, Stage, Verdict

UNAVAILABLE = "classifier_unavailable"
"""Rule of the finding that holds a picture because it could not be screened."""

SECONDS = 60.0  # a batch of 64 pictures takes about two on one core


class ImageScreen:
    """Any number of threads may screen at once. Owns the classifiers and their weights in memory.

    A classifier that rules name only as a second opinion is asked about the pictures that need one; the others about
    all.
    """

    def __init__(
        self,
        rules: Rules,
        classifiers: Sequence[Classifier],
        reader: Reader | None = None,
        *,
        seconds: float = SECONDS,
    ) -> None:
        _check(rules, classifiers)
        if rules.bundled.text_categories and reader is None:
            raise PolicyUnavailable("the rule set reads writing on pictures (image.text), and nothing reads it")
        self._rules = rules
        self._texts = TextScreen(rules, reader, seconds=seconds) if reader is not None else None
        fenced = [FencedClassifier(classifier, seconds=seconds) for classifier in classifiers]
        only_second = stack.second_names(rules) - {rule.classifier for rule in rules.image_rules}
        self._always = [each for each in fenced if each.classifier.name not in only_second]
        self._seconds = [each for each in fenced if each.classifier.name in only_second]

    @classmethod
    def load(cls, rules: Rules, *, threads: int = 1, seconds: float = SECONDS) -> Self:
        """With everything that the rules need. Raises PolicyUnavailable where weights are missing or changed.

        `threads` is the number for one run. `seconds` is the longest that a batch may take before it is held.
        """
        classifiers, reader = stack.load(rules, threads=threads)
        return cls(rules, classifiers, reader, seconds=seconds)

    @property
    def texts(self) -> TextScreen | None:
        """What reads writing on pictures; None where the rule set does not ask for it."""
        return self._texts

    @property
    def revisions(self) -> Mapping[str, str]:
        """Classifier -> what determines its scores, for the record of what screened a picture."""
        revisions = {fenced.classifier.name: fenced.classifier.revision for fenced in (*self._always, *self._seconds)}
        return revisions | ({TEXT_READER: self._texts.reader.revision} if self._texts else {})

    def screen(self, images: np.ndarray, contexts: Sequence[Context] = ()) -> list[Verdict]:
        """One verdict a picture, in order, for uint8 RGB [N, H, W, 3]. Holds what it cannot screen; does not raise.

        `contexts` says whose pictures they are, one each, because rules about writing may have exceptions. Without it
        they are nobody's.

        The one exception is an array that is not a batch of pictures (not four axes). There is nothing to give verdicts
        on, so it raises ValueError.
        """
        if images.ndim != 4:
            raise ValueError(f"a batch of pictures has four axes [N, H, W, 3]; this array has shape {images.shape}")
        scored = [_Scored() for _ in images]
        for fenced in self._always:
            _ask(fenced, images, scored)
        for fenced in self._seconds:
            wanted = [n for n, one in enumerate(scored) if self._in_doubt(fenced.classifier.name, one)]
            _ask(fenced, images[wanted], [scored[n] for n in wanted])
        if self._texts is not None:
            _read(self._texts, images, scored, contexts or [Context("")] * len(images))
        return [self._verdict(one, pixels_digest(image)) for one, image in zip(scored, images, strict=True)]

    def _in_doubt(self, second: str, scored: _Scored) -> bool:
        return any(
            rule.second is not None and rule.second.classifier == second and wants_second_opinion(rule, scored.scores)
            for rule in self._rules.image_rules
            if rule.classifier in scored.scores
        )

    def _verdict(self, scored: _Scored, pixels: str) -> Verdict:
        found = [finding for rule in self._rules.image_rules for finding in _findings(rule, scored)]
        scores = {f"{name}/{of}": score for name, row in scored.scores.items() for of, score in row.items()}
        return Verdict(self._rules.version, (*found, *scored.written, *scored.silent.values()), scores, pixels)


def pixels_digest(image: np.ndarray) -> str:
    """SHA-256 of a picture's pixels, by which a verdict names the picture that it judged."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Scored:
    """The scores of one picture, and the findings where a classifier gave none."""

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    silent: dict[str, Finding] = field(default_factory=dict)
    written: list[Finding] = field(default_factory=list)


def _ask(fenced: FencedClassifier, images: np.ndarray, scored: Sequence[_Scored]) -> None:
    """Record for each picture its scores by class, or the finding that holds it because there are none."""
    name = fenced.classifier.name
    if not scored:
        return
    try:
        scores = fenced.scores(_pictures(images))
    except PolicyUnavailable as reason:
        for one in scored:
            one.silent[name] = _unavailable(name, str(reason))
        return
    for one, row in zip(scored, scores, strict=True):
        if np.isnan(row).any():
            one.silent[name] = _unavailable(name, "answered with a number that is no score")
        else:
            one.scores[name] = dict(zip(fenced.classifier.classes, map(float, row), strict=True))


def _read(texts: TextScreen, images: np.ndarray, scored: Sequence[_Scored], contexts: Sequence[Context]) -> None:
    """Record the findings of the rules on the writing on each picture, and how sure the reader was of it."""
    try:
        written = texts.read(_pictures(images)) if scored else []
    except PolicyUnavailable as reason:
        for one in scored:
            one.silent[TEXT_READER] = _unavailable(TEXT_READER, str(reason))
        return
    for one, lines, context in zip(scored, written, contexts, strict=True):
        try:
            one.written.extend(texts.findings(lines, context))
            one.scores[TEXT_READER] = {"read": max((line.confidence for line in lines), default=0.0)}
        except PolicyUnavailable as reason:
            one.silent[TEXT_READER] = _unavailable(TEXT_READER, str(reason))


def _pictures(images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8 or images.shape[3] != 3 or 0 in images.shape:
        raise PolicyUnavailable(f"was given {images.dtype} {list(images.shape)}, no RGB pictures")
    return images


def _findings(rule: ImageRule, scored: _Scored) -> Iterator[Finding]:
    """The findings of the rule. A rule gives none where its classifier failed: that failure itself holds the picture.

    Where only the second opinion failed, a rule for which either opinion counts still has the first one.
    """
    if rule.classifier in scored.silent:
        return
    second = rule.second
    if second is not None and second.classifier in scored.silent and wants_second_opinion(rule, scored.scores):
        if second.combine is Combine.BOTH:
            return
        rule = ImageRule(rule.id, rule.classifier, rule.scores, rule.hold, rule.refuse)
    finding = apply_rule(rule, scored.scores)
    if finding is not None:
        yield finding


def _unavailable(classifier: str, reason: str) -> Finding:
    return Finding(Decision.HOLD, Stage.IMAGE, SCREENING, UNAVAILABLE, detail=f"classifier {classifier} {reason}")


def _check(rules: Rules, classifiers: Sequence[Classifier]) -> None:
    """Refuses to start with a rule about a score that no classifier gives, because it would never apply."""
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
