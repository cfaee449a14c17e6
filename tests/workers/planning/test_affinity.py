"""Affinity: loads are few, nobody waits longer than the bound says, and shares stay what the weights say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.planning.affinity import Affinity, WarmModel
from workers.planning.turns import Pending, plan
from workers.states import Priority

MOST, SIZE = 8, 4


def waiting(*lanes: tuple[str, str, int], priority: str = Priority.BULK) -> list[Pending]:
    """Items of (tenant, model, batches), whose tenants submitted at the same time: row by row in turn."""
    items: list[Pending] = []
    for row in range(max(batches for *_, batches in lanes) * SIZE):
        for tenant, model, batches in lanes:
            if row < batches * SIZE:
                items.append(_item(len(items), tenant, model, priority))
    return items


def _item(number: int, tenant: str, model: str, priority: str) -> Pending:
    name, _, adapters = model.partition("+")
    return Pending(f"{number:06}", tenant, priority, model, 1, tenant, None, WarmModel(name, adapters))


def drawn(
    items: Sequence[Pending],
    *,
    most: int = MOST,
    room: int = 1,
    weights: dict[str, int] | None = None,
    limit: int = 999,
) -> list[Pending]:
    """The first item of each batch, planned in rounds of `room` as a planner does that forgets all between them."""
    left, times, order = list(items), dict[str, float](), list[Pending]()
    while left and len(order) < limit:
        affinity = Affinity.after((one.loaded for one in reversed(order[-most:] if most else [])), most=most)
        made = plan(left, weights or {}, times, room=room, max_batch=SIZE, max_batch_pixels=10_000, affinity=affinity)
        times = dict(made.virtual_times)
        of = {item.id: item for item in left}
        order += [of[batch.item_ids[0]] for batch in made.batches]
        gone = {id for batch in made.batches for id in batch.item_ids}
        left = [item for item in left if item.id not in gone]
    return order


def loads(order: Sequence[Pending]) -> int:
    return len([*groupby(item.loaded.model for item in order)])


@pytest.mark.parametrize("room", [1, 2, 4])
def test_twenty_batches_of_two_models_cost_at_most_four_loads(room: int) -> None:
    """Each batch cost a load (M06)."""
    items = waiting(("acme", "a", 10), ("globex", "b", 10))
    assert loads(drawn(items, most=0, room=room)) == 20
    assert loads(drawn(items, room=room)) <= 4


def test_two_models_row_by_row_in_one_campaign_cost_at_most_four_loads() -> None:
    items = waiting(("acme", "a", 10), ("acme", "b", 10))
    assert loads(drawn(items)) <= 4


@pytest.mark.parametrize("room", [1, 4])
def test_four_tenants_with_four_models_each_are_bounded_too(room: int) -> None:
    tenants, models = ("acme", "globex", "initech", "umbrella"), ("a", "b", "c", "d")
    turned = [(tenant, models[(n + m) % 4], 5) for m in range(4) for n, tenant in enumerate(tenants)]
    items = [replace(item, recipe_id=f"{item.tenant} {item.recipe_id}") for item in waiting(*turned)]  # no shared batch
    order = drawn(items, room=room)
    assert len(order) == 80
    assert loads(order) <= 80 / MOST + len(models)
    assert loads(drawn(items, most=0, room=room)) == 80


def test_other_adapters_of_the_loaded_model_go_before_another_model() -> None:
    items = waiting(("acme", "a+ink", 2), ("globex", "b", 2), ("initech", "a+pastel", 2))
    order = [item.recipe_id for item in drawn(items)]
    assert order == ["a+ink", "a+ink", "a+pastel", "a+pastel", "b", "b"]


def test_a_more_urgent_item_never_waits_for_a_load_that_is_saved() -> None:
    urgent = [_item(10_000 + n, "globex", "b", Priority.INTERACTIVE) for n in range(SIZE)]
    items = [*waiting(("acme", "a", 6)), *urgent]
    affinity = Affinity.after([WarmModel("a")], most=MOST)
    made = plan(items, {}, {}, room=2, max_batch=SIZE, max_batch_pixels=10_000, affinity=affinity)
    assert [batch.recipe_id for batch in made.batches] == ["a", "b"]  # a turn of each, as without affinity
    assert affinity.last == WarmModel("b")


def test_a_turn_is_not_given_up_for_a_smaller_batch() -> None:
    items = waiting(("acme", "a", 1), ("globex", "b", 1))[: 2 * SIZE]
    rest = [*items, _item(9_000, "acme", "a", Priority.BULK)]
    assert [item.loaded.model for item in drawn(rest)] == ["a", "b", "a"]


def test_shares_stay_what_the_weights_say() -> None:
    items = waiting(("acme", "a", 200), ("globex", "b", 200))
    order = drawn(items, weights={"acme": 3}, limit=120)
    shares = Counter(item.tenant for item in order)
    assert 3 * shares["globex"] - MOST * 4 <= shares["acme"] <= 3 * shares["globex"] + MOST * 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("tuvw"), st.sampled_from("abcd"), st.integers(1, 12)), min_size=2, max_size=10),
    st.integers(1, 6),
)
def test_nobody_waits_longer_than_the_bound_and_nothing_is_lost(lanes: list[tuple[str, str, int]], most: int) -> None:
    items = waiting(*lanes)
    order = drawn(items, most=most)
    plain = drawn(items, most=0)
    assert Counter(item.recipe_id for item in order).keys() == Counter(item.recipe_id for item in plain).keys()
    for tenant in {item.tenant for item in items}:
        first, fair = ([item.tenant for item in one].index(tenant) for one in (order, plain))
        others = len({item.tenant for item in items})
        assert first <= fair + most * others
