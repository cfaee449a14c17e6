"""Which pictures are drawn again before anybody decides about them: by rule, a few times at most, each on record."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from policy.rulebook.parts import RuleId, RuleSetPart
from policy.verdict import Decision, Stage, Verdict

MOST_TIMES = 3
"""Drawing until a classifier looks away would be a way around it: so few that chance does not help much."""


@dataclass(frozen=True, slots=True)
class Regeneration:
    """How often, and what for. `times` 0 is never."""

    times: int = 0
    rules: frozenset[str] = frozenset()
    faults: bool = False  # pictures that came out black, or not as numbers at all

    def wants(self, verdict: Verdict) -> bool:
        """Whether another picture could come out better: all that speaks against this one are rules named here.

        A prompt that is held stays so whatever is drawn, and a classifier that is away stays away.
        """
        against = [finding for finding in verdict.findings if finding.decision in (Decision.HOLD, Decision.REFUSE)]
        return bool(against) and all(f.stage is Stage.IMAGE and f.rule in self.rules for f in against)


NEVER = Regeneration()


class RegenerationPart(RuleSetPart):
    """The key `redraw` of `image`."""

    times: int = Field(ge=1, le=MOST_TIMES)
    rules: list[RuleId] = Field(default=[])
    faults: bool = False
