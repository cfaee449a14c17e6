"""A rule set: which prompts and pictures are released, held or refused, read from one YAML file.

The version is the digest of the file's bytes, so that two rule sets with one version do not exist.
docs/policy.md explains every key; policy/rulesets/default.yaml is the set that ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from policy.errors import RulesInvalid
from policy.files import Read, read_yaml
from policy.terms import Phrase, phrases
from policy.verdict import Decision

TEXT = "text"  # category of findings about the characters of a prompt, not about its words
BROKEN = "broken"  # category of pictures that show nothing
SCREENING = "screening"  # category of findings that say the screen itself did not run
BUILT_IN = frozenset({TEXT, BROKEN, SCREENING})


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
        return self.id.partition("/")[0]


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
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A whole rule set. Compared by identity: what was compiled from it is cached under it."""

    version: str
    name: str
    categories: Mapping[str, str]
    max_chars: int
    prompt_rules: tuple[PromptRule, ...]
    image_rules: tuple[ImageRule, ...]
    exceptions: Mapping[tuple[str, str], frozenset[str] | None]

    @classmethod
    def load(cls, path: Path) -> Rules:
        """The rule set in the file. Raises RulesInvalid, naming file, line and remedy of every mistake."""
        read = read_yaml(path, _File, RulesInvalid)
        _check(read)
        file = read.content
        return cls(
            version=f"sha256:{read.sha256}",
            name=file.name,
            categories={name: category.description for name, category in file.categories.items()},
            max_chars=file.prompt.max_chars,
            prompt_rules=tuple(_prompt_rule(rule) for rule in file.prompt.rules),
            image_rules=tuple(
                ImageRule(rule.id, rule.classifier, tuple(rule.scores), rule.hold, rule.refuse)
                for rule in file.image.rules
            ),
            exceptions={
                (exception.tenant, rule): frozenset(exception.terms) if exception.terms else None
                for exception in file.exceptions
                for rule in exception.rules
            },
        )

    def excepted(self, tenant: str, rule: str, term: str) -> bool:
        """Whether this term of this rule is open to this tenant."""
        terms = self.exceptions.get((tenant, rule), frozenset())
        return terms is None or term in terms


def _checked_term(text: str) -> str:
    phrases(text)
    return text


def _flat(listed: object) -> object:
    """A list within the list is read as part of it: YAML has no other way to join two anchored lists."""
    if not isinstance(listed, list):
        return listed
    return [term for part in listed for term in (part if isinstance(part, list) else [part])]


_Term = Annotated[str, AfterValidator(_checked_term)]
_Terms = Annotated[list[_Term], BeforeValidator(_flat), Field(min_length=1)]
_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
_RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z-]*/[a-z][a-z0-9-]*$")]
_Score = Annotated[float, Field(gt=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Category(_Part):
    description: str = Field(min_length=1)
    exceptions: bool = True


class _PromptRule(_Part):
    id: _RuleId
    decision: Literal["hold", "refuse"]
    fields: list[PromptField] = Field(default=[PromptField.PROMPT], min_length=1)
    terms: dict[_Language, _Terms] = Field(min_length=1)
    unless: _Terms | None = None
    near: _Terms | None = None
    near_words: int = Field(default=8, ge=1, le=100)


class _Prompt(_Part):
    max_chars: int = Field(ge=1, le=100_000)
    rules: list[_PromptRule]


class _ImageRule(_Part):
    id: _RuleId
    classifier: str = Field(min_length=1)
    scores: list[str] = Field(min_length=1)
    hold: _Score | None = None
    refuse: _Score | None = None

    @model_validator(mode="after")
    def _in_order(self) -> _ImageRule:
        if self.hold is None and self.refuse is None:
            raise ValueError("this rule can never speak; give hold, refuse or both")
        if self.hold is not None and self.refuse is not None and self.hold > self.refuse:
            raise ValueError(f"hold ({self.hold}) is above refuse ({self.refuse}); make it the lower one")
        return self


class _Image(_Part):
    rules: list[_ImageRule] = Field(min_length=1)


class _Exception(_Part):
    tenant: str = Field(min_length=1)
    rules: list[_RuleId] = Field(min_length=1)
    terms: list[str] | None = None
    reason: str = Field(min_length=1)


class _File(_Part):
    """The file's own shape. `vocabulary` is a place for lists that several rules share by YAML anchors."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    categories: dict[str, _Category] = Field(min_length=1)
    vocabulary: dict[str, _Terms] = {}
    prompt: _Prompt
    image: _Image
    exceptions: list[_Exception] = []


def _prompt_rule(rule: _PromptRule) -> PromptRule:
    return PromptRule(
        id=rule.id,
        decision=Decision(rule.decision),
        fields=frozenset(rule.fields),
        terms=tuple(Term(term, lang, phrases(term)) for lang, terms in rule.terms.items() for term in terms),
        unless=tuple(phrase for term in rule.unless or () for phrase in phrases(term)),
        near=tuple(phrase for term in rule.near or () for phrase in phrases(term)),
        near_words=rule.near_words,
    )


def _check(read: Read[_File]) -> None:
    """What one part of the file must know of another."""
    file, mistakes = read.content, list[str]()
    seen: set[str] = set()
    listed = [(rule.id, read.place("prompt", "rules", number)) for number, rule in enumerate(file.prompt.rules)]
    listed += [(rule.id, read.place("image", "rules", number)) for number, rule in enumerate(file.image.rules)]
    for id_, place in listed:
        category = id_.partition("/")[0]
        if category not in file.categories and category not in BUILT_IN:
            mistakes.append(f"{place}: category {category!r} is not described; add it under categories")
        if id_ in seen:
            mistakes.append(f"{place}: {id_!r} exists already; ids are the names under which findings are kept")
        seen.add(id_)
    prompt_rules = {rule.id: rule for rule in file.prompt.rules}
    for number, exception in enumerate(file.exceptions):
        place = read.place("exceptions", number)
        mistakes += [f"{place}: {said}" for said in _exception_mistakes(file, exception, prompt_rules)]
    if mistakes:
        raise RulesInvalid("\n".join(mistakes))


def _exception_mistakes(file: _File, exception: _Exception, prompt_rules: Mapping[str, _PromptRule]) -> list[str]:
    mistakes, known = [], set[str]()
    for id_ in exception.rules:
        category = id_.partition("/")[0]
        if id_ not in prompt_rules:
            mistakes.append(f"there is no prompt rule {id_!r}; correct the id or remove the exception")
            continue
        if category in file.categories and not file.categories[category].exceptions:
            mistakes.append(f"category {category!r} allows no exceptions; remove {id_!r} here")
        known |= {term for terms in prompt_rules[id_].terms.values() for term in terms}
    unknown = sorted(set(exception.terms or ()) - known)
    if unknown and not mistakes:
        mistakes.append(f"no rule named here has the term(s) {', '.join(unknown)}; write them as the rule does")
    return mistakes
