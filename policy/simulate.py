"""Policy simulation: what a candidate rule set would have decided about settled items. Needs no GPU and no pictures.

Prompts are judged again from their text, pictures from the raw scores that were recorded. What no rule decides stays as
it was: a mark that failed, a classifier that did not answer. Pure: it reads and writes nothing, and keeps counts and a
few examples, however long the history.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from policy.events import ItemHeld, ItemRefused, ItemReleased
from policy.images.thresholds import apply_rule
from policy.ledger.reading.events import Recorded
from policy.prompts.meaning.thresholds import apply_rules, unscored
from policy.prompts.screen import screen_prompt
from policy.prompts.weights import WeightsInvalid, plain_text
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import Context
from policy.rules import SCREENING, Rules
from policy.verdict import VERDICTS, Decision, Finding, Stage, Verdict, merge

DECIDED = {ItemReleased.kind: Decision.ALLOW, ItemHeld.kind: Decision.HOLD, ItemRefused.kind: Decision.REFUSE}
"""The kinds of events that settle an item by policy, and what was decided."""

PEOPLE = {ItemReleased.kind: "release", ItemRefused.kind: "refuse"}
"""What a person decided, by the kind of event that a final review ends in."""

REQUESTS = 1_000  # told apart in each kind of change; further ones are counted together

Meaning = Callable[[str], Mapping[str, float]]
"""Scores of a prompt's meaning under the candidate, by the names that verdicts keep: `MeaningScreen.scores`."""

_screened = lru_cache(maxsize=4096)(screen_prompt)  # variants and rows of a campaign repeat their texts


class Change(StrEnum):
    """How the candidate's decision differs from the recorded one."""

    REFUSED = "newly_refused"
    HELD = "newly_held"
    ALLOWED = "newly_allowed"


class NotEvaluated(StrEnum):
    """Why an item cannot be judged again."""

    ERASED = "prompt_erased"
    UNSCORED = "score_not_recorded"
    UNREADABLE = "verdict_unreadable"
    UNNAMED = "campaign_name_erased"


@dataclass(frozen=True, slots=True)
class Example:
    """An item that the candidate would have decided differently, and the rules that decide so, or no longer do."""

    item_id: str
    request_id: str
    tenant: str
    at: str
    before: Decision
    after: Decision
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """All changes of one kind."""

    items: int
    by_category: Mapping[str, int]
    by_request: Mapping[str, int]
    other_requests: int  # items of requests beyond the first REQUESTS
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """The result of a simulation. `table` is {before: {after: items}}."""

    policy_version: str
    judged: int
    unchanged: int
    not_judged: Mapping[str, int]
    table: Mapping[str, Mapping[str, int]]
    unpictured: int  # newly held or allowed by their prompts, but never made: their pictures might have spoken
    changes: Mapping[str, Changed]
    reviews: Mapping[str, Mapping[str, int]]  # {what a person decided of a held item: {what the rules say: items}}
    request_names: Mapping[str, str]  # of the requests that are told apart, where they were not erased

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Simulation:
    """Takes settled items one by one. `report` returns what changed so far."""

    def __init__(self, rules: Rules, *, examples: int = 5, meaning: Meaning | None = None) -> None:
        self._rules, self._meaning = rules, meaning
        self._most = examples
        self._pairs: Counter[tuple[Decision, Decision]] = Counter()
        self._not_judged: Counter[NotEvaluated] = Counter()
        self._people: Counter[tuple[str, Decision]] = Counter()
        self._unpictured = 0
        self._categories: defaultdict[Change, Counter[str]] = defaultdict(Counter)
        self._requests: defaultdict[Change, Counter[str]] = defaultdict(Counter)
        self._other_requests: Counter[Change] = Counter()
        self._examples: defaultdict[Change, list[Example]] = defaultdict(list)
        self._names: dict[str, str] = {}

    def take(self, recorded: Recorded) -> None:
        """One event of a kind in DECIDED."""
        before = DECIDED[recorded.kind]
        try:
            was = Verdict.from_json(recorded.event["verdict"])
            request_id, item_id = recorded.event["request_id"], recorded.event["item_id"]
        except (AttributeError, KeyError, TypeError, ValueError):
            self._not_judged[NotEvaluated.UNREADABLE] += 1
            return
        now = reevaluate(self._rules, recorded, was, self._meaning)
        if isinstance(now, NotEvaluated):
            self._not_judged[now] += 1
            return
        if recorded.event.get("review") is not None:  # the item itself was judged when it was held
            self._people[PEOPLE[recorded.kind], now.decision] += 1
            return
        self._pairs[before, now.decision] += 1
        if before is now.decision:
            return
        change = _CHANGES[now.decision]
        reasons = _reasons(was if change is Change.ALLOWED else now)
        self._unpictured += change is not Change.REFUSED and not _pictured(recorded)
        self._categories[change].update(dict.fromkeys((finding.category for finding in reasons), 1))
        self._count_request(change, request_id, recorded.request_name)
        if len(self._examples[change]) < self._most:
            rules = tuple(dict.fromkeys(finding.rule for finding in reasons))
            found = Example(item_id, request_id, recorded.tenant, recorded.at, before, now.decision, rules)
            self._examples[change].append(found)

    def report(self) -> SimulationReport:
        return SimulationReport(
            policy_version=self._rules.version,
            judged=self._pairs.total(),
            unchanged=sum(self._pairs[decision, decision] for decision in VERDICTS),
            not_judged={str(reason): self._not_judged[reason] for reason in NotEvaluated},
            table={str(old): {str(new): self._pairs[old, new] for new in VERDICTS} for old in VERDICTS},
            unpictured=self._unpictured,
            changes={
                str(change): Changed(
                    items=self._requests[change].total() + self._other_requests[change],
                    by_category=dict(self._categories[change].most_common()),
                    by_request=dict(self._requests[change].most_common()),
                    other_requests=self._other_requests[change],
                    examples=tuple(self._examples[change]),
                )
                for change in Change
            },
            request_names=dict(self._names),
            reviews={said: {str(new): self._people[said, new] for new in VERDICTS} for said in PEOPLE.values()},
        )

    def _count_request(self, change: Change, request_id: str, name: str | None) -> None:
        known = self._requests[change]
        if request_id in known or len(known) < REQUESTS:
            known[request_id] += 1
            if name:
                self._names[request_id] = name
        else:
            self._other_requests[change] += 1


_CHANGES = {Decision.REFUSE: Change.REFUSED, Decision.HOLD: Change.HELD, Decision.ALLOW: Change.ALLOWED}


def simulate(
    rules: Rules, history: Iterable[Recorded], *, examples: int = 5, meaning: Meaning | None = None
) -> SimulationReport:
    """The report on a whole history, with the first examples of each change.

    `meaning` scores a prompt by the candidate's own examples where history has only the scores of others.
    """
    simulation = Simulation(rules, examples=examples, meaning=meaning)
    for recorded in history:
        simulation.take(recorded)
    return simulation.report()


def reevaluate(
    rules: Rules, recorded: Recorded, was: Verdict, meaning: Meaning | None = None
) -> Verdict | NotEvaluated:
    """The candidate's verdict on a settled item, or why there is none.

    Recorded scores have six decimals, so a picture within a millionth of a threshold may fall on its other side. A
    score that was never recorded could only make a verdict stricter: a verdict of hold or refuse without it stands.
    """
    texts = [recorded.private.get(field) for field in PromptField]
    if None in texts:
        return NotEvaluated.ERASED
    if recorded.request_name is None and rules.name_campaigns:
        return NotEvaluated.UNNAMED
    model = str(recorded.event.get("recipe", {}).get("model", ""))
    context = Context(recorded.tenant, campaign=recorded.request_name or "", model=model)
    syntax = str(recorded.event.get("recipe", {}).get("prompt_syntax", ""))
    prompts = [
        _screened(rules, each, tenant=context.tenant, field=field, campaign=context.campaign, model=context.model)
        for field, text in zip(PromptField, texts, strict=True)
        for each in _readings(text or "", syntax)
    ]
    kept = tuple(f for f in was.findings if f.stage is Stage.MARK or f.category == SCREENING)
    pictures: tuple[Finding, ...] = ()
    scores, complete = was.scores, True
    if _pictured(recorded):
        try:
            pictures = tuple(_picture_findings(rules, was, kept))
            scores = _meant(rules, _readings(texts[0] or "", syntax)[-1], was, kept, meaning)
        except KeyError:
            complete = False
    meant = apply_rules(rules, scores, context)
    now = merge([*prompts, Verdict(rules.version, (*pictures, *meant, *_written(rules, was), *kept), scores)])
    return now if complete or now.decision is not Decision.ALLOW else NotEvaluated.UNSCORED


def _readings(text: str, syntax: str) -> tuple[str, ...]:
    """The text as it was sent, and the words that the model reads of it where those are others."""
    try:
        words = plain_text(text, syntax)
    except WeightsInvalid:  # it was refused at submit under the bounds of then
        return (text,)
    return (text,) if words == text else (text, words)


def _meant(
    rules: Rules, prompt: str, was: Verdict, kept: tuple[Finding, ...], meaning: Meaning | None
) -> Mapping[str, float]:
    """Scores of the prompt's meaning: the recorded ones, else new ones. Raises KeyError where there are none."""
    if not unscored(rules, was.scores) or not prompt.strip() or any(f.category == SCREENING for f in kept):
        return was.scores
    scores = {**was.scores, **meaning(prompt)} if meaning else was.scores
    if unscored(rules, scores):
        raise KeyError("meaning")
    return scores


def _written(rules: Rules, was: Verdict) -> Iterable[Finding]:
    """Findings from the writing on the picture, where the candidate has the same rule and reads that category.

    The writing itself was not kept, so what only the candidate would find in it is not found here.
    """
    read = {rule.id: rule for rule in rules.prompt_rules if rule.category in rules.bundled.text_categories}
    for finding in was.findings:
        if finding.stage is Stage.IMAGE and finding.rule in read:
            decision = read[finding.rule].decision
            yield replace(finding, decision=Decision.HOLD if decision is Decision.REWRITE else decision)


def _picture_findings(rules: Rules, was: Verdict, kept: tuple[Finding, ...]) -> Iterable[Finding]:
    """Findings of the image rules over the recorded scores. Raises KeyError where a rule asks for a missing score.

    A classifier that did not answer left no scores but a finding that holds the picture. That finding stays.
    """
    scores: dict[str, dict[str, float]] = {}
    for name, score in was.scores.items():
        classifier, _, of = name.partition("/")
        scores.setdefault(classifier, {})[of] = score
    silent = any(finding.category == SCREENING for finding in kept)
    for rule in rules.image_rules:
        try:
            finding = apply_rule(rule, scores)
        except KeyError:
            if not silent:
                raise
        else:
            yield from (finding,) if finding is not None else ()


def _pictured(recorded: Recorded) -> bool:
    """Whether a picture was made: an item refused at submission was in no batch."""
    return recorded.event.get("batch_id") is not None


def _reasons(verdict: Verdict) -> list[Finding]:
    """The findings that decided."""
    return [finding for finding in verdict.findings if finding.decision is verdict.decision]
