"""Affinity benchmark: loads of a model for each batch, and how long a tenant waits for its turn, with and without.

    python -m bench.affinity [--quick]

Plans batches with the planner's own functions, in rounds that forget everything but the last batches, as a planner
does; draws nothing, and takes seconds. A load is a batch of another model than the batch before it. The wait of a
tenant is the number of batches of others between two of its own, at most. `--quick` changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from bench.result import Ratio, parser, report
from workers.planning.affinity import Affinity, WarmModel
from workers.planning.turns import Pending, plan
from workers.settings import Settings
from workers.states import Priority

SIZE = 8  # images of a batch
TENANTS, MODELS = ("acme", "globex", "initech", "umbrella"), ("a", "b", "c", "d")


def main() -> None:
    asked = parser(__doc__).parse_args()
    most = Settings.model_fields["stay_batches"].default
    print("                                        batches   loads without    with   longest wait without    with")
    ratios = [
        *compare("two tenants, a model each, 20 batches", _items([("acme", "a", 10), ("globex", "b", 10)]), most),
        *compare("four tenants with four models each", _items(_each_with_all(5)), most),
        *compare("one campaign, two models row by row", _items([("acme", "a", 10), ("acme", "b", 10)]), most),
    ]
    report(ratios, asked.json)


def compare(name: str, items: Sequence[Pending], most: int) -> list[Ratio]:
    plain, kept = (_drawn(items, stay) for stay in (0, most))
    loads = [sum(one.loaded != other.loaded for one, other in pairwise(order)) + 1 for order in (plain, kept)]
    waits = [_longest_wait(order) for order in (plain, kept)]
    print(f"{name:40} {len(kept):6} {loads[0]:15} {loads[1]:7} {waits[0]:22} {waits[1]:7}", flush=True)
    return [Ratio(f"loads without affinity over loads with it, {name}", loads[0] / loads[1], 1.05)]


def _drawn(items: Sequence[Pending], most: int) -> list[Pending]:
    """The first item of each batch, in the order that they are planned in: one round a batch."""
    left, of = list(items), {item.id: item for item in items}
    times: dict[str, float] = {}
    latest: deque[WarmModel] = deque(maxlen=max(1, most))
    order: list[Pending] = []
    while left:
        affinity = Affinity.after(reversed(latest), most=most)
        made = plan(left, {}, times, room=1, max_batch=SIZE, max_batch_pixels=2**40, affinity=affinity)
        times = dict(made.virtual_times)
        for batch in made.batches:
            order.append(of[batch.item_ids[0]])
            latest.append(order[-1].loaded)
        gone = {id for batch in made.batches for id in batch.item_ids}
        left = [item for item in left if item.id not in gone]
    return order


def _longest_wait(order: Sequence[Pending]) -> int:
    """Batches of others in a row while a tenant has some left."""
    longest = 0
    for tenant in {item.tenant for item in order}:
        places = [-1, *(n for n, item in enumerate(order) if item.tenant == tenant)]
        longest = max(longest, *(after - before - 1 for before, after in pairwise(places)))
    return longest


def _each_with_all(batches: int) -> list[tuple[str, str, int]]:
    return [(tenant, MODELS[(n + m) % 4], batches) for m in range(4) for n, tenant in enumerate(TENANTS)]


def _items(lanes: Sequence[tuple[str, str, int]]) -> list[Pending]:
    """Of tenant, model and batches: row by row in turn; no two tenants share a batch."""
    made: list[Pending] = []
    for row in range(max(batches for *_, batches in lanes) * SIZE):
        for tenant, model, batches in lanes:
            if row < batches * SIZE:
                recipe, loaded = f"{tenant} {model}", WarmModel(model)
                made.append(Pending(f"{len(made):07}", tenant, Priority.BULK, recipe, 1, tenant, None, loaded))
    return made


if __name__ == "__main__":
    main()
