"""Turns, what is sampled next: `plan` in tables of cases, and its promises under hypothesis."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.planning.turns import TURNS_PER_PRIORITY, Pending, Plan, plan
from workers.states import Priority

_numbers = count(1)
PLENTY = 1000


def waiting(
    images: int, *, tenant: str = "acme", priority: str = Priority.BULK, recipe: str = "r", pixels: int = 1, **more: Any
) -> list[Pending]:
    return [Pending(f"{next(_numbers):06}", tenant, priority, recipe, pixels, **more) for _ in range(images)]


def planned(
    pending: list[Pending], *, room: int = PLENTY, max_batch: int = 4, max_batch_pixels: int = PLENTY, **rest: dict
) -> Plan:
    return plan(
        pending,
        rest.get("weights", {}),
        rest.get("virtual_times", {}),
        room=room,
        max_batch=max_batch,
        max_batch_pixels=max_batch_pixels,
    )


def turns(pending: list[Pending], by: str, **options) -> list[str]:
    """Whose turn each batch was, by the tenant or the priority of its first item."""
    of = {item.id: getattr(item, by) for item in pending}
    return [of[batch.item_ids[0]] for batch in planned(pending, **options).batches]


def test_nothing_waits_and_nothing_is_planned():
    assert planned([]) == Plan((), {})


def test_no_room_means_no_batch_however_much_waits():
    assert planned(waiting(9), room=0).batches == ()


def test_room_bounds_the_batches_and_the_rest_stays():
    assert [len(batch.item_ids) for batch in planned(waiting(9), room=2).batches] == [4, 4]


def test_items_of_a_lane_go_in_the_order_they_came():
    items = waiting(6)
    assert [id for batch in planned(items).batches for id in batch.item_ids] == [item.id for item in items]


def test_a_batch_holds_one_recipe_taken_from_anywhere_in_the_lane():
    items = waiting(2, recipe="small") + waiting(1, recipe="large") + waiting(2, recipe="small")
    assert [(batch.recipe_id, len(batch.item_ids)) for batch in planned(items).batches] == [("small", 4), ("large", 1)]


@pytest.mark.parametrize(
    ("pixels", "sizes"), [(100, [4, 4]), (250, [4, 4]), (300, [3, 3, 2]), (600, [1] * 8), (5000, [1] * 8)]
)
def test_large_images_make_small_batches_and_one_that_is_too_large_goes_alone(pixels, sizes):
    batches = planned(waiting(8, pixels=pixels), max_batch_pixels=1000).batches
    assert [len(batch.item_ids) for batch in batches] == sizes


def test_a_batch_is_filled_from_whoever_waits_for_the_same_recipe():
    items = waiting(1, priority=Priority.INTERACTIVE) + waiting(2, tenant="b") + waiting(1, tenant="c", recipe="other")
    first, second = planned(items).batches
    assert set(first.item_ids) == {item.id for item in items[:3]}
    assert second.item_ids == (items[3].id,)


def test_the_three_priorities_share_twenty_one_turns():
    items = [item for p in Priority for item in waiting(100, priority=p, recipe=p)]
    assert Counter(turns(items, "priority", room=21)) == dict(TURNS_PER_PRIORITY)


def test_bulk_work_is_never_further_than_twenty_one_batches_away():
    """Worst case: bulk was just served when a flood of everything else arrives."""
    alone = planned(waiting(1), room=1)
    items = [item for p in Priority for item in waiting(200, priority=p, recipe=p)]
    served = turns(items, "priority", room=100, virtual_times=alone.virtual_times)
    at = [n for n, priority in enumerate(served, start=1) if priority == Priority.BULK]
    assert at[0] <= 21
    assert all(later - earlier <= 21 for earlier, later in pairwise(at))


def test_tenants_take_turns_by_weight():
    items = waiting(60, tenant="big", recipe="a") + waiting(60, tenant="small", recipe="b")
    assert Counter(turns(items, "tenant", room=12, weights={"big": 2})) == {"big": 8, "small": 4}


def test_a_million_items_of_one_tenant_do_not_delay_another():
    items = waiting(400, tenant="flood", recipe="a") + waiting(1, tenant="modest", recipe="b")
    assert "modest" in turns(items, "tenant", room=2)


def test_turns_are_remembered_from_plan_to_plan():
    """One batch a look, as with a window of one: the order is that of one long look."""
    flood, modest = waiting(40, tenant="flood", recipe="a"), waiting(40, tenant="modest", recipe="b")
    times, served = {}, []
    while flood or modest:
        look = planned([*flood, *modest], room=1, virtual_times=times)
        times, gone = look.virtual_times, set(look.batches[0].item_ids)
        served.append(look.batches[0].recipe_id)
        flood, modest = [i for i in flood if i.id not in gone], [i for i in modest if i.id not in gone]
    assert Counter(served[:10]) == {"a": 5, "b": 5}


def test_an_idle_lane_does_not_hoard_turns():
    """A tenant that was away while another was served 100 batches gets its share from now on, not 100 batches."""
    busy = planned(waiting(400, tenant="busy", recipe="a"))
    items = waiting(80, tenant="busy", recipe="a") + waiting(80, tenant="back", recipe="b")
    assert Counter(turns(items, "tenant", room=10, virtual_times=busy.virtual_times)) == {"busy": 5, "back": 5}


def test_urgent_traffic_does_not_cost_a_waiting_tenant_its_place():
    """Two tenants wait in bulk while a third floods interactive: bulk turns still alternate."""
    urgent = waiting(400, tenant="urgent", priority=Priority.INTERACTIVE, recipe="u")
    items = [*urgent, *waiting(40, tenant="aaa", recipe="a"), *waiting(40, tenant="bbb", recipe="b")]
    served = Counter(turns(items, "tenant", room=17 * 6))
    assert served["aaa"] == served["bbb"] == 3


def test_riding_along_is_paid_for():
    """Images a tenant got in another's batch count as its own."""
    items = waiting(1, tenant="host") + waiting(3, tenant="guest")
    times = planned(items).virtual_times
    assert (times["tenant:bulk:host"], times["tenant:bulk:guest"]) == (1, 3)


def test_a_second_campaign_of_a_tenant_does_not_wait_for_its_first():
    items = waiting(400, request_id="first", recipe="a") + waiting(400, request_id="second", recipe="b")
    assert turns(items, "request_id", room=6) == ["first", "second"] * 3


@pytest.mark.parametrize("served", [0, 1, 7, 40])
def test_an_urgent_request_of_another_tenant_is_dispatched_within_one_batch_time(served):
    """However long a tenant's flood has run, one batch at most goes before."""
    flood = waiting(400, tenant="big", recipe="a")
    times = planned(flood, room=served).virtual_times
    urgent = waiting(1, tenant="other", recipe="u", priority=Priority.INTERACTIVE)
    assert "u" in [batch.recipe_id for batch in planned([*flood, *urgent], room=2, virtual_times=times).batches]


@pytest.mark.parametrize("served", [0, 1, 7, 40])
def test_a_second_campaign_begins_within_two_batches_of_its_tenant(served):
    first = waiting(800, request_id="first", recipe="a")
    times = planned(first, room=served).virtual_times
    second = waiting(80, request_id="second", recipe="b")
    assert "second" in turns([*first, *second], "request_id", room=2, virtual_times=times)


def test_a_deadline_orders_inside_its_tenant_only():
    mine = waiting(8, request_id="late", recipe="a", deadline=200.0) + waiting(8, request_id="none", recipe="b")
    mine += waiting(8, request_id="soon", recipe="c", deadline=100.0)
    theirs = waiting(400, tenant="bolt", request_id="other", recipe="d")
    served = turns([*mine, *theirs], "request_id", room=12)
    assert [request for request in served if request != "other"] == ["soon", "soon", "late", "late", "none", "none"]
    assert served.count("other") == 6


lanes = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Priority)), st.sampled_from(["r", "s", "t"]))
queues = st.lists(lanes, max_size=60).map(
    lambda rows: [Pending(f"{n:03}", *row, pixels=64 * (1 + ord(row[2]) % 3)) for n, row in enumerate(rows)]
)


@settings(deadline=None)
@given(
    queues,
    st.integers(0, 12),
    st.integers(1, 9),
    st.integers(1, 1000),
    st.dictionaries(st.sampled_from(["tenant:bulk:a", "clock:tenant:bulk", "priority:bulk"]), st.floats(0, 1e6)),
)
def test_every_plan_keeps_its_promises(pending, room, max_batch, max_batch_pixels, virtual_times):
    look = plan(
        pending,
        {"a": 3},
        virtual_times,
        room=room,
        max_batch=max_batch,
        max_batch_pixels=max_batch_pixels,
    )
    of = {item.id: item for item in pending}
    members = [id for batch in look.batches for id in batch.item_ids]
    assert len(members) == len(set(members)), "an item went into two batches"
    assert len(look.batches) <= room
    for batch in look.batches:
        items = [of[id] for id in batch.item_ids]
        assert {item.recipe_id for item in items} == {batch.recipe_id}
        assert 1 <= len(items) <= max_batch
        assert len(items) == 1 or sum(item.pixels for item in items) <= max_batch_pixels
    if len(look.batches) < room:
        assert len(members) == len(pending), "there was room, and something was left behind"
    assert all(look.virtual_times[lane] >= at for lane, at in virtual_times.items()), "a lane went back in time"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 10), min_size=2), st.integers(1, 8))
def test_tenants_that_always_wait_are_served_in_proportion(weights, max_batch):
    """Start-time fair queueing: two waiting lanes never differ by more than a batch of each, weighed."""
    room = 60
    items = [item for tenant in weights for item in waiting(room * max_batch, tenant=tenant, recipe=tenant)]
    served = Counter(turns(items, "tenant", room=room, max_batch=max_batch, weights=weights))
    images = {tenant: served[tenant] * max_batch / weight for tenant, weight in weights.items()}
    for one, its_weight in weights.items():
        for other, other_weight in weights.items():
            bound = max_batch / its_weight + max_batch / other_weight
            assert abs(images[one] - images[other]) <= bound + 1e-6
