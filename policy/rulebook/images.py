"""Image rules: thresholds on the scores of one classifier, and a second opinion where the first is unsure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field, model_validator

from policy.rulebook.classifiers import BundledParts
from policy.rulebook.parts import RuleId, RuleSetPart, Score, category_of


class Combine(StrEnum):
    """How two opinions combine: what both say, or what either says."""

    BOTH = "both"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Another classifier, asked about pictures whose first score lies in [begins, ends)."""

    classifier: str
    scores: tuple[str, ...]
    begins: float
    ends: float
    hold: float | None
    refuse: float | None
    combine: Combine


@dataclass(frozen=True, slots=True)
class ImageRule:
    """The sum of some scores of one classifier, and the thresholds from which the picture is held or refused."""

    id: str
    classifier: str
    scores: tuple[str, ...]
    hold: float | None
    refuse: float | None
    second: SecondOpinion | None = None

    @property
    def category(self) -> str:
        return category_of(self.id)


class _Thresholds(RuleSetPart):
    classifier: str = Field(min_length=1)
    scores: list[str] = Field(min_length=1)
    hold: Score | None = None
    refuse: Score | None = None

    @model_validator(mode="after")
    def _in_order(self) -> _Thresholds:
        if self.hold is None and self.refuse is None:
            raise ValueError("this rule can never speak; give hold, refuse or both")
        if self.hold is not None and self.refuse is not None and self.hold > self.refuse:
            raise ValueError(f"hold ({self.hold}) is above refuse ({self.refuse}); make it the lower one")
        return self

    @property
    def speaks_from(self) -> float:
        return min(bound for bound in (self.hold, self.refuse) if bound is not None)


class SecondOpinionPart(_Thresholds):
    """The key `second` of a rule. Without `from`, it is asked only about pictures that the first opinion would stop."""

    begins: Score | None = Field(default=None, alias="from")
    ends: Score = Field(alias="below")
    combine: Combine = Combine.BOTH


class ImageRulePart(_Thresholds):
    """One rule as the file writes it."""

    id: RuleId
    second: SecondOpinionPart | None = None

    @model_validator(mode="after")
    def _another_is_asked(self) -> ImageRulePart:
        second = self.second
        if second is None:
            return self
        begins = self.speaks_from if second.begins is None else second.begins
        if second.classifier == self.classifier:
            raise ValueError(f"second asks {self.classifier!r} again; name another classifier")
        if begins >= second.ends:
            raise ValueError(f"second is never asked: from ({begins}) is not below {second.ends}")
        return self

    def compiled(self) -> ImageRule:
        return ImageRule(self.id, self.classifier, tuple(self.scores), self.hold, self.refuse, self._second())

    def _second(self) -> SecondOpinion | None:
        second = self.second
        if second is None:
            return None
        return SecondOpinion(
            classifier=second.classifier,
            scores=tuple(second.scores),
            begins=self.speaks_from if second.begins is None else second.begins,
            ends=second.ends,
            hold=second.hold,
            refuse=second.refuse,
            combine=second.combine,
        )


class ImagePart(BundledParts):
    """The key `image`."""

    rules: list[ImageRulePart] = Field(min_length=1)

    @model_validator(mode="after")
    def _redraws_by_rules_that_exist(self) -> ImagePart:
        unknown = sorted(set(self.redraw.rules if self.redraw else ()) - {rule.id for rule in self.rules})
        if unknown:
            raise ValueError(f"redraw names {unknown[0]!r}, and no image rule is called that; correct the id")
        if self.redraw is not None and not (self.redraw.rules or self.redraw.faults):
            raise ValueError("redraw says how often and not what for; give rules, or faults: true")
        return self

    def compiled(self) -> tuple[ImageRule, ...]:
        return tuple(rule.compiled() for rule in self.rules)
