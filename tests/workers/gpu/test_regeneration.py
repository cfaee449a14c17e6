"""Regeneration: what the rules name and nothing else, a few times at most, each discarded drawing on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from policy.errors import RulesInvalid
from policy.rulebook.regeneration import Regeneration
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.fakes import FakeSampler
from tests.support.line import RECIPE, Line, new_item
from tests.support.rule_files import DEFAULT_RULES, written
from tests.support.worker import Works
from workers.gpu.regeneration import next_seed
from workers.jobs.cancel import cancel_item
from workers.sampling.types import BLACK, NOT_FINITE, OUT_OF_MEMORY, Sampled
from workers.states import ItemState

GREY = np.full((RECIPE.height, RECIPE.width, 3), 120, np.uint8)  # one colour: held as broken/blank


@dataclass(slots=True)
class Wrong(FakeSampler):
    """Draws one colour, or a fault, for some seeds."""

    blank: set[int] = field(default_factory=set)
    broken: dict[int, str] = field(default_factory=dict)  # seed -> fault
    seeds: list[list[int]] = field(default_factory=list)  # of each claim that was sampled

    def sample(self, held: Any, watch: Any) -> Sampled:
        drawn = FakeSampler.sample(self, held, watch)
        self.seeds.append([item.seed for item in held.items])
        faults = dict(drawn.faults)
        for n, item in enumerate(held.items):
            if item.seed in self.blank:
                drawn.images[n] = GREY
            if item.seed in self.broken:
                drawn.images[n] = 0
                faults[item.id] = self.broken[item.seed]
        return Sampled(drawn.images, faults, drawn.positions, 0.0)


@pytest.fixture
def works(line: Line, settings_for: Callable, s3: Any) -> Works:
    return Works(line, settings_for, s3)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped rules, and blank pictures and faults are drawn again twice. One file: its screens are loaded once."""
    content = yaml.safe_load(DEFAULT_RULES.read_text())
    content["image"]["redraw"] = {"times": 2, "rules": ["broken/blank"], "faults": True}
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return path


def drawn(works: Works, count: int = 3) -> tuple[str, list[str], list[int]]:
    """A batch, its items and their seeds."""
    ids = works.line.submit("acme", count)
    return works.line.dispatch(ids), ids, [works.line.item(id_).seed for id_ in ids]


def test_a_picture_that_came_out_wrong_is_drawn_again_and_both_seeds_are_on_record(works: Works, rules: Path) -> None:
    batch_id, ids, seeds = drawn(works)
    sampler = Wrong(blank={seeds[1]})
    works.executor(sampler, policy_rules=rules).run(batch_id)
    second = next_seed(seeds[1])
    assert sampler.seeds == [seeds, [second]]  # its neighbours are left alone
    assert works.line.states() == {ItemState.RELEASED: 3}
    (discarded,) = works.line.events("picture.discarded")
    said = discarded.event
    assert (said["item_id"], said["seed"], said["drawing"], said["fault"]) == (ids[1], str(seeds[1]), 1, None)
    assert said["verdict"]["decision"] == "hold"
    assert [finding["rule"] for finding in said["verdict"]["findings"]] == ["broken/blank"]
    assert said["verdict"]["scores"]["blank/blank"] == 1
    released = {event.event["item_id"]: event.event for event in works.line.events("item.released")}
    assert [released[id_]["seed"] for id_ in ids] == [str(seeds[0]), str(second), str(seeds[2])]
    assert (released[ids[1]]["batch_size"], released[ids[1]]["batch_position"]) == (1, 0)
    assert [works.line.item(id_).seed for id_ in ids] == [seeds[0], second, seeds[2]]


def test_drawing_again_ends_and_the_last_picture_is_held(works: Works, rules: Path) -> None:
    batch_id, ids, (seed,) = drawn(works, 1)
    chain = [seed, next_seed(seed), next_seed(next_seed(seed))]
    sampler = Wrong(blank={*chain, next_seed(chain[-1])})
    works.executor(sampler, policy_rules=rules).run(batch_id)
    assert sampler.seeds == [[one] for one in chain]
    assert [e.event["seed"] for e in works.line.events("picture.discarded")] == [str(one) for one in chain[:2]]
    assert works.line.events("item.held")[0].event["seed"] == str(chain[2])
    assert works.line.item(ids[0]).seed == chain[2]


def test_nothing_is_drawn_again_unless_the_rules_say_so(works: Works) -> None:
    batch_id, _, seeds = drawn(works, 2)
    sampler = Wrong(blank={seeds[0]})
    works.executor(sampler).run(batch_id)
    assert sampler.seeds == [seeds]
    assert works.line.states() == {ItemState.HELD: 1, ItemState.RELEASED: 1}
    assert works.line.events("picture.discarded") == []


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (NOT_FINITE, ItemState.RELEASED),
        (BLACK, ItemState.RELEASED),
        (OUT_OF_MEMORY, ItemState.PLANNED),  # it would not fit the next time either: another worker may have more
    ],
)
def test_a_drawing_that_failed_is_drawn_again(works: Works, rules: Path, fault: str, state: str) -> None:
    batch_id, _, (seed,) = drawn(works, 1)
    works.executor(Wrong(broken={seed: fault}), policy_rules=rules).run(batch_id)
    assert works.line.states() == {state: 1}
    discarded = [(e.event["fault"], e.event["verdict"]) for e in works.line.events("picture.discarded")]
    assert discarded == ([(fault, None)] if state == ItemState.RELEASED else [])


def test_a_drawing_that_failed_stays_failed_unless_the_rules_say_so(works: Works) -> None:
    batch_id, _, (seed,) = drawn(works, 1)
    sampler = Wrong(broken={seed: BLACK})
    works.executor(sampler).run(batch_id)
    assert works.line.states() == {ItemState.FAILED: 1}
    assert sampler.seeds == [[seed]]


def test_a_prompt_that_is_held_is_not_drawn_again(works: Works, rules: Path) -> None:
    ids = works.line.submit("acme", 1, new_items=[new_item(1, prompt="a nude statue")])
    seed = works.line.item(ids[0]).seed
    sampler = Wrong(blank={seed})
    works.executor(sampler, policy_rules=rules).run(works.line.dispatch(ids))
    assert sampler.seeds == [[seed]]


def test_what_is_cancelled_meanwhile_is_not_drawn_again(works: Works, rules: Path) -> None:
    batch_id, ids, seeds = drawn(works, 2)

    def between(held: Any, watch: Any, step: int) -> None:
        if held.items[0].seed not in seeds and step == 0:
            with works.line.as_tenant("acme") as conn:
                assert cancel_item(conn, "acme", ids[1], "test")

    sampler = Wrong(blank=set(seeds), between=between)
    works.executor(sampler, policy_rules=rules).run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 1, ItemState.CANCELLED: 1}
    assert {event.event["item_id"] for event in works.line.events("picture.discarded")} == {ids[0]}


def test_the_device_is_held_while_drawing_again_and_not_while_screening(works: Works, rules: Path) -> None:
    batch_id, _, seeds = drawn(works, 1)
    locked: list[bool] = []
    sampler = Wrong(blank=set(seeds), between=lambda *_: locked.append(executor.gpu.locked()))
    executor = works.executor(sampler, policy_rules=rules, probe=lambda point, _: locked.append(point == "finishing"))
    screen = executor.finisher.screen.screen
    between_screens: list[bool] = []

    class Watching:
        def screen(self, *pictures: Any) -> list[Verdict]:
            between_screens.append(executor.gpu.locked())
            return screen(*pictures)

    object.__setattr__(executor.finisher, "screen", Watching())
    executor.run(batch_id)
    assert between_screens == [False, False]
    assert locked.count(True) >= 4  # two looks at the lease in each of two drawings
    assert works.line.states() == {ItemState.RELEASED: 1}


class Killed(BaseException):
    """As good as SIGKILL inside one process: nothing of ours catches it."""


def test_another_attempt_comes_to_the_same_seeds_and_nothing_is_told_twice(works: Works, rules: Path) -> None:
    batch_id, _, (seed,) = drawn(works, 1)

    def dies(point: str, _: Any) -> None:
        if point == "finished":
            raise Killed

    first, second = Wrong(blank={seed}), Wrong(blank={seed})
    with pytest.raises(Killed):
        works.executor(first, policy_rules=rules, probe=dies).run(batch_id)
    assert works.line.events("picture.discarded") == []
    works.line.lease_runs_out(batch_id)
    assert works.look() == [batch_id]
    works.executor(second, policy_rules=rules, worker="worker-2").run(batch_id)
    assert first.seeds == second.seeds == [[seed], [next_seed(seed)]]
    assert works.line.states() == {ItemState.RELEASED: 1}
    assert [event.event["attempt"] for event in works.line.events("picture.discarded")] == [2]


def finding(rule: str, decision: Decision = Decision.HOLD, stage: Stage = Stage.IMAGE) -> Finding:
    return Finding(decision, stage, rule.partition("/")[0], rule)


@pytest.mark.parametrize(
    ("findings", "wanted"),
    [
        ([], False),
        ([finding("broken/blank")], True),
        ([finding("broken/blank", Decision.REFUSE)], True),
        ([finding("sexual/picture")], False),
        ([finding("broken/blank"), finding("sexual/picture")], False),
        ([finding("broken/blank"), finding("sexual/nudity", stage=Stage.PROMPT)], False),
        ([finding("broken/blank"), finding("people/softer", Decision.REWRITE, Stage.PROMPT)], True),
        ([finding("broken/blank", stage=Stage.PROMPT)], False),
        ([finding("classifier_unavailable")], False),
        ([finding("broken/blank", Decision.ALLOW)], False),
    ],
)
def test_a_picture_is_drawn_again_only_where_that_could_help(findings: list[Finding], wanted: bool) -> None:
    assert Regeneration(2, frozenset({"broken/blank"})).wants(Verdict("v", tuple(findings))) is wanted


def test_seeds_follow_from_seeds_and_fit_the_column() -> None:
    chain = [7]
    for _ in range(100):
        chain.append(next_seed(chain[-1]))
    assert len(set(chain)) == 101
    assert all(0 <= seed < 2**32 for seed in chain)
    assert next_seed(7) == chain[1]


@pytest.mark.parametrize(
    ("redraw", "said"),
    [
        ({"times": 0, "rules": ["sexual/picture"]}, "greater than or equal to 1"),
        ({"times": 4, "rules": ["sexual/picture"]}, "less than or equal to 3"),
        ({"times": 1, "rules": ["sexual/other"]}, "no image rule is called that"),
        ({"times": 1}, "not what for"),
        ({"rules": ["sexual/picture"]}, "this key is needed"),
    ],
)
def test_a_redraw_that_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, redraw: dict[str, Any], said: str
) -> None:
    rule = {"id": "sexual/picture", "classifier": "test", "scores": ["bad"], "hold": 0.5}
    with pytest.raises(RulesInvalid, match=r"line \d+.*" + said):
        Rules.load(written(tmp_path, image={"rules": [rule], "redraw": redraw}))
