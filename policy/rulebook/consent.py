"""Consent rules of a rule set: of which inputs somebody must have stated that the people who are shown agreed.

The statement is the sender's; it is recorded that there is one, and nobody here verifies it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from policy.rulebook.parts import RuleSetPart, Score
from policy.rulebook.scope import EVERYWHERE, Context, RuleScope, ScopePart
from policy.verdict import Decision, Finding, Stage

CONSENT = "consent"  # category of findings about inputs without a stated consent
RULE = "consent/absent"
_PERSON = "image"  # role of the input that shows who is drawn over


class GivenInput(NamedTuple):
    """An input as this rule sees it. Without scores nobody has looked at it yet."""

    role: str
    consented: bool
    scores: Mapping[str, float]  # by classifier/class


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """`absent` is ALLOW where nobody asks for a consent."""

    tasks: frozenset[str]
    scores: tuple[str, ...]  # classifier/class, added up
    begins: float
    absent: Decision
    scope: RuleScope = EVERYWHERE

    def missing(self, context: Context, task: str, given: Iterable[GivenInput]) -> list[str]:
        """Roles of the inputs that need a consent and have none."""
        if self.absent is Decision.ALLOW or not self.scope.covers(context):
            return []
        return [each.role for each in given if not each.consented and self._asks(task, each)]

    def findings(self, context: Context, task: str, given: Iterable[GivenInput]) -> tuple[Finding, ...]:
        """On what is made from these inputs."""
        return tuple(
            Finding(self.absent, Stage.INPUT, CONSENT, RULE, detail=f"no consent is stated of who is shown in {role}")
            for role in self.missing(context, task, given)
        )

    def _asks(self, task: str, each: GivenInput) -> bool:
        seen = sum(each.scores.get(name, 0.0) for name in self.scores)
        return (task in self.tasks and each.role == _PERSON) or (bool(self.scores) and seen >= self.begins)


class _Seen(RuleSetPart):
    classifier: str = Field(min_length=1)
    scores: list[str] = Field(min_length=1)
    begins: Score = Field(alias="from")


class ConsentPart(RuleSetPart):
    """`consent:` in the file. Without it, a try-on needs the consent of the person in its image."""

    absent: Literal["allow", "hold", "refuse"] = Field(default="refuse")
    tasks: list[str] = Field(default=["try-on"])
    seen: _Seen | None = None
    scope: ScopePart | None = None

    @model_validator(mode="after")
    def _asks_somewhere(self) -> ConsentPart:
        if self.absent != "allow" and not self.tasks and self.seen is None:
            raise ValueError("this asks for no consent anywhere; name tasks or seen, or say absent: allow")
        return self

    def compiled(self) -> ConsentRules:
        seen, scope = self.seen, self.scope.compiled() if self.scope else EVERYWHERE
        scores = tuple(f"{seen.classifier}/{name}" for name in seen.scores) if seen else ()
        begins = seen.begins if seen else 1.0
        return ConsentRules(frozenset(self.tasks), scores, begins, Decision(self.absent), scope)
