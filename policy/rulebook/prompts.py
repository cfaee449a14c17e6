"""Prompt rules: what they look for, in which field, for whom, and what happens to a prompt that has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field, model_validator

from policy.rulebook.parts import Language, RuleId, RuleSetPart, Terms, category_of
from policy.rulebook.scope import EVERYWHERE, RuleScope, ScopePart
from policy.terms import Phrase, phrases
from policy.verdict import Decision


class PromptField(StrEnum):
    """Where a text stands: in the prompt, or in the negative prompt."""

    PROMPT = "prompt"
    NEGATIVE_PROMPT = "negative_prompt"


class Personal(StrEnum):
    """Kinds of personal data that a rule can look for instead of terms; policy/prompts/personal.py finds them."""

    EMAIL = "email"
    IBAN = "iban"
    PAYMENT_CARD = "payment-card"
    NATIONAL_ID = "national-id"
    PHONE = "phone"
    STREET_ADDRESS = "street-address"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a list: how the file writes it, its language, the phrases it stands for."""

    text: str
    language: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class PromptRule:
    """A list of terms, or kinds of personal data, and the decision on a prompt that has one of them.

    `near`, if any, must stand within `near_words` words of the term. A hit of either that lies inside an `unless`
    phrase does not count. A rewrite puts `replacement` in the place of the term. An allow rule makes hits of the rules
    in `overrides` not count where they lie inside its own terms.
    """

    id: str
    decision: Decision
    fields: frozenset[PromptField]
    terms: tuple[Term, ...]
    unless: tuple[Phrase, ...]
    near: tuple[Phrase, ...]
    near_words: int
    scope: RuleScope = EVERYWHERE
    personal: frozenset[Personal] = frozenset()
    regions: tuple[str, ...] = ()
    replacement: str = ""
    overrides: frozenset[str] = frozenset()

    @property
    def category(self) -> str:
        return category_of(self.id)


class PromptRulePart(RuleSetPart):
    """One rule as the file writes it."""

    id: RuleId
    decision: Decision
    fields: list[PromptField] = Field(default=[PromptField.PROMPT], min_length=1)
    terms: dict[Language, Terms] = Field(default={})
    languages: list[Language] | None = Field(default=None, min_length=1)
    unless: Terms | None = None
    near: Terms | None = None
    near_words: int = Field(default=8, ge=1, le=100)
    personal: list[Personal] = Field(default=[])
    regions: list[str] = Field(default=[])
    replacement: str | None = Field(default=None, alias="with", min_length=1, max_length=100)
    overrides: list[RuleId] | None = Field(default=None, min_length=1)
    scope: ScopePart | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> PromptRulePart:
        for mistake in self._mistakes():
            raise ValueError(mistake)
        return self

    def compiled(self) -> PromptRule:
        return PromptRule(
            id=self.id,
            decision=self.decision,
            fields=frozenset(self.fields),
            terms=tuple(
                Term(term, language, phrases(term))
                for language, terms in self.terms.items()
                for term in terms
                if self.languages is None or language in self.languages
            ),
            unless=tuple(phrase for term in self.unless or () for phrase in phrases(term)),
            near=tuple(phrase for term in self.near or () for phrase in phrases(term)),
            near_words=self.near_words,
            scope=self.scope.compiled() if self.scope else EVERYWHERE,
            personal=frozenset(self.personal),
            regions=tuple(self.regions),
            replacement=self.replacement or "",
            overrides=frozenset(self.overrides or ()),
        )

    def _mistakes(self) -> Iterator[str]:
        if bool(self.terms) == bool(self.personal):
            yield "a rule looks for terms or for personal data; give it one of the two (at least 1 item)"
        if self.personal and (self.near or self.unless or self.languages):
            yield "near, unless and languages belong to terms; personal data is found by its shape"
        if self.regions and Personal.PHONE not in self.personal:
            yield "regions say whose phone numbers count; add phone to personal, or remove them"
        if unread := sorted(set(self.languages or ()) - set(self.terms)):
            yield f"languages names {', '.join(unread)}, and terms has no such list; add it or remove the name"
        if (self.decision is Decision.REWRITE) != (self.replacement is not None):
            yield "decision rewrite and the key with belong together: what shall stand where the term stood?"
        if (self.decision is Decision.ALLOW) != (self.overrides is not None):
            yield "decision allow and the key overrides belong together: which rules does it silence?"


class PromptPart(RuleSetPart):
    """The key `prompt`."""

    max_chars: int = Field(ge=1, le=100_000)
    rules: list[PromptRulePart]


@dataclass(frozen=True, slots=True)
class Exemption:
    """What a tenant may do despite the rules: terms of a rule (None: all of them), where the scope covers it."""

    terms: frozenset[str] | None
    scope: RuleScope
    reason: str


class ExceptionPart(RuleSetPart):
    """One of `exceptions`."""

    tenant: str = Field(min_length=1)
    rules: list[RuleId] = Field(min_length=1)
    terms: list[str] | None = None
    scope: ScopePart | None = None
    reason: str = Field(min_length=1)

    def compiled(self) -> Exemption:
        scope = self.scope.compiled() if self.scope else EVERYWHERE
        return Exemption(frozenset(self.terms) if self.terms else None, scope, self.reason)
