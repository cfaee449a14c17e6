"""What the image rules say of scores: no picture and no classifier needed, so that history can be judged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.rulebook.images import ImageRule
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage


def apply(rules: Rules, classifier: str, scores: Mapping[str, float]) -> Iterator[Finding]:
    """A finding for every rule about this classifier that speaks. Raises KeyError for a score it did not give."""
    for rule in rules.image_rules:
        if rule.classifier == classifier:
            score = min(sum(scores[name] for name in rule.scores), 1.0)
            decision = _decision(rule, score)
            if decision is not Decision.ALLOW:
                detail = f"{classifier} says {' + '.join(rule.scores)} {score:.3f}"
                yield Finding(decision, Stage.IMAGE, rule.category, rule.id, score, detail)


def _decision(rule: ImageRule, score: float) -> Decision:
    if rule.refuse is not None and score >= rule.refuse:
        return Decision.REFUSE
    if rule.hold is not None and score >= rule.hold:
        return Decision.HOLD
    return Decision.ALLOW
