"""Threshold rules over scores of pictures.

Needs no picture and no classifier, so that stored history can be judged again.
"""

from __future__ import annotations

from collections.abc import Mapping

from policy.rulebook.images import Combine, ImageRule, SecondOpinion
from policy.verdict import Decision, Finding, Stage

Scores = Mapping[str, Mapping[str, float]]
"""Classifier -> class -> score of one picture."""

_SEVERITY = list(Decision)


def wants_second_opinion(rule: ImageRule, scores: Scores) -> bool:
    """Whether the rule needs the second opinion on a picture with these first scores.

    Raises KeyError where they are missing.
    """
    second = rule.second
    return second is not None and second.begins <= _sum(rule, scores) < second.ends


def apply_rule(rule: ImageRule, scores: Scores) -> Finding | None:
    """The finding of one rule: by the first opinion, or by both where the first is unsure.

    Raises KeyError for a score that the rule needs and that is missing.
    """
    score, second = _sum(rule, scores), rule.second
    decision, detail = _decision(rule, score), _says(rule, score)
    if second is not None and wants_second_opinion(rule, scores):
        other = _sum(second, scores)
        decisions = sorted((decision, _decision(second, other)), key=_SEVERITY.index)
        decision = decisions[0 if second.combine is Combine.BOTH else -1]
        detail += f", {_says(second, other)}"
    if decision is Decision.ALLOW:
        return None
    return Finding(decision, Stage.IMAGE, rule.category, rule.id, score, detail)


def _sum(opinion: ImageRule | SecondOpinion, scores: Scores) -> float:
    return min(sum(scores[opinion.classifier][name] for name in opinion.scores), 1.0)


def _decision(opinion: ImageRule | SecondOpinion, score: float) -> Decision:
    if opinion.refuse is not None and score >= opinion.refuse:
        return Decision.REFUSE
    if opinion.hold is not None and score >= opinion.hold:
        return Decision.HOLD
    return Decision.ALLOW


def _says(opinion: ImageRule | SecondOpinion, score: float) -> str:
    return f"{opinion.classifier} says {' + '.join(opinion.scores)} {score:.3f}"
