"""Image rules: the sum of some scores of one classifier, and from where on the picture is held or refused."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, model_validator

from policy.rulebook.parts import Part, RuleId, Score, category_of


@dataclass(frozen=True, slots=True)
class ImageRule:
    """The sum of some scores of one classifier, and from where on the picture is held or refused."""

    id: str
    classifier: str
    scores: tuple[str, ...]
    hold: float | None
    refuse: float | None

    @property
    def category(self) -> str:
        return category_of(self.id)


class ImageRulePart(Part):
    """One rule as the file writes it."""

    id: RuleId
    classifier: str = Field(min_length=1)
    scores: list[str] = Field(min_length=1)
    hold: Score | None = None
    refuse: Score | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ImageRulePart:
        if self.hold is None and self.refuse is None:
            raise ValueError("this rule can never speak; give hold, refuse or both")
        if self.hold is not None and self.refuse is not None and self.hold > self.refuse:
            raise ValueError(f"hold ({self.hold}) is above refuse ({self.refuse}); make it the lower one")
        return self


class ImagePart(Part):
    """The key `image`."""

    rules: list[ImageRulePart] = Field(min_length=1)

    def compiled(self) -> tuple[ImageRule, ...]:
        return tuple(
            ImageRule(rule.id, rule.classifier, tuple(rule.scores), rule.hold, rule.refuse) for rule in self.rules
        )
