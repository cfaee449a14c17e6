"""Verdict: the result of a screening, which is allow, hold for a person, or refuse. A value, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Decision(StrEnum):
    """The decision of a screen, mildest first. The worst finding decides the verdict.

    A rewrite is the decision of a finding and never of a verdict: the text was changed, and the other findings judge
    the changed text.
    """

    ALLOW = "allow"
    REWRITE = "rewrite"
    HOLD = "hold"
    REFUSE = "refuse"


VERDICTS = (Decision.ALLOW, Decision.HOLD, Decision.REFUSE)
"""The possible decisions of a verdict."""


class Stage(StrEnum):
    """The stage of the pipeline at which a finding was made."""

    PROMPT = "prompt"
    IMAGE = "image"
    MARK = "mark"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: which rule of which category decided what, and how sure it was.

    `detail` is for people and holds no prompt text. `score` is in [0, 1] where the rule has one.
    """

    decision: Decision
    stage: Stage
    category: str
    rule: str
    score: float | None = None
    detail: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Finding:
        decision, stage = Decision(stored["decision"]), Stage(stored["stage"])
        return cls(decision, stage, stored["category"], stored["rule"], stored["score"], stored["detail"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of screening one prompt or picture under one policy version.

    `scores` keeps every raw score, also of categories that passed, so that another rule set can be applied to history
    without the picture. `pixels` binds it to the picture that was judged, and to no other.
    """

    policy_version: str
    findings: tuple[Finding, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    pixels: str | None = None  # SHA-256 of the picture, uint8 [H, W, 3]; None: no picture was judged

    @property
    def decision(self) -> Decision:
        order = list(Decision)
        worst = max((f.decision for f in self.findings), key=order.index, default=Decision.ALLOW)
        return Decision.ALLOW if worst is Decision.REWRITE else worst

    @property
    def rewrites(self) -> tuple[Finding, ...]:
        """The findings that report a changed text."""
        return tuple(f for f in self.findings if f.decision is Decision.REWRITE)

    @property
    def allowed(self) -> bool:
        return self.decision is Decision.ALLOW

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, with the decision spelled out; `from_json` reads it back."""
        return {
            "decision": str(self.decision),
            "policy_version": self.policy_version,
            "findings": [asdict(f) for f in self.findings],
            "scores": {name: round(score, 6) for name, score in sorted(self.scores.items())},
            **({"pixels": self.pixels} if self.pixels else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Verdict:
        findings = tuple(map(Finding.from_json, stored["findings"]))
        return cls(stored["policy_version"], findings, dict(stored["scores"]), stored.get("pixels"))


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict with all findings and scores of these, on the picture of the last that judged one.

    The worst decision counts. Needs at least one verdict.
    """
    parts = list(verdicts)
    return Verdict(
        parts[0].policy_version,
        tuple(f for v in parts for f in v.findings),
        {name: score for v in parts for name, score in v.scores.items()},
        next((v.pixels for v in reversed(parts) if v.pixels), None),
    )
