"""Meaning screen: the verdicts on what prompts mean. Asks every scorer about the whole batch, then applies the rules.

It fails closed: where a scorer is missing, raises, hangs or returns anything but scores, the prompts are held under the
rules that ask for it. Killed at any line, it has stored nothing and the batch is scored again. Raw scores are kept with
the verdict, so that history can be judged by other thresholds. Scores made with other examples have other names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np

from policy.errors import PolicyUnavailable
from policy.fence import Fence
from policy.prompts.meaning.scorer import PromptScorer
from policy.prompts.meaning.thresholds import Scores, apply_rules
from policy.rulebook.meaning import EMBEDDING
from policy.rulebook.scope import Context
from policy.rules import SCREENING, Rules
from policy.verdict import Decision, Finding, Stage, Verdict

UNAVAILABLE = "meaning_unavailable"
"""Rule of the finding that holds a prompt because a scorer could not be asked."""

SECONDS = 60.0  # a batch of 64 prompts takes the embedding a quarter of a second on one core


class MeaningScreen:
    """Any number of threads may screen at once. Owns the scorers and their weights in memory."""

    def __init__(
        self,
        rules: Rules,
        scorers: Sequence[PromptScorer],
        *,
        missing: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """`missing` holds the scorers that could not be loaded, with the reason."""
        self._rules = rules
        self._scorers = {scorer.name: (scorer, Fence(scorer.name, seconds=seconds)) for scorer in scorers}
        self._missing = dict(missing or {})

    @classmethod
    def load(cls, rules: Rules, *, seconds: float = SECONDS) -> Self:
        """With every scorer that the rules ask for. One that cannot be loaded holds every prompt under its rules."""
        scorers: list[PromptScorer] = []
        missing: dict[str, str] = {}
        for name in rules.meaning.scorers:
            try:
                scorers.append(_load(rules, name))
            except PolicyUnavailable as reason:
                missing[name] = str(reason)
        return cls(rules, scorers, missing=missing, seconds=seconds)

    @property
    def revisions(self) -> Mapping[str, str]:
        """Scorer -> what determines its scores."""
        return {name: scorer.revision for name, (scorer, _) in self._scorers.items()}

    @property
    def missing(self) -> Mapping[str, str]:
        """Scorers that the rules ask for and that could not be loaded, with the reason."""
        return self._missing

    def screen(self, prompts: Sequence[tuple[str, Context]]) -> list[Verdict]:
        """One verdict a prompt, in order. Holds what it cannot score; does not raise."""
        texts = list(dict.fromkeys(text for text, _ in prompts if text.strip()))
        answers = {name: self._answers(name, texts) for name in self._rules.meaning.scorers} if texts else {}
        return [
            self._verdict({name: answer[text] for name, answer in answers.items()} if text.strip() else {}, context)
            for text, context in prompts
        ]

    def scores(self, text: str) -> Scores:
        """Raw scores of all scorers that can be asked, by the names under which verdicts keep them."""
        (verdict,) = self.screen([(text, Context(""))])
        return verdict.scores

    def _verdict(self, answers: Mapping[str, Scores | str], context: Context) -> Verdict:
        scores = {
            f"{scorer}/{name}": score
            for scorer, answer in answers.items()
            if not isinstance(answer, str)
            for name, score in answer.items()
        }
        findings = list(apply_rules(self._rules, scores, context))
        asked = {rule.scorer for rule in self._rules.meaning.rules if rule.scope.covers(context)}
        findings += [
            Finding(Decision.HOLD, Stage.PROMPT, SCREENING, UNAVAILABLE, detail=f"scorer {scorer} {answer}")
            for scorer, answer in answers.items()
            if isinstance(answer, str) and scorer in asked
        ]
        return Verdict(self._rules.version, tuple(findings), scores)

    def _answers(self, name: str, texts: Sequence[str]) -> dict[str, Scores | str]:
        """For each text the scores of this scorer, or the reason why there are none."""
        if name not in self._scorers:
            return dict.fromkeys(texts, f"is not there: {self._missing.get(name, 'it was not loaded')}")
        scorer, custody = self._scorers[name]
        try:
            rows = _checked(custody.run(_call(scorer, texts)), len(texts), len(scorer.classes))
        except PolicyUnavailable as reason:
            return dict.fromkeys(texts, str(reason))
        return {
            text: "gave an answer that cannot be read"
            if np.isnan(row).any()
            else dict(zip(scorer.classes, map(float, row), strict=True))
            for text, row in zip(texts, rows, strict=True)
        }


def _call(scorer: PromptScorer, texts: Sequence[str]) -> Callable[[], object]:
    return lambda: scorer.scores(texts)


def _checked(answered: object, texts: int, classes: int) -> np.ndarray:
    """float64 [texts, classes]. A row that holds anything but scores is all NaN."""
    scores = np.asarray(answered)
    if scores.shape != (texts, classes) or scores.dtype.kind != "f":
        raise PolicyUnavailable(f"answered {scores.dtype} {list(scores.shape)} instead of float {[texts, classes]}")
    checked = scores.astype(np.float64)
    checked[~(np.isfinite(checked) & (checked >= 0) & (checked <= 1 + 1e-4)).all(axis=1)] = np.nan
    return np.minimum(checked, 1)


def _load(rules: Rules, name: str) -> PromptScorer:
    from policy.prompts.meaning.embedding import Embedding  # noqa: PLC0415 - heavy, as the moderation models

    if name == EMBEDDING:
        return Embedding.load(rules.meaning)
    from policy.prompts.meaning.moderation_models import load  # noqa: PLC0415

    return load(next(model for model in rules.meaning.moderation_models if model.name == name), rules.bundled.home)
