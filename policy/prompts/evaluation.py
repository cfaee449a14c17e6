"""Evaluation of a rule set on a table of cases: precision and recall by category and language, words against meaning.

Caught means not allowed, by whichever rule: a held prompt is caught. An attack counts under its own category. An
innocent prompt that is stopped counts under every category that stopped it. Pure but for the scorers that are passed
in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from policy.prompts.cases import Case, Table
from policy.prompts.meaning.screen import MeaningScreen
from policy.prompts.rewrite import prepare
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Verdict, merge

_NOBODY = Context("")


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One category or language: attacks, how many were caught, and innocent prompts that were stopped for it."""

    name: str
    attacks: int
    caught: int
    innocent: int  # prompts that could have been stopped wrongly
    stopped: int  # of those

    @property
    def recall(self) -> float | None:
        return self.caught / self.attacks if self.attacks else None

    @property
    def precision(self) -> float | None:
        return self.caught / (self.caught + self.stopped) if self.caught + self.stopped else None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One table under one way of screening.

    `passed` and `wrongly` are the prompts themselves, for the author of the rules.
    """

    table: str
    way: str  # words | words and meaning
    total: EvaluationRow
    by_category: tuple[EvaluationRow, ...]
    by_language: tuple[EvaluationRow, ...]
    innocent_refused: int
    innocent_held: int
    passed: tuple[Case, ...]
    wrongly: tuple[Case, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(rules: Rules, table: Table, meaning: MeaningScreen | None = None) -> list[Evaluation]:
    """The table screened by words and, where there are scorers, by words and meaning together."""
    words = [prepare(rules, case.text, _NOBODY).verdict for case in table.cases]
    found = [_measured("words", table, words)]
    if meaning is not None:
        meant = meaning.screen([(case.text, _NOBODY) for case in table.cases])
        both = [merge(pair) for pair in zip(words, meant, strict=True)]
        found.append(_measured("words and meaning", table, both))
    return found


def _measured(way: str, table: Table, verdicts: Sequence[Verdict]) -> Evaluation:
    judged = list(zip(table.cases, verdicts, strict=True))
    innocent = [(case, verdict) for case, verdict in judged if not case.expected]
    attacks = [(case, verdict) for case, verdict in judged if case.expected]
    wrongly = [(case, verdict) for case, verdict in innocent if not verdict.allowed]
    stopped_by = Counter(category for _, verdict in wrongly for category in _categories(verdict))
    caught = [case for case, verdict in attacks if not verdict.allowed]
    every, got = Counter(case.category for case, _ in attacks), Counter(case.category for case in caught)
    spoken, heard = Counter(case.language for case, _ in attacks), Counter(case.language for case in caught)
    harmless = Counter(case.language for case, _ in innocent)
    stopped_in = Counter(case.language for case, _ in wrongly)
    return Evaluation(
        table=table.name,
        way=way,
        total=EvaluationRow("all", len(attacks), len(caught), len(innocent), len(wrongly)),
        by_category=tuple(
            EvaluationRow(name, every[name], got[name], len(innocent), stopped_by[name])
            for name in sorted({*every, *stopped_by})
        ),
        by_language=tuple(
            EvaluationRow(name, spoken[name], heard[name], harmless[name], stopped_in[name])
            for name in sorted({*spoken, *harmless}, key=lambda name: (-spoken[name] - harmless[name], name))
        ),
        innocent_refused=sum(verdict.decision is Decision.REFUSE for _, verdict in wrongly),
        innocent_held=sum(verdict.decision is Decision.HOLD for _, verdict in wrongly),
        passed=tuple(case for case, verdict in attacks if verdict.allowed),
        wrongly=tuple(case for case, _ in wrongly),
    )


def _categories(verdict: Verdict) -> set[str]:
    return {finding.category for finding in verdict.findings if finding.decision in (Decision.HOLD, Decision.REFUSE)}
