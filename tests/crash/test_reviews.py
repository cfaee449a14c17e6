"""Reviews under crashes: real clerks killed at named points, real pictures; everything decided is done once."""

from __future__ import annotations

import hashlib
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.sealing import seal_and_verify
from tests.crash.world import World
from tests.support.line import Line
from tests.support.reviews import Reviewing
from tests.support.worker import Works

pytestmark = pytest.mark.crash


@pytest.fixture
def people(line: Line) -> Reviewing:
    return Reviewing(line)


@pytest.fixture
def works(line: Line, settings_for: Callable[..., Any], s3: Any) -> Works:
    return Works(line, settings_for, s3)


def clerk(world: World, **changes: Any) -> Any:
    return world.start("workers.__main__", "clerk", role="clerk", **changes)


def decided(people: Reviewing, works: Works, images: int) -> tuple[list[str], list[str]]:
    """(released, refused) item ids: every third picture is refused."""
    ids = people.made_and_held(works, images)
    refused = ids[2::3]
    released = [item_id for item_id in ids if item_id not in refused]
    for item_id in ids:
        people.say("refuse" if item_id in refused else "release", item_id)
    return released, refused


def until_done(world: World) -> None:
    world.until(lambda: not world.query("select 1 from holds where carried_out_at is null"), "every review carried out")


def assert_sound(world: World, people: Reviewing, released: list[str], refused: list[str]) -> None:
    """Everything once, the reviewed bytes and no others, nothing left in quarantine, and a ledger that verifies."""
    assert world.states() == Counter(released=len(released), refused=len(refused))
    told = Counter(event.event["item_id"] for event in people.line.events("item.released"))
    assert told == Counter(released)
    assets = world.query("select item_id::text as id, state from assets")
    assert sorted((row.id, row.state) for row in assets) == sorted((item_id, "released") for item_id in released)
    client = world.s3.client()
    files = world.query("select key, sha256 from renditions")
    for file in files:
        stored = client.get_object(Bucket=world.s3.bucket, Key=file.key)["Body"].read()
        assert hashlib.sha256(stored).hexdigest() == file.sha256
    assert {file.sha256 for file in files} == {people.hold_of(item_id).sha256 for item_id in released}
    stored_keys = set(world.s3.keys("released/")) - {"released/.ready"}  # that one is the store's own
    assert stored_keys == {file.key for file in files}
    assert world.s3.keys("quarantine/") == []
    seal_and_verify(world.database)


# point: (states when the clerk died, objects under released/, objects in quarantine)
TABLE = {
    "copied": (Counter(held=2, refused=1), 1, 3),
    "reviewed": (Counter(held=1, released=1, refused=1), 1, 3),
}


@pytest.mark.parametrize("point", TABLE)
def test_a_clerk_killed_anywhere_releases_once_and_leaves_nothing(
    world: World, people: Reviewing, works: Works, point: str
) -> None:
    released, refused = decided(people, works, 3)
    world.until_killed(clerk(world, crash_point=point))
    states, out, waiting = TABLE[point]
    assert world.states() == states
    assert (len(world.s3.keys("released/")), len(world.s3.keys("quarantine/"))) == (out, waiting)
    clerk(world)
    until_done(world)
    assert_sound(world, people, released, refused)


def test_two_clerks_and_one_killed_in_the_middle_do_everything_once(
    world: World, people: Reviewing, works: Works
) -> None:
    released, refused = decided(people, works, 12)
    first = clerk(world)
    clerk(world)
    world.until(lambda: bool(world.query("select 1 from holds where carried_out_at is not null")), "the first review")
    first.send_signal(signal.SIGKILL)
    until_done(world)
    assert_sound(world, people, released, refused)


def test_a_store_that_is_away_delays_reviews_and_loses_none(
    world: World, people: Reviewing, works: Works, stack: Any
) -> None:
    released, refused = decided(people, works, 3)
    stack.kill("seaweed")
    clerk(world)
    time.sleep(1.5)  # a few turns fail meanwhile
    assert world.states() == Counter(held=len(released), refused=len(refused))
    stack.restart("seaweed")
    until_done(world)
    assert_sound(world, people, released, refused)
