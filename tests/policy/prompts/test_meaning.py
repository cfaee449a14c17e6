"""Meaning of prompts: nearness to examples, scorers that fail, names of scores, and that words stay the first line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policy.errors import PolicyUnavailable, RulesInvalid
from policy.prompts.meaning.embedding import Embedding
from policy.prompts.meaning.screen import UNAVAILABLE, MeaningScreen
from policy.prompts.meaning.thresholds import apply_rules, unscored
from policy.rulebook.scope import Context
from policy.rules import SCREENING, Rules
from policy.verdict import Decision
from tests.support.rule_files import DEFAULT_RULES, written

pytestmark = pytest.mark.slow

ACME = Context("acme")
ORDINARY = [
    f"a {colour} {thing}"
    for colour in ("red", "blue", "green", "white")
    for thing in ("mug", "car", "lamp", "hat", "shoe")
]
EXAMPLES = [
    "a man stabs a woman",
    "a soldier kills a prisoner",
    "a murdered man in his blood",
    "people shot in a street",
    "a violent murder",
]
RULE = {"id": "sexual/meaning", "hold": 0.6, "examples": EXAMPLES}


def _rules(tmp_path: Path, *rules: dict[str, Any], **parts: Any) -> Rules:
    return Rules.load(written(tmp_path, meaning={"ordinary": ORDINARY, "rules": list(rules or (RULE,)), **parts}))


class _Scorer:
    """Answers what a test tells it to."""

    name = "minilm"
    revision = "test"

    def __init__(self, rules: Rules, answer: Any) -> None:
        self.classes = tuple(name for rule in rules.meaning.rules for name in rule.scores)
        self._answer = answer
        self.asked: list[list[str]] = []

    def scores(self, texts: Sequence[str]) -> Any:
        self.asked.append(list(texts))
        return self._answer(len(texts)) if callable(self._answer) else self._answer


def _raise(_: int) -> Any:
    raise RuntimeError("secret prompt")


@pytest.fixture(scope="module")
def shipped() -> MeaningScreen:
    return MeaningScreen.load(Rules.load(DEFAULT_RULES))


def test_the_shipped_examples_find_what_no_word_says(shipped: MeaningScreen) -> None:
    shown = shipped.screen(
        [("a lifeless man on the pavement, stabbed by a robber", ACME), ("a teapot on a tray", ACME)]
    )
    assert [verdict.decision for verdict in shown] == [Decision.HOLD, Decision.ALLOW]
    assert "violence/meaning" in {finding.rule for finding in shown[0].findings}
    assert all(len(verdict.scores) == 7 for verdict in shown), "raw scores are kept, also of what passed"
    assert shipped.revisions["minilm"].startswith("sha256:53aa51172d14")


def test_the_prompts_of_the_demo_and_the_usual_fillers_are_not_near_to_anything(shipped: MeaningScreen) -> None:
    goods = ("backpack", "car", "hamburger", "t-shirt", "sneaker", "lamp", "chair", "mug", "cactus", "umbrella")
    styles = ("studio light", "3d render", "flat illustration", "catalogue photo, high quality", "on a mint background")
    prompts = [f"a {colour} {good}, {style}" for good in goods for style in styles for colour in ("red", "white")]
    held = [p for p, v in zip(prompts, shipped.screen([(p, ACME) for p in prompts]), strict=True) if not v.allowed]
    assert held == []


def test_a_disguise_does_not_lower_the_score(shipped: MeaningScreen) -> None:
    plain, disguised = "a naked woman on a bed", "a nаkеd wоmаn on a bed"  # noqa: RUF001
    (name,) = (name for name in shipped.scores(plain) if name.startswith("minilm/sexual-meaning@"))
    assert shipped.scores(disguised)[name] >= 0.9 * shipped.scores(plain)[name]


def test_equal_texts_are_judged_once_and_blank_ones_not_at_all(tmp_path: Path) -> None:
    rules = _rules(tmp_path)
    scorer = _Scorer(rules, lambda count: np.full((count, 1), 0.1))
    verdicts = MeaningScreen(rules, [scorer]).screen([("a mug", ACME), (" ", ACME), ("a mug", Context("globex"))])
    assert scorer.asked == [["a mug"]]
    assert [len(verdict.scores) for verdict in verdicts] == [1, 0, 1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_raise, "raised RuntimeError"),
        (lambda count: np.full((count, 1), np.nan), "cannot be read"),
        (lambda count: np.full((count, 1), 1.5), "cannot be read"),
        (lambda count: np.full((count, 1), -0.1), "cannot be read"),
        (lambda count: np.zeros((count, 2)), "instead of float [1, 1]"),
        (lambda count: np.zeros((count, 1), int), "instead of float [1, 1]"),
        (None, "instead of float [1, 1]"),
    ],
)
def test_a_scorer_that_gives_no_score_holds_the_prompt_and_tells_nothing_of_it(
    tmp_path: Path, answer: Any, said: str
) -> None:
    rules = _rules(tmp_path)
    (verdict,) = MeaningScreen(rules, [_Scorer(rules, answer)]).screen([("a mug", ACME)])
    (finding,) = verdict.findings
    assert (finding.decision, finding.category, finding.rule) == (Decision.HOLD, SCREENING, UNAVAILABLE)
    assert said in finding.detail
    assert "secret" not in finding.detail
    assert verdict.scores == {}


def test_a_scorer_that_hangs_holds_the_prompt_and_is_not_asked_again(tmp_path: Path) -> None:
    rules, back = _rules(tmp_path), threading.Event()
    scorer = _Scorer(rules, lambda count: back.wait() and np.zeros((count, 1)))
    screen = MeaningScreen(rules, [scorer], seconds=0.2)
    details = [screen.screen([("a mug", ACME)])[0].findings[0].detail for _ in range(2)]
    back.set()
    assert details == ["scorer minilm took longer than 0.2 s", "scorer minilm has not come back from an earlier call"]
    assert len(scorer.asked) == 1


def test_a_scorer_that_cannot_be_loaded_holds_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policy.prompts.meaning.embedding.PACKAGE", "no_such_package_anywhere")
    screen = MeaningScreen.load(_rules(tmp_path))
    (verdict,) = screen.screen([("a mug", ACME)])
    assert verdict.decision is Decision.HOLD
    assert "install presswork[worker]" in verdict.findings[0].detail
    assert list(screen.missing) == ["minilm"]


def test_other_weights_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(PolicyUnavailable, match="the weights have the digest"):
        Embedding(_rules(tmp_path).meaning, tmp_path)


def test_a_rule_set_without_meaning_asks_nobody(tmp_path: Path) -> None:
    screen = MeaningScreen.load(Rules.load(written(tmp_path)))
    assert screen.revisions == {}
    assert screen.screen([("anything at all", ACME)])[0].findings == ()


def test_a_rule_out_of_scope_neither_speaks_nor_holds_for_a_missing_scorer(tmp_path: Path) -> None:
    rules = _rules(tmp_path, {**RULE, "scope": {"tenants": ["globex"]}})
    certain = _Scorer(rules, lambda count: np.ones((count, 1)))
    for screen in (MeaningScreen(rules, [certain]), MeaningScreen(rules, [])):
        here, there = screen.screen([("x", ACME), ("x", Context("globex"))])
        assert (here.decision, there.decision) == (Decision.ALLOW, Decision.HOLD)


def test_kept_scores_are_judged_again_by_another_threshold_and_never_by_other_examples(tmp_path: Path) -> None:
    rules = _rules(tmp_path)
    (name,) = (f"minilm/{score}" for score in rules.meaning.rules[0].scores)
    kept = {name: 0.7}
    assert [finding.rule for finding in apply_rules(rules, kept, ACME)] == ["sexual/meaning"]
    stricter = _rules(tmp_path, {**RULE, "hold": 0.8})
    assert list(apply_rules(stricter, kept, ACME)) == []
    assert not unscored(stricter, kept)
    others = _rules(tmp_path, {**RULE, "examples": [*EXAMPLES, "one more"]})
    assert list(apply_rules(others, kept, ACME)) == []
    assert unscored(others, kept)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**RULE, "refuse": 0.9}, "never refuses; give hold only"),
        ({**RULE, "examples": EXAMPLES[:2]}, "2 examples say too little"),
        ({"id": "sexual/meaning", "hold": 0.5}, "give it one of the two"),
        ({**RULE, "guard": "g", "scores": ["s1"]}, "give it one of the two"),
        ({"id": "sexual/meaning", "hold": 0.5, "guard": "g"}, "guard and scores belong together"),
        ({"id": "sexual/meaning", "hold": 0.5, "guard": "g", "scores": ["s1"]}, "there is no guard 'g'"),
        ({**RULE, "id": "sexual/nudity"}, "'sexual/nudity' exists already"),
        ({**RULE, "id": "fun/meaning"}, "category 'fun' is not described"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tmp_path: Path, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesInvalid, match=said):
        _rules(tmp_path, rule)


def test_examples_need_something_to_be_told_apart_from(tmp_path: Path) -> None:
    with pytest.raises(RulesInvalid, match="told apart from ordinary; give at least 20"):
        _rules(tmp_path, ordinary=ORDINARY[:5])
