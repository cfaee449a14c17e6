"""Review rules of a rule set: what a person may release, and when it takes two people. A refusal always takes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from policy.rulebook.parts import RuleSetPart


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """Who may release what. `four_eyes` None means every category."""

    four_eyes: frozenset[str] | None
    never: frozenset[str]
    own_campaign: bool

    def people_needed(self, categories: Collection[str]) -> int:
        """The number of different people who must release a picture that is held for these categories."""
        if self.four_eyes is None:
            return 2
        return 2 if self.four_eyes & set(categories) else 1

    def forbidden(self, categories: Iterable[str]) -> list[str]:
        """Those of these categories that nobody may release, in order."""
        return sorted(self.never & set(categories))


class ReviewPart(RuleSetPart):
    """`review:` in the file. Without it one person decides, and nobody decides about a campaign of their own."""

    four_eyes: Literal["all", "none"] | list[str] = Field(default="none")
    never_release: list[str] = Field(default=[])
    own_campaign: Literal["allow", "forbid"] = Field(default="forbid")

    def named(self) -> list[str]:
        """Every category that the part names."""
        return [*(self.four_eyes if isinstance(self.four_eyes, list) else ()), *self.never_release]

    def compiled(self) -> ReviewRules:
        listed = frozenset(self.four_eyes) if isinstance(self.four_eyes, list) else frozenset[str]()
        return ReviewRules(
            four_eyes=None if self.four_eyes == "all" else listed,
            never=frozenset(self.never_release),
            own_campaign=self.own_campaign == "allow",
        )
