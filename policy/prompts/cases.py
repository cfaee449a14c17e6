"""Case tables: prompts with the expected result, attacks by rule or category and innocent prompts, each by language.

Nine tables ship, kept apart because they measure different things. Used while the rules were written: `cases` (the
rules were written with them), `paraphrases` (seen by the rules, not by the embeddings), `tricks` (obfuscations),
`catalogue` (catalogue texts in many languages) and `world` (many scripts, romanised words, forged papers, children with
what harms them). Held out: `held-out` (seen by neither rules nor embeddings), `held-out-tricks`, `held-out-catalogue`
and `held-out-world` (written with the tables of those names and separated by a digest of the text before either was
run).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from policy.errors import RulesInvalid
from policy.files import read_yaml
from policy.rulebook.parts import Language, RuleSetPart, category_of

CASES = Path(__file__).resolve().parent.parent / "rulesets" / "cases"
WORKED_ON = tuple(CASES / f"{name}.yaml" for name in ("cases", "paraphrases", "tricks", "catalogue", "world"))
HELD_OUT = tuple(
    CASES / f"{name}.yaml" for name in ("held-out", "held-out-tricks", "held-out-catalogue", "held-out-world")
)
SHIPPED = WORKED_ON + HELD_OUT


@dataclass(frozen=True, slots=True)
class Case:
    """One prompt. `expected` is a rule's id or a category. It is empty for an innocent prompt."""

    text: str
    language: str
    expected: str = ""

    @property
    def category(self) -> str:
        return category_of(self.expected)


@dataclass(frozen=True, slots=True)
class Table:
    """One file of cases."""

    name: str
    cases: tuple[Case, ...]

    @property
    def innocent(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if not case.expected)

    @property
    def attacks(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.expected)

    @classmethod
    def load(cls, path: Path) -> Table:
        """Raises RulesInvalid, naming file, line and remedy of every mistake."""
        file = read_yaml(path, _File, RulesInvalid).content
        innocent = [Case(text, language) for language, texts in file.innocent.items() for text in texts]
        attacks = [
            Case(text, language, expected)
            for expected, entries in file.attack.items()
            for entry in entries
            for language, text in entry.items()
        ]
        return cls(file.name, (*innocent, *attacks))


_Expected = Annotated[str, Field(pattern=r"^[a-z][a-z-]*(/[a-z][a-z0-9-]*)?$")]
_Text = Annotated[str, Field(min_length=1)]
_Entry = Annotated[dict[Language, _Text], Field(min_length=1)]


class _File(RuleSetPart):
    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    innocent: dict[Language, list[_Text]] = Field(default={})
    attack: dict[_Expected, list[_Entry]] = Field(default={})
