"""Label rules of a rule set: where a visible label is demanded of files for channels, and what its absence means.

Renditions in full size carry none and are not asked for one: they are the master, which the channels are made from.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from policy.rulebook.parts import RuleSetPart
from policy.rulebook.scope import EVERYWHERE, Context, RuleScope, ScopePart
from policy.verdict import Decision, Finding, Stage

RULE = "marks/label-absent"


@dataclass(frozen=True, slots=True)
class LabelRules:
    """`absent` is ALLOW where nobody demands a label."""

    absent: Decision = Decision.ALLOW
    scope: RuleScope = EVERYWHERE

    def findings(self, context: Context, unlabelled: Collection[str]) -> tuple[Finding, ...]:
        """On a request or a picture whose files for these channels carry no label."""
        if self.absent is Decision.ALLOW or not unlabelled or not self.scope.covers(context):
            return ()
        detail = f"no visible label is asked for in {', '.join(sorted(unlabelled))}"
        return (Finding(self.absent, Stage.MARK, "marks", RULE, detail=detail),)


class LabelPart(RuleSetPart):
    """`label:` in the file. Without it no label is demanded."""

    absent: Literal["allow", "hold", "refuse"] = Field(default="allow")
    scope: ScopePart | None = None

    def compiled(self) -> LabelRules:
        return LabelRules(Decision(self.absent), self.scope.compiled() if self.scope else EVERYWHERE)
