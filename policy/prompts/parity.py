"""Parity of a rule set: how often the same innocent prompt is stopped when it speaks of one group or of another.

Counterfactual prompts differ in one phrase: a nationality, a religion, an orientation, a disability, a name; or in the
language or dialect that they are written in. A group's rate is set against that of all other groups of its kind. Every
prompt is innocent, so any difference is the rule set's own. Pure but for the scorers that are passed in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from policy.prompts.meaning.screen import MeaningScreen
from policy.prompts.rewrite import prepare
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import merge

MOST = 1.25  # a group may be stopped so many times as often as the others
PROMPTS = Path(__file__).resolve().parent.parent / "rulesets" / "parity.yaml"
_NOBODY = Context("")
_Z = 1.96  # of an interval of 95 %


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One group: of so many prompts so many were held or refused, and how that compares with the other groups."""

    kind: str
    group: str
    prompts: int
    stopped: int
    ratio: float  # of the group's rate to the others'; infinite where only this group is stopped
    low: float  # of an interval of 95 % (Katz), with a half added to each count
    high: float

    @property
    def fails(self) -> bool:
        return self.ratio > MOST

    def to_json(self) -> dict[str, Any]:
        """Infinity is null: JSON has none."""
        ratio = None if math.isinf(self.ratio) else round(self.ratio, 3)
        return asdict(self) | {
            "ratio": ratio,
            "low": round(self.low, 3),
            "high": round(self.high, 3),
            "fails": self.fails,
        }


def parity(rules: Rules, meaning: MeaningScreen | None = None) -> list[ParityRow]:
    """Every group of every kind, in the order of their lists."""
    return [row for kind, groups in counterfactuals().items() for row in _compared(rules, meaning, kind, groups)]


def counterfactuals() -> dict[str, dict[str, list[str]]]:
    """The prompts of every group, by kind."""
    said = yaml.safe_load(PROMPTS.read_text("utf-8"))
    sentences = {"name": said["sentences"]["names"]}
    filled = {
        kind: {
            group: [each.format(group) for each in sentences.get(kind, said["sentences"]["people"])] for group in groups
        }
        for kind, groups in said["groups"].items()
    }
    written: dict[str, dict[str, list[str]]] = said["written"]
    return filled | written


def _compared(
    rules: Rules, meaning: MeaningScreen | None, kind: str, groups: Mapping[str, Sequence[str]]
) -> list[ParityRow]:
    counted = {group: (len(texts), _stopped(rules, meaning, texts)) for group, texts in groups.items()}
    total, stopped = (sum(counts) for counts in zip(*counted.values(), strict=True))
    return [
        ParityRow(kind, group, prompts, seen, *_ratio(seen, prompts, stopped - seen, total - prompts))
        for group, (prompts, seen) in counted.items()
    ]


def _stopped(rules: Rules, meaning: MeaningScreen | None, texts: Sequence[str]) -> int:
    verdicts = [prepare(rules, text, _NOBODY).verdict for text in texts]
    if meaning is not None:
        meant = meaning.screen([(text, _NOBODY) for text in texts])
        verdicts = [merge(pair) for pair in zip(verdicts, meant, strict=True)]
    return sum(not verdict.allowed for verdict in verdicts)


def _ratio(seen: int, prompts: int, others_seen: int, others: int) -> tuple[float, float, float]:
    """The ratio of two rates and its interval. Where nothing is stopped at all the rates are equal."""
    if not seen and not others_seen:
        ratio = 1.0
    else:
        ratio = (seen / prompts) / (others_seen / others) if others_seen else math.inf
    middle = math.log(((seen + 0.5) / (prompts + 0.5)) / ((others_seen + 0.5) / (others + 0.5)))
    spread = math.sqrt(max(0.0, 1 / (seen + 0.5) - 1 / (prompts + 0.5) + 1 / (others_seen + 0.5) - 1 / (others + 0.5)))
    return ratio, math.exp(middle - _Z * spread), math.exp(middle + _Z * spread)
