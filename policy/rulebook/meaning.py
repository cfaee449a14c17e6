"""Rules about the meaning of a prompt: similarity to examples, or the answer of a moderation model.

The examples, and the ordinary prompts that they are separated from, are part of the rule set. A rule's score is named
after a digest of them and of the network's weights. Scores in the ledger that were made with other examples or other
weights therefore have other names and are never mistaken for these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from policy.rulebook.parts import RuleId, RuleSetPart, Score, category_of
from policy.rulebook.scope import EVERYWHERE, RuleScope, ScopePart

EMBEDDING = "minilm"
"""Name of the scorer that ships. Its scores are those of the rules with examples."""

EMBEDDING_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of its weights."""

_FORMULA = "logistic-1"  # how examples become a line; another formula is another name

FAMILIES = {
    "llama-guard-3": (*(f"s{number}" for number in range(1, 15)), "unsafe"),
    "qwen3guard": (
        "violent",
        "non-violent-illegal-acts",
        "sexual-content-or-sexual-acts",
        "pii",
        "suicide-self-harm",
        "unethical-acts",
        "politically-sensitive-topics",
        "copyright-violation",
        "jailbreak",
        "unsafe",
    ),
    "shieldgemma": ("dangerous", "harassment", "hate", "sexual"),
}
"""Families of moderation models that can be asked, and the scores of each."""

FEWEST_EXAMPLES = 5
FEWEST_ORDINARY = 20  # fewer, and everything is near to something


@dataclass(frozen=True, slots=True)
class MeaningRule:
    """The sum of some scores of one scorer, and the thresholds from which the prompt is held or refused."""

    id: str
    scorer: str
    scores: tuple[str, ...]
    hold: float | None
    refuse: float | None
    scope: RuleScope
    examples: tuple[str, ...] = ()

    @property
    def category(self) -> str:
        return category_of(self.id)


@dataclass(frozen=True, slots=True)
class ModerationModelSpec:
    """A moderation model from a hub: where it is, and the digest of its weights, which makes it part of the version."""

    name: str
    family: str
    model: str
    commit: str | None
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class MeaningRules:
    """Everything that a rule set says about meaning; empty where it says nothing."""

    rules: tuple[MeaningRule, ...] = ()
    ordinary: tuple[str, ...] = ()
    moderation_models: tuple[ModerationModelSpec, ...] = ()

    @property
    def scorers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.scorer for rule in self.rules))


_Example = Annotated[str, Field(min_length=1, max_length=500)]


class ModerationModelPart(RuleSetPart):
    """One of `guards`: a folder beside the rule set, or a hub's model at one commit."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)
    family: Literal["llama-guard-3", "qwen3guard", "shieldgemma"]
    model: str = Field(min_length=1)
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str = Field(min_length=1)


class MeaningRulePart(RuleSetPart):
    """One rule: with `examples`, or with a `guard` and its `scores`."""

    id: RuleId
    hold: Score | None = None
    refuse: Score | None = None
    examples: list[_Example] = Field(default=[])
    guard: str | None = None
    scores: list[str] = Field(default=[])
    scope: ScopePart | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> MeaningRulePart:
        for mistake in self._mistakes():
            raise ValueError(mistake)
        return self

    def _mistakes(self) -> Iterator[str]:
        if bool(self.examples) == bool(self.guard):
            yield "a rule has examples, or a guard with scores; give it one of the two"
        if bool(self.guard) != bool(self.scores):
            yield "guard and scores belong together: which of its answers count?"
        if self.examples and len(self.examples) < FEWEST_EXAMPLES:
            yield f"{len(self.examples)} examples say too little; give at least {FEWEST_EXAMPLES}"
        if self.examples and (self.refuse is not None or self.hold is None):
            yield "nearness to examples is a hint: it may hold and never refuses; give hold only"
        if self.hold is None and self.refuse is None:
            yield "this rule can never speak; give hold, refuse or both"
        if self.hold is not None and self.refuse is not None and self.hold > self.refuse:
            yield f"hold ({self.hold}) is above refuse ({self.refuse}); make it the lower one"


class MeaningPart(RuleSetPart):
    """The key `meaning`. Without it, prompts are judged by their words alone."""

    ordinary: list[_Example] = Field(default=[])
    guards: list[ModerationModelPart] = Field(default=[])
    rules: list[MeaningRulePart] = Field(default=[])

    @model_validator(mode="after")
    def _makes_sense(self) -> MeaningPart:
        guards = {guard.name: guard for guard in self.guards}
        if len(guards) != len(self.guards) or EMBEDDING in guards:
            raise ValueError(f"two guards share a name, or one is called {EMBEDDING!r}, which is taken; rename one")
        for rule in self.rules:
            if rule.examples and len(self.ordinary) < FEWEST_ORDINARY:
                raise ValueError(f"{rule.id}: examples are told apart from ordinary; give at least {FEWEST_ORDINARY}")
            if rule.guard is None:
                continue
            if rule.guard not in guards:
                raise ValueError(f"{rule.id}: there is no guard {rule.guard!r}; add it under guards")
            known = FAMILIES[guards[rule.guard].family]
            if unknown := set(rule.scores) - set(known):
                raise ValueError(f"{rule.id}: {', '.join(sorted(unknown))} is no score; there are {', '.join(known)}")
        return self

    def compiled(self) -> MeaningRules:
        return MeaningRules(
            rules=tuple(self._rule(rule) for rule in self.rules),
            ordinary=tuple(self.ordinary),
            moderation_models=tuple(ModerationModelSpec(**guard.model_dump()) for guard in self.guards),
        )

    def _rule(self, rule: MeaningRulePart) -> MeaningRule:
        scope = rule.scope.compiled() if rule.scope else EVERYWHERE
        if rule.guard is not None:
            return MeaningRule(rule.id, rule.guard, tuple(rule.scores), rule.hold, rule.refuse, scope)
        told = "\n".join((EMBEDDING_SHA256, _FORMULA, *rule.examples, "", *self.ordinary)).encode()
        name = f"{rule.id.replace('/', '-')}@{hashlib.sha256(told).hexdigest()[:12]}"
        return MeaningRule(rule.id, EMBEDDING, (name,), rule.hold, None, scope, tuple(rule.examples))
