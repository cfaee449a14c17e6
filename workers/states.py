"""States of items and batches: each with its meaning, and who moves it on.

item    PENDING -> PLANNED -> RELEASED | HELD | REFUSED | FAILED      PENDING | PLANNED -> CANCELLED
        (submit) -> REFUSED when the prompt itself is refused
        HELD -> RELEASED | REFUSED (a person's review)                RELEASED -> RECALLED
        HELD -> FAILED (a person released it, but its bytes are not those that were reviewed)
batch   DISPATCHED -> RUNNING -> FINISHED
        RUNNING, lease over or given back -> DISPATCHED (same members)
        RUNNING, claims used up -> ABANDONED (its items are split into new batches, or failed)
"""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    PENDING = "pending"  # accepted, in no batch; the planner moves it on
    PLANNED = "planned"  # member of a batch for life; the worker that settles the batch moves it on
    RELEASED = "released"  # screened, marked, signed, stored, visible to its tenant; recall moves it on
    HELD = "held"  # in quarantine; a reviewer refuses it, or orders the clerk to release it
    REFUSED = "refused"  # policy said no, final
    FAILED = "failed"  # could not be made, final; the reason says why
    CANCELLED = "cancelled"  # its tenant no longer wants it, final
    RECALLED = "recalled"  # was released, withdrawn since, final


class BatchState(StrEnum):
    DISPATCHED = "dispatched"  # row committed, message sent or about to be; a worker's claim moves it on
    RUNNING = "running"  # a worker holds the lease; its settlement, or the reconciler, moves it on
    FINISHED = "finished"  # every member settled, final
    ABANDONED = "abandoned"  # claims used up, members split into other batches or failed, final


class AssetState(StrEnum):
    RELEASED = "released"  # presigned links are given out
    RECALLED = "recalled"  # links answer 410


class Priority(StrEnum):
    """Turn classes of the planner, most urgent first."""

    INTERACTIVE = "interactive"  # a person waits for it
    STANDARD = "standard"  # wanted today
    BULK = "bulk"  # overnight campaigns


WAKE_CHANNEL = "presswork_pending"  # of NOTIFY: items wait to be planned; the payload is the queue
ITEM_OPEN = (ItemState.PENDING, ItemState.PLANNED)
BATCH_OPEN = (BatchState.DISPATCHED, BatchState.RUNNING)
