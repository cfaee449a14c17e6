"""Second opinions: who is asked of which pictures, how two opinions combine, and what happens where one is silent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policy.errors import PolicyUnavailable, RulesInvalid
from policy.images.screen import UNAVAILABLE, ImageScreen
from policy.images.thresholds import apply_rule
from policy.rulebook.images import Combine, ImageRule, SecondOpinion
from policy.rules import Rules
from policy.simulate import simulate
from policy.verdict import Decision
from tests.policy.images.nsfw_reference.pictures import starter_tiles
from tests.policy.test_simulate import settled
from tests.support.rule_files import DEFAULT_RULES, written

pytestmark = pytest.mark.slow


class Scripted:
    """Gives the next pictures the next scores, whatever they show, and remembers how many it was asked about."""

    classes = ("bad",)
    revision = "1"

    def __init__(self, name: str, answer: Callable[[np.ndarray], object]) -> None:
        self.name = name
        self._answer = answer
        self.asked: list[int] = []

    def scores(self, images: np.ndarray) -> np.ndarray:
        self.asked.append(len(images))
        return self._answer(images)  # type: ignore[return-value]


def always(*scores: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.array([[score] for score in scores])


def by_brightness(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).mean(axis=1, keepdims=True) / 255


def greys(*levels: float) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), round(level * 255), np.uint8) for level in levels])


def file(tmp_path: Path, **second: Any) -> Path:
    rule = {"id": "sexual/picture", "classifier": "first", "scores": ["bad"], "hold": 0.5, "refuse": 0.95}
    asked = {"classifier": "other", "scores": ["bad"], "below": 0.8, "hold": 0.4, **second}
    return written(tmp_path, image={"rules": [{**rule, "second": asked}]})


def screen(tmp_path: Path, first: Callable, other: Callable, **second: Any) -> tuple[ImageScreen, Scripted, Scripted]:
    one, two = Scripted("first", first), Scripted("other", other)
    return ImageScreen(Rules.load(file(tmp_path, **second)), [one, two], seconds=5), one, two


def rule(combine: Combine) -> ImageRule:
    second = SecondOpinion("other", ("bad",), 0.3, 0.8, 0.4, 0.9, combine)
    return ImageRule("sexual/picture", "first", ("bad",), 0.5, 0.7, second)


@pytest.mark.parametrize(
    ("first", "other", "both", "either"),
    [
        (0.2, None, "allow", "allow"),  # not asked: no score is needed
        (0.29999, None, "allow", "allow"),
        (0.3, 0.1, "allow", "allow"),
        (0.3, 0.5, "allow", "hold"),
        (0.3, 0.9, "allow", "refuse"),
        (0.5, 0.1, "allow", "hold"),
        (0.5, 0.4, "hold", "hold"),
        (0.7, 0.1, "allow", "refuse"),
        (0.7, 0.5, "hold", "refuse"),
        (0.7, 0.95, "refuse", "refuse"),
        (0.79, 0.1, "allow", "refuse"),
        (0.8, None, "refuse", "refuse"),  # sure of itself: nobody else is asked
        (1.0, None, "refuse", "refuse"),
    ],
)
def test_two_opinions_combine_as_the_rule_says(first: float, other: float | None, both: str, either: str) -> None:
    scores = {"first": {"bad": first}} | ({} if other is None else {"other": {"bad": other}})
    for combine, expected in ((Combine.BOTH, both), (Combine.EITHER, either)):
        finding = apply_rule(rule(combine), scores)
        assert (finding.decision if finding else Decision.ALLOW) == expected


def test_only_pictures_in_doubt_go_to_the_second_and_both_raw_scores_are_kept(tmp_path: Path) -> None:
    stack, one, two = screen(tmp_path, by_brightness, always(0.1, 0.6))
    verdicts = stack.screen(greys(0.2, 0.6, 0.85, 0.7, 0.97))
    assert [verdict.decision for verdict in verdicts] == ["allow", "allow", "hold", "hold", "refuse"]
    assert (one.asked, two.asked) == ([5], [2])
    assert [sorted(verdict.scores) for verdict in verdicts] == [
        ["first/bad"],
        ["first/bad", "other/bad"],
        ["first/bad"],
        ["first/bad", "other/bad"],
        ["first/bad"],
    ]
    assert verdicts[3].findings[0].detail == "first says bad 0.698, other says bad 0.600"


def test_a_second_that_nobody_needs_is_not_run(tmp_path: Path) -> None:
    stack, _, two = screen(tmp_path, always(0.1, 0.1), always())
    assert all(verdict.allowed for verdict in stack.screen(greys(0, 0)))
    assert two.asked == []


def _raises(images: np.ndarray) -> np.ndarray:
    raise RuntimeError("no")


@pytest.mark.parametrize(
    "answer",
    [
        _raises,
        always(float("nan")),
        always(1.5),
        always(0.1, 0.1),
        lambda images: None,
        lambda images: np.zeros((1, 2)),
    ],
)
@pytest.mark.parametrize("combine", ["both", "either"])
def test_a_second_opinion_that_goes_wrong_holds(tmp_path: Path, answer: Callable, combine: str) -> None:
    stack, _, _ = screen(tmp_path, always(0.6), answer, combine=combine)
    (verdict,) = stack.screen(greys(0))
    assert verdict.decision is Decision.HOLD
    assert UNAVAILABLE in [finding.rule for finding in verdict.findings]
    assert verdict.scores == {"first/bad": 0.6}


def test_where_either_counts_a_silent_second_does_not_soften_the_first(tmp_path: Path) -> None:
    stack, _, _ = screen(tmp_path, always(0.96), _raises, combine="either", below=1.0)
    (verdict,) = stack.screen(greys(0))
    assert verdict.decision is Decision.REFUSE


def test_a_first_opinion_that_goes_wrong_holds_and_asks_nobody(tmp_path: Path) -> None:
    stack, _, two = screen(tmp_path, _raises, always(0.0))
    (verdict,) = stack.screen(greys(0))
    assert [finding.rule for finding in verdict.findings] == [UNAVAILABLE]
    assert two.asked == []


def test_a_second_that_is_also_a_first_is_asked_of_every_picture_once(tmp_path: Path) -> None:
    path = file(tmp_path)
    rules = [
        *[{"id": "sexual/other", "classifier": "other", "scores": ["bad"], "hold": 0.9}],
        {
            **{"id": "sexual/picture", "classifier": "first", "scores": ["bad"], "hold": 0.5},
            "second": {"classifier": "other", "scores": ["bad"], "below": 0.8, "hold": 0.4},
        },
    ]
    path = written(tmp_path, image={"rules": rules})
    two = Scripted("other", always(0.1, 0.95))
    verdicts = ImageScreen(Rules.load(path), [Scripted("first", always(0.6, 0.1)), two]).screen(greys(0, 0))
    assert [verdict.decision for verdict in verdicts] == ["allow", "hold"]
    assert two.asked == [2]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"below": 0.5}, "never asked"),
        ({"from": 0.9}, "never asked"),
        ({"classifier": "first"}, "name another classifier"),
        ({"hold": None}, "can never speak"),
        ({"hold": 0.9, "refuse": 0.8}, "above refuse"),
        ({"combine": "mostly"}, "'both' or 'either'"),
        ({"until": 0.9}, "no such key"),
    ],
)
def test_a_second_opinion_that_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, second: dict[str, Any], said: str
) -> None:
    with pytest.raises(RulesInvalid, match=r"line \d+.*" + said):
        Rules.load(file(tmp_path, **second))


def test_a_second_opinion_of_a_classifier_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PolicyUnavailable, match="asks classifier 'other'; loaded are first"):
        ImageScreen(Rules.load(file(tmp_path)), [Scripted("first", always(0))])
    with pytest.raises(PolicyUnavailable, match="asks for worse; classifier 'other' scores bad"):
        ImageScreen(
            Rules.load(file(tmp_path, scores=["worse"])), [Scripted("first", always(0)), Scripted("other", always(0))]
        )


def test_the_shipped_rules_ask_the_second_network_about_what_the_first_holds() -> None:
    rules = Rules.load(DEFAULT_RULES)
    stack = ImageScreen.load(rules)
    assert set(stack.revisions) == {"blank", "nsfw", "nsfw-mid"}
    assert all("nsfw-mid/porn" not in verdict.scores for verdict in stack.screen(starter_tiles()))
    explicit = next(rule for rule in rules.image_rules if rule.id == "sexual/explicit-picture")
    toy = {"nsfw": {"porn": 0.62, "hentai": 0.0}, "nsfw-mid": {"porn": 0.05, "hentai": 0.03}}  # a sneaker on mint
    assert apply_rule(explicit, toy) is None
    sure = {"nsfw": {"porn": 0.9, "hentai": 0.0}}
    assert apply_rule(explicit, sure) is not None


@pytest.mark.parametrize(
    ("scores", "judged", "decision"),
    [
        ({"first/bad": 0.2}, 1, "allow"),  # nobody else would have been asked
        ({"first/bad": 0.6, "other/bad": 0.1}, 1, "allow"),
        ({"first/bad": 0.6, "other/bad": 0.7}, 1, "hold"),
        ({"first/bad": 0.6}, 0, None),  # settled before there was a second: nobody knows what it would have said
    ],
)
def test_history_is_judged_again_by_both_scores(
    tmp_path: Path, scores: dict[str, float], judged: int, decision: str | None
) -> None:
    report = simulate(Rules.load(file(tmp_path)), [settled(scores=scores.items())])
    assert report.judged == judged
    assert decision is None or report.table["allow"][decision] == 1
    assert report.not_judged["score_not_recorded"] == 1 - judged
