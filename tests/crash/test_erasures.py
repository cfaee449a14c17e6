"""Erasures under crashes: a real clerk killed at named points; the next one goes on, and nothing is said twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from tests.crash.sealing import seal_and_verify
from tests.crash.world import World
from tests.support.line import Line
from tests.support.privacy import SECRET, TENANT, Privacy

pytestmark = pytest.mark.crash
KEY_PLACE = f"quarantine/{TENANT}/"


@pytest.fixture
def privacy(line: Line, database: Any, settings_for: Callable[..., Any], s3: Any) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def clerk(world: World, **changes: Any) -> Any:
    return world.start("workers.__main__", "clerk", role="clerk", **changes)


def refused_by_a_person(privacy: Privacy) -> list[str]:
    """Items of one request; the second was held and is refused now, its picture lies in quarantine."""
    ids = privacy.settled()
    with privacy.line.owner.begin() as conn:
        conn.execute(text("update items set state = 'refused', verdict = '{}' where id = :id"), {"id": ids[1]})
        conn.execute(
            text("update holds set decided_at = now() - interval '1 day', release = false, carried_out_at = now()")
        )
    return ids


# point: (items blanked, events that erased text, events that gave a picture up, pictures) when the clerk died
TABLE = {
    "erasing": (0, 0, 1, 1),
    "given_up": (0, 0, 1, 1),
    "deleted": (None, None, 1, 0),  # the picture and the texts go side by side
    "erased": (4, 1, None, None),
}


@pytest.mark.parametrize("point", TABLE)
def test_a_clerk_killed_anywhere_in_an_order_loses_nothing_and_repeats_nothing(
    world: World, privacy: Privacy, point: str
) -> None:
    ids = refused_by_a_person(privacy)
    erasure_id = privacy.order("request", privacy.request_of(ids[0]))
    world.until_killed(clerk(world, crash_point=point))
    blanked = int(world.query("select count(*) as n from items where erased_at is not null")[0].n)
    kinds = Counter(event.kind for event in privacy.line.events())
    seen = (blanked, kinds["text.erased"], kinds["picture.erased"], len(privacy.s3.keys(KEY_PLACE)))
    assert [one for one, expected in zip(seen, TABLE[point], strict=True) if expected not in (None, one)] == [], seen
    clerk(world)
    world.until(lambda: _look_now(privacy) and privacy.status(erasure_id).state == "finished", "the order to be done")
    done = privacy.status(erasure_id)
    assert (done.left, done.erased["items"], done.erased["requests"]) == ({}, 4, 1)
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.s3.keys(KEY_PLACE) == []
    named = [id for event in privacy.line.events("text.erased") for id in event.event["event_ids"]]
    assert len(named) == len(set(named)), "no event is named twice"
    assert len(privacy.line.events("picture.erased")) == len(privacy.line.events("erasure.finished")) == 1
    seal_and_verify(world.database)


@pytest.mark.parametrize("point", ["erasing", "erased"])
def test_a_clerk_killed_in_a_sweep_goes_on_where_it_was(world: World, privacy: Privacy, point: str) -> None:
    for _ in range(3):
        privacy.refused(images=2)
    privacy.age(30, ledger=False)
    periods = {"retention_prompt_days": 29, "retention_template_days": 29, "retention_reply_days": 0}
    world.until_killed(clerk(world, crash_point=point, **periods))
    erased = len(privacy.line.events("text.erased"))
    assert erased == (0 if point == "erasing" else 1)
    clerk(world, **periods)
    open_ = "select 1 from items where erased_at is null union all select 1 from requests where erased_at is null"
    world.until(lambda: not world.query(open_), "everything over to be gone")
    assert privacy.holds_anywhere(SECRET) == []
    named = [id for event in privacy.line.events("text.erased") for id in event.event["event_ids"]]
    assert Counter(named).most_common(1)[0][1] == 1
    assert len(named) == 6 + 3, "six items, three requests"
    seal_and_verify(world.database)


def _look_now(privacy: Privacy) -> bool:
    privacy.wake()
    return True
