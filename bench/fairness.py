"""Fairness benchmark: how long images wait, by lane, while one tenant's 50,000 rows are queued.

    python -m bench.fairness [--quick]

Feeds the planner's own turns (workers/planning/turns.py) one batch at a time and counts batch times between the arrival
of an image and its dispatch. Beside it stands plain first-in, first-out over the same arrivals. Needs no services.

The lanes: a flood of one tenant, a second campaign of the same tenant, a campaign of another tenant in the same
priority, a standard request and, every now and then, one interactive image of others.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from bench.result import Ratio, parser, report
from workers.planning.turns import Pending, plan
from workers.states import Priority

BATCH = 8  # images
FULL, QUICK = 50_000, 5_000  # rows of the flood
SETTLED = 16  # batch times that the flood runs alone, before anybody else comes


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests of one lane: who sends how many images, at which batch times."""

    lane: str
    tenant: str
    priority: Priority
    images: int
    at: tuple[int, ...]

    def requests(self) -> Iterator[tuple[int, list[Pending]]]:
        for time in self.at:
            name = f"{self.lane}-{time}"
            yield (
                time,
                [Pending(f"{name}-{n:06}", self.tenant, self.priority, name, 1, name) for n in range(self.images)],
            )


def arrivals(flood: int) -> list[Arrivals]:
    last = flood // BATCH // 2
    return [
        Arrivals("flood", "big", Priority.BULK, flood, (0,)),
        Arrivals("its second campaign", "big", Priority.BULK, 400, (SETTLED,)),
        Arrivals("another tenant's campaign", "other", Priority.BULK, 400, (SETTLED,)),
        Arrivals("another tenant's standard request", "other", Priority.STANDARD, 40, (SETTLED + 3,)),
        Arrivals("interactive, of others", "third", Priority.INTERACTIVE, 1, tuple(range(SETTLED + 5, last, 25))),
    ]


def waits(lanes: list[Arrivals], *, fair: bool) -> Mapping[str, list[int]]:
    """Batch times from arrival to dispatch, by lane; 0 is the very next batch."""
    coming = deque(
        sorted(((time, lane.lane, rows) for lane in lanes for time, rows in lane.requests()), key=lambda c: c[0])
    )
    queues: dict[str, deque[Pending]] = {}
    since: dict[str, tuple[int, str]] = {}
    times: Mapping[str, float] = {}
    waited: defaultdict[str, list[int]] = defaultdict(list)
    now = 0
    while coming or queues:
        while coming and coming[0][0] <= now:
            time, lane, rows = coming.popleft()
            queues[rows[0].request_id], since[rows[0].request_id] = deque(rows), (time, lane)
        if fair:
            heads = [item for queue in queues.values() for item in islice(queue, BATCH)]
            made = plan(heads, {}, times, room=1, max_batch=BATCH, max_batch_pixels=1 << 30)
            times, taken = made.virtual_times, set(made.batches[0].item_ids) if made.batches else set()
        else:
            first = next(iter(queues.values()), deque())
            taken = {item.id for item in islice(first, BATCH)}
        for name, queue in list(queues.items()):
            while queue and queue[0].id in taken:
                queue.popleft()
                waited[since[name][1]].append(now - since[name][0])
            if not queue:
                del queues[name]
        now += 1
    return waited


def main() -> None:
    asked = parser(__doc__).parse_args()
    lanes = arrivals(QUICK if asked.quick else FULL)
    fair, plain = waits(lanes, fair=True), waits(lanes, fair=False)
    print(f"batch times from arrival to dispatch, batches of {BATCH}\n")
    print(f"{'lane':36} {'images':>7} {'turns p50':>10} {'p99':>7} {'FIFO p50':>10} {'p99':>7}")
    for lane in lanes:
        cells = [at(waited[lane.lane], share) for waited in (fair, plain) for share in (0.5, 0.99)]
        print(
            f"{lane.lane:36} {len(fair[lane.lane]):>7,} {cells[0]:>10,} {cells[1]:>7,} {cells[2]:>10,} {cells[3]:>7,}"
        )
    interactive, second = lanes[-1].lane, lanes[1].lane
    print(f"\nlongest wait of an interactive image: {max(fair[interactive])} batch times")
    print(f"first image of the second campaign: {min(fair[second])} batch times; FIFO: {min(plain[second]):,}")
    made = [
        Ratio(
            "interactive p99, FIFO over turns", (at(plain[interactive], 0.99) + 1) / (at(fair[interactive], 0.99) + 1)
        ),
        Ratio("second campaign p50, FIFO over turns", at(plain[second], 0.5) / at(fair[second], 0.5)),
        Ratio("flood p99, FIFO over turns", at(plain["flood"], 0.99) / at(fair["flood"], 0.99)),
    ]
    report(made, asked.json)


def at(waited: list[int], share: float) -> int:
    """The wait that this share of the images does not exceed."""
    return sorted(waited)[min(len(waited) - 1, int(share * len(waited)))]


if __name__ == "__main__":
    main()
