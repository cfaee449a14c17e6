"""Prompt rules: lists of terms by language, and what becomes of a prompt with one of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import Field

from policy.rulebook.parts import Language, Part, RuleId, Terms, category_of
from policy.terms import Phrase, phrases
from policy.verdict import Decision


class PromptField(StrEnum):
    """Where a text stands: what is wanted, or what is to be kept out of the picture."""

    PROMPT = "prompt"
    NEGATIVE_PROMPT = "negative_prompt"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a list: how the file writes it, its language, the phrases it stands for."""

    text: str
    language: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class PromptRule:
    """A list of terms and what becomes of a prompt with one of them.

    `near`, if any, must stand within `near_words` words of the term; a hit of either that lies inside
    an `unless` phrase does not count.
    """

    id: str
    decision: Decision
    fields: frozenset[PromptField]
    terms: tuple[Term, ...]
    unless: tuple[Phrase, ...]
    near: tuple[Phrase, ...]
    near_words: int

    @property
    def category(self) -> str:
        return category_of(self.id)


class PromptRulePart(Part):
    """One rule as the file writes it."""

    id: RuleId
    decision: Literal["hold", "refuse"]
    fields: list[PromptField] = Field(default=[PromptField.PROMPT], min_length=1)
    terms: dict[Language, Terms] = Field(min_length=1)
    unless: Terms | None = None
    near: Terms | None = None
    near_words: int = Field(default=8, ge=1, le=100)

    def compiled(self) -> PromptRule:
        return PromptRule(
            id=self.id,
            decision=Decision(self.decision),
            fields=frozenset(self.fields),
            terms=tuple(Term(term, lang, phrases(term)) for lang, terms in self.terms.items() for term in terms),
            unless=tuple(phrase for term in self.unless or () for phrase in phrases(term)),
            near=tuple(phrase for term in self.near or () for phrase in phrases(term)),
            near_words=self.near_words,
        )


class PromptPart(Part):
    """The key `prompt`."""

    max_chars: int = Field(ge=1, le=100_000)
    rules: list[PromptRulePart]


class ExceptionPart(Part):
    """One of `exceptions`: what a tenant may do all the same."""

    tenant: str = Field(min_length=1)
    rules: list[RuleId] = Field(min_length=1)
    terms: list[str] | None = None
    reason: str = Field(min_length=1)
