"""Threshold rules over scores of meaning. Needs no scorer, so that stored history can be judged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.rulebook.meaning import MeaningRule
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage

Scores = Mapping[str, float]
"""By "scorer/name", as verdicts keep them."""


def apply_rules(rules: Rules, scores: Scores, context: Context) -> Iterator[Finding]:
    """The findings of the rules over stored scores. A rule whose scores are missing gives no finding."""
    for rule in rules.meaning.rules:
        names = [f"{rule.scorer}/{name}" for name in rule.scores]
        if not rule.scope.covers(context) or any(name not in scores for name in names):
            continue
        score = min(sum(scores[name] for name in names), 1.0)
        decision = _decision(rule, score)
        if decision is not Decision.ALLOW:
            detail = f"{rule.scorer} says {score:.3f}"
            yield Finding(decision, Stage.PROMPT, rule.category, rule.id, score, detail)


def unscored(rules: Rules, scores: Scores) -> bool:
    """Whether a rule asks for a score that is missing here: made with other examples, or before there was a scorer."""
    return any(f"{rule.scorer}/{name}" not in scores for rule in rules.meaning.rules for name in rule.scores)


def _decision(rule: MeaningRule, score: float) -> Decision:
    if rule.refuse is not None and score >= rule.refuse:
        return Decision.REFUSE
    if rule.hold is not None and score >= rule.hold:
        return Decision.HOLD
    return Decision.ALLOW
