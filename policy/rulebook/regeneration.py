"""Regeneration of pictures: which held or refused pictures are sampled again before a decision, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from policy.rulebook.parts import RuleId, RuleSetPart
from policy.verdict import Decision, Stage, Verdict

MOST_TIMES = 3
"""Sampling until a classifier misses would be a way around it. The limit is so low that chance does not help much."""


@dataclass(frozen=True, slots=True)
class Regeneration:
    """The number of times, and the rules that cause it. `times` 0 is never."""

    times: int = 0
    rules: frozenset[str] = frozenset()
    faults: bool = False  # pictures that came out black, or not as numbers at all

    def wants(self, verdict: Verdict) -> bool:
        """Whether another picture could pass: every finding against this one is by a rule named here.

        A held prompt stays held whatever is sampled, and an unavailable classifier stays unavailable.
        """
        against = [finding for finding in verdict.findings if finding.decision in (Decision.HOLD, Decision.REFUSE)]
        return bool(against) and all(f.stage is Stage.IMAGE and f.rule in self.rules for f in against)


NEVER = Regeneration()


class RegenerationPart(RuleSetPart):
    """The key `redraw` of `image`."""

    times: int = Field(ge=1, le=MOST_TIMES)
    rules: list[RuleId] = Field(default=[])
    faults: bool = False
