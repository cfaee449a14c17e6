"""A rule set: which prompts and pictures are released, held or refused, read from one YAML file.

The version is the digest of the file's bytes, so that two rule sets with one version do not exist.
docs/policy.md explains every key; policy/rulebook/ holds the parts of the file; policy/rulesets/default.yaml
is the set that ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from policy.errors import RulesInvalid
from policy.files import Read, read_yaml
from policy.rulebook.images import ImagePart, ImageRule
from policy.rulebook.parts import Part, Terms, category_of
from policy.rulebook.prompts import ExceptionPart, PromptPart, PromptRule, PromptRulePart

TEXT = "text"  # category of findings about the characters of a prompt, not about its words
BROKEN = "broken"  # category of pictures that show nothing
SCREENING = "screening"  # category of findings that say the screen itself did not run
BUILT_IN = frozenset({TEXT, BROKEN, SCREENING})


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
            prompt_rules=tuple(rule.compiled() for rule in file.prompt.rules),
            image_rules=file.image.compiled(),
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


class _Category(Part):
    description: str = Field(min_length=1)
    exceptions: bool = True


class _File(Part):
    """The file's own shape. `vocabulary` is a place for lists that several rules share by YAML anchors."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    categories: dict[str, _Category] = Field(min_length=1)
    vocabulary: dict[str, Terms] = Field(default={})
    prompt: PromptPart
    image: ImagePart
    exceptions: list[ExceptionPart] = Field(default=[])


def _check(read: Read[_File]) -> None:
    """What one part of the file must know of another."""
    file, mistakes = read.content, list[str]()
    seen: set[str] = set()
    listed = [(rule.id, read.place("prompt", "rules", number)) for number, rule in enumerate(file.prompt.rules)]
    listed += [(rule.id, read.place("image", "rules", number)) for number, rule in enumerate(file.image.rules)]
    for id_, place in listed:
        category = category_of(id_)
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


def _exception_mistakes(file: _File, exception: ExceptionPart, prompt_rules: Mapping[str, PromptRulePart]) -> list[str]:
    mistakes, known = [], set[str]()
    for id_ in exception.rules:
        category = category_of(id_)
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
