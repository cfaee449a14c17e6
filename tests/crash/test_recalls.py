"""Recalls under crashes: real clerks killed at named points; nothing lost, nothing reachable, everything told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.crash.sealing import seal_and_verify
from tests.crash.world import World
from tests.support.line import Line
from tests.support.recalls import Recalling, files_of, keys_of, picture
from tests.support.receiver import receiving
from workers.clerk.recalls import recalled_key
from workers.jobs.recall.criteria import Criteria
from workers.jobs.webhooks import endpoints
from workers.store import ObjectStore

pytestmark = pytest.mark.crash


@pytest.fixture
def recalling(line: Line, settings_for: Callable[..., Any], s3: Any) -> Recalling:
    return Recalling(line, settings_for, s3)


def clerk(world: World, **changes: Any) -> Any:
    return world.start("workers.__main__", "clerk", role="clerk", **changes)


def finished(world: World) -> bool:
    return bool(world.query("select 1 from recalls")) and not world.query(
        "select 1 from recalls where finished_at is null"
    )


@pytest.mark.parametrize("point", ["withdrawn", "removing", "moved"])
def test_a_clerk_killed_anywhere_recalls_everything_once(world: World, recalling: Recalling, point: str) -> None:
    made = recalling.release(12, names=("original", "web"))
    store = ObjectStore(recalling.settings_for("api"))
    links = [store.presign(file.key, 900) for file in files_of(made)]
    with receiving() as receiver:
        with recalling.line.as_tenant("acme") as conn:
            endpoints.create_webhook(conn, "acme", receiver.url, ("asset.recalled",), actor="test")
        recalling.order(Criteria(model="studio"))
        world.until_killed(clerk(world, crash_point=point, webhook_loopback=True))
        # Whatever it had done: the record is ahead of the store, and every object lies somewhere.
        assert set(recalling.states().values()) == {"recalled"}
        here, there = recalling.objects("released"), recalling.objects("recalled")
        assert [k for k in keys_of(made) if k not in here and recalled_key(k) not in there] == []
        clerk(world, webhook_loopback=True)
        clerk(world, webhook_loopback=True)  # any number may run
        world.until(lambda: finished(world), "the recall to finish")
        world.until(lambda: len({got.headers["webhook-id"] for got in receiver.got}) == 12, "everybody to be told")
    assert recalling.objects("released") == set()
    assert {httpx.get(link).status_code for link in links} == {404}
    client = world.s3.client("clerk")
    for file in files_of(made):
        kept = client.get_object(Bucket=world.s3.bucket, Key=recalled_key(file.key))["Body"].read()
        assert kept == picture(file.key)
    told = Counter(event.event["asset_id"] for event in recalling.line.events("asset.recalled"))
    assert told == Counter(outcome.asset_id for outcome in made)
    assert len(recalling.line.events("recall.finished")) == 1
    assert world.query("select count(*) as n from webhook_deliveries")[0].n == 12
    seal_and_verify(world.database)


def test_with_the_object_store_away_the_record_is_ahead_and_the_objects_follow(
    world: World, recalling: Recalling, stack: Any
) -> None:
    recalling.release(3)
    clerk(world)
    stack.kill("seaweed")
    try:
        recalling.order(Criteria(model="studio"))
        world.until(lambda: set(recalling.states().values()) == {"recalled"}, "the record to say so")
        assert not finished(world)
    finally:
        stack.restart("seaweed")
    world.until(lambda: finished(world), "the objects to follow")
    assert recalling.objects("released") == set()
