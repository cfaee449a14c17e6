"""Rule set: which prompts and pictures are released, held or refused, read from one YAML file.

The version is the digest of the file's bytes, so two different rule sets never share a version. docs/policy.md explains
every key. policy/rulebook/ holds the parts of the file; policy/rulesets/default.yaml is the set that ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from policy.errors import RulesInvalid
from policy.files import Read, parse_yaml, read_stored
from policy.rulebook.classifiers import Bundled
from policy.rulebook.consent import CONSENT, ConsentPart, ConsentRules
from policy.rulebook.images import ImagePart, ImageRule
from policy.rulebook.labels import LabelPart, LabelRules
from policy.rulebook.lock import CutoutPart, LockPart
from policy.rulebook.meaning import MeaningPart, MeaningRules
from policy.rulebook.parts import RuleSetPart, Terms, category_of
from policy.rulebook.prompts import ExceptionPart, Exemption, PromptPart, PromptRule, PromptRulePart
from policy.rulebook.review import ReviewPart, ReviewRules
from policy.rulebook.scope import Context
from policy.terms import phrases
from policy.verdict import Decision

TEXT = "text"  # category of findings about the characters of a prompt, not about its words
BROKEN = "broken"  # category of pictures that show nothing
SCREENING = "screening"  # category of findings that say the screen itself did not run
MARKS = "marks"  # category of findings about marks that did not hold
BUILT_IN = frozenset({TEXT, BROKEN, SCREENING, MARKS, CONSENT})


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A whole rule set. Compared by identity: what was compiled from it is cached under it."""

    version: str
    name: str
    categories: Mapping[str, str]
    max_chars: int
    prompt_rules: tuple[PromptRule, ...]
    image_rules: tuple[ImageRule, ...]
    bundled: Bundled
    exceptions: Mapping[tuple[str, str], tuple[Exemption, ...]]
    strict: frozenset[str]
    meaning: MeaningRules
    review: ReviewRules
    unmarked_locks: bool  # files of strictly locked products may leave without a watermark
    unmarked_cutouts: bool  # cut-outs whose product has no room for one may do so
    label: LabelRules
    consent: ConsentRules

    @classmethod
    def load(cls, path: Path) -> Rules:
        """The rule set in the file. Raises RulesInvalid, naming file, line and remedy of every mistake."""
        read, prompt_rules = _parsed(path, read_stored(path, RulesInvalid))
        file = read.content
        return cls(
            version=f"sha256:{read.sha256}",
            name=file.name,
            categories={name: category.description for name, category in file.categories.items()},
            max_chars=file.prompt.max_chars,
            prompt_rules=prompt_rules,
            image_rules=file.image.compiled(),
            bundled=file.image.bundled(path.parent),
            exceptions=_exemptions(file.exceptions),
            meaning=file.meaning.compiled(),
            strict=frozenset(name for name, category in file.categories.items() if not category.exceptions),
            review=file.review.compiled(),
            unmarked_locks=file.lock.without_watermark == "allow",
            unmarked_cutouts=file.cutout.without_watermark == "allow",
            label=file.label.compiled(),
            consent=file.consent.compiled(),
        )

    @property
    def name_campaigns(self) -> bool:
        """Whether a verdict may depend on the name of the request."""
        exempted = (exemption for exemptions in self.exceptions.values() for exemption in exemptions)
        scopes = (*(rule.scope for rule in self.prompt_rules), *(rule.scope for rule in self.meaning.rules))
        return any(scope.campaigns for scope in (*scopes, *(exemption.scope for exemption in exempted)))

    @property
    def rewriting(self) -> tuple[PromptRule, ...]:
        """The rules that replace what they find."""
        return _split(self).rewriting

    @property
    def personal(self) -> tuple[PromptRule, ...]:
        """The rules that look for personal data."""
        return _split(self).personal

    def excepted(self, context: Context, rule: str, *names: str) -> bool:
        """Whether this tenant may use a term of this rule, under any of these names, in this context."""
        return any(
            (exemption.terms is None or not exemption.terms.isdisjoint(names)) and exemption.scope.covers(context)
            for exemption in self.exceptions.get((context.tenant, rule), ())
        )


class _Split(NamedTuple):
    rewriting: tuple[PromptRule, ...]
    personal: tuple[PromptRule, ...]


@lru_cache(maxsize=8)
def _split(rules: Rules) -> _Split:
    """Kept by the rule set: every prompt asks for them."""
    rewriting = tuple(rule for rule in rules.prompt_rules if rule.decision is Decision.REWRITE)
    return _Split(rewriting, tuple(rule for rule in rules.prompt_rules if rule.personal))


class _Category(RuleSetPart):
    description: str = Field(min_length=1)
    exceptions: bool = True


class _File(RuleSetPart):
    """The shape of the file. `vocabulary` holds lists that several rules share by YAML anchors."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    categories: dict[str, _Category] = Field(min_length=1)
    vocabulary: dict[str, Terms] = Field(default={})
    prompt: PromptPart
    meaning: MeaningPart = Field(default=MeaningPart())
    image: ImagePart
    exceptions: list[ExceptionPart] = Field(default=[])
    review: ReviewPart = Field(default=ReviewPart())
    lock: LockPart = Field(default=LockPart())
    cutout: CutoutPart = Field(default=CutoutPart())
    label: LabelPart = Field(default=LabelPart())
    consent: ConsentPart = Field(default=ConsentPart())


def _exemptions(exceptions: Sequence[ExceptionPart]) -> dict[tuple[str, str], tuple[Exemption, ...]]:
    found: dict[tuple[str, str], tuple[Exemption, ...]] = {}
    for exception in exceptions:
        for rule in exception.rules:
            key = (exception.tenant, rule)
            found[key] = (*found.get(key, ()), exception.compiled())
    return found


@lru_cache(maxsize=8)
def _parsed(path: Path, stored: bytes) -> tuple[Read[_File], tuple[PromptRule, ...]]:
    """The checked file and its prompt rules. Kept by the bytes: a process that reads them again does the work once."""
    read = parse_yaml(path, stored, _File, RulesInvalid)
    _check(read)
    return read, tuple(rule.compiled() for rule in read.content.prompt.rules)


def _check(read: Read[_File]) -> None:
    """Checks between parts of the file."""
    file, mistakes = read.content, list[str]()
    seen: set[str] = set()
    listed = [(rule.id, read.place("prompt", "rules", number)) for number, rule in enumerate(file.prompt.rules)]
    listed += [(rule.id, read.place("meaning", "rules", number)) for number, rule in enumerate(file.meaning.rules)]
    listed += [(rule.id, read.place("image", "rules", number)) for number, rule in enumerate(file.image.rules)]
    for id_, place in listed:
        category = category_of(id_)
        if category not in file.categories and category not in BUILT_IN:
            mistakes.append(f"{place}: category {category!r} is not described; add it under categories")
        if id_ in seen:
            mistakes.append(f"{place}: {id_!r} exists already; ids are the names under which findings are kept")
        seen.add(id_)
    prompt_rules = {rule.id: rule for rule in file.prompt.rules}
    for number, rule in enumerate(file.prompt.rules):
        place = read.place("prompt", "rules", number)
        mistakes += [f"{place}: {said}" for said in _rule_mistakes(file, rule, prompt_rules)]
    for number, exception in enumerate(file.exceptions):
        place = read.place("exceptions", number)
        mistakes += [f"{place}: {said}" for said in _exception_mistakes(file, exception, prompt_rules)]
    for category in file.review.named():
        if category not in file.categories and category not in BUILT_IN:
            mistakes.append(f"{read.place('review')}: no category is called {category!r}; name one of this file")
    for category in file.image.text.categories if file.image.text else ():
        if category not in file.categories:
            mistakes.append(f"{read.place('image', 'text')}: no category is called {category!r}; name one of this file")
    if mistakes:
        raise RulesInvalid("\n".join(mistakes))


def _rule_mistakes(file: _File, rule: PromptRulePart, known: Mapping[str, PromptRulePart]) -> Iterator[str]:
    if rule.decision is Decision.REWRITE and _strict(file, rule.id):
        yield f"category {category_of(rule.id)!r} allows no exceptions, and a rewrite would be one; hold or refuse"
    for overridden in rule.overrides or ():
        if overridden not in known or known[overridden].decision is Decision.ALLOW:
            yield f"there is no prompt rule {overridden!r} to override; correct the id"
        elif _strict(file, overridden):
            yield f"category {category_of(overridden)!r} allows no exceptions; remove {overridden!r} here"
    if rule.decision is Decision.ALLOW and rule.scope and rule.scope.campaigns and not rule.scope.tenants:
        yield "anybody may give a campaign any name; name the tenants too whom this rule allows something"


def _strict(file: _File, rule_id: str) -> bool:
    category = file.categories.get(category_of(rule_id))
    return category is not None and not category.exceptions


def _exception_mistakes(file: _File, exception: ExceptionPart, prompt_rules: Mapping[str, PromptRulePart]) -> list[str]:
    mistakes, known = [], set[str]()
    for id_ in exception.rules:
        if id_ not in prompt_rules:
            mistakes.append(f"there is no prompt rule {id_!r}; correct the id or remove the exception")
            continue
        if _strict(file, id_):
            mistakes.append(f"category {category_of(id_)!r} allows no exceptions; remove {id_!r} here")
        written = [term for terms in prompt_rules[id_].terms.values() for term in terms]
        known |= {*written, *(" ".join(phrase) for term in written for phrase in phrases(term))}
    if exception.scope and exception.scope.tenants:
        mistakes.append("an exception is of the one tenant it names; leave tenants out of its scope")
    unknown = sorted(set(exception.terms or ()) - known)
    if unknown and not mistakes:
        mistakes.append(
            f"no rule named here has the term(s) {', '.join(unknown)}; write them as the rule does, or one phrase of it"
        )
    return mistakes
