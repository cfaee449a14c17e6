"""Hits that count: which matched terms of which rules apply, after excuses, neighbours, allow rules and exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from policy.prompts.matcher import Hit, Matcher, PhraseEntry
from policy.prompts.normalisation.leet import Position
from policy.prompts.quiet import Part, QuietTexts
from policy.rulebook.prompts import PromptField, PromptRule, Term
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.terms import MAX_WORDS
from policy.verdict import Decision

_Excuses = dict[int, int]  # first position of an excusing phrase -> last position of the longest that begins there


class Counting(NamedTuple):
    """A rule that applies to a variant: its hits that count, and the allow rules that silenced others of its hits."""

    rule: PromptRule
    hits: list[tuple[Hit, Term]]
    silenced_by: frozenset[str]


def counting(rules: Rules, positions: Sequence[Position], place: PromptField, context: Context) -> Iterator[Counting]:
    """Every rule, allow rules apart, that these positions meet, or would meet but for an allow rule."""
    compiled = _compile(rules)
    met = {
        rule.id: (rule, hits)
        for rule, hits in compiled.by_rule(compiled.matcher.hits(positions))
        if place in rule.fields and rule.scope.covers(context)
    }
    silences = _silences(rules, met.values(), context)
    for rule, hits in met.values():
        if rule.decision is Decision.ALLOW:
            continue
        speaking = _speaking(rules, rule, hits, context)
        silent_by = {
            id_: [hit for hit, _ in speaking if _within(hit, excuses)] for id_, excuses in silences.get(rule.id, ())
        }
        silenced = {hit for hits_ in silent_by.values() for hit in hits_}
        left = [(hit, term) for hit, term in speaking if hit not in silenced]
        if speaking:
            yield Counting(rule, left, frozenset(id_ for id_, quiet in silent_by.items() if quiet))


def nothing_met(rules: Rules, text: str) -> bool:
    """Whether no rule about terms meets any variant of the text. False says nothing."""
    return _compile(rules).quiet(text)


@dataclass(frozen=True, slots=True)
class _Role:
    """The meaning of a hit: a term of its rule, or (term None) a neighbour or an excuse."""

    rule: PromptRule
    kind: str
    term: Term | None = None
    phrase: str = ""


_Met = tuple[PromptRule, list[tuple[Hit, _Role]]]


@dataclass(frozen=True, slots=True)
class _Compiled:
    matcher: Matcher
    roles: tuple[_Role, ...]
    quiet: QuietTexts

    def by_rule(self, hits: Iterable[Hit]) -> Iterable[_Met]:
        """The hits of each rule with their meaning."""
        grouped: dict[str, _Met] = {}
        for hit in hits:
            role = self.roles[hit.tag]
            grouped.setdefault(role.rule.id, (role.rule, []))[1].append((hit, role))
        return grouped.values()


def _silences(rules: Rules, met: Iterable[_Met], context: Context) -> Mapping[str, list[tuple[str, _Excuses]]]:
    """Rule -> the allow rules that override it here, each with the stretches that it covers."""
    silences: dict[str, list[tuple[str, _Excuses]]] = {}
    for rule, hits in met:
        if rule.decision is Decision.ALLOW and (spans := [hit for hit, _ in _speaking(rules, rule, hits, context)]):
            for overridden in rule.overrides:
                silences.setdefault(overridden, []).append((rule.id, _excuses(spans)))
    return silences


def _speaking(
    rules: Rules, rule: PromptRule, hits: list[tuple[Hit, _Role]], context: Context
) -> list[tuple[Hit, Term]]:
    """The terms of the rule that count here. The time is in proportion to the hits, not to their square."""
    excuses = _excuses(hit for hit, role in hits if role.kind == "unless")
    unexcused = [(hit, role) for hit, role in hits if role.kind != "unless" and not _within(hit, excuses)]
    near = {spot for hit, role in unexcused if role.kind == "near" for spot in range(hit.first, hit.last + 1)}
    return [
        (hit, role.term)
        for hit, role in unexcused
        if role.term is not None
        and (not rule.near or not near.isdisjoint(_around(hit, rule.near_words)))
        and not rules.excepted(context, rule.id, role.term.text, role.phrase)
    ]


def _excuses(hits: Iterable[Hit]) -> _Excuses:
    excuses: _Excuses = {}
    for hit in hits:
        excuses[hit.first] = max(hit.last, excuses.get(hit.first, -1))
    return excuses


def _within(hit: Hit, excuses: _Excuses) -> bool:
    """Whether an excuse (first -> last word) covers the whole hit. No excuse is longer than MAX_WORDS."""
    return any(excuses.get(first, -1) >= hit.last for first in range(hit.first - MAX_WORDS + 1, hit.first + 1))


def _around(hit: Hit, near_words: int) -> Iterator[int]:
    """The positions before and after the hit, without those of the hit."""
    return chain(range(hit.first - near_words, hit.first), range(hit.last + 1, hit.last + near_words + 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """Rules compared by identity: their content, compared at each prompt, would cost more than a screening."""

    rules: tuple[PromptRule, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.rules is other.rules

    def __hash__(self) -> int:
        return id(self.rules)


@lru_cache(maxsize=8)
def _compile(rules: Rules) -> _Compiled:
    return _compile_rules(_Same(rules.prompt_rules))


@lru_cache(maxsize=8)
def _compile_rules(same: _Same) -> _Compiled:
    roles, entries = list[_Role](), list[PhraseEntry]()
    for rule in same.rules:
        for term in rule.terms:
            for phrase in term.phrases:
                entries.append(PhraseEntry(len(roles), phrase))
                roles.append(_Role(rule, "term", term, " ".join(phrase)))
        for kind, listed in (("near", rule.near), ("unless", rule.unless)):
            entries += [PhraseEntry(len(roles), phrase, excuses=kind == "unless") for phrase in listed]
            roles.append(_Role(rule, kind))
    matcher = Matcher(entries)
    number = {rule.id: place for place, rule in enumerate(same.rules)}
    parts = [_parts(role, number[role.rule.id]) for role in roles]
    return _Compiled(matcher, tuple(roles), QuietTexts(matcher, parts))


def _parts(role: _Role, number: int) -> tuple[Part, ...] | None:
    """Of a hit with this role: None where it may count alone. An excuse and an allow rule make nothing count."""
    if role.kind == "unless" or role.rule.decision is Decision.ALLOW:
        return ()
    if role.kind == "near":
        return (Part(number, is_term=False),)
    return (Part(number, is_term=True),) if role.rule.near else None
