"""States of items and batches: each with its meaning, and who moves it on.

item    PENDING -> PLANNED -> RELEASED | HELD | REFUSED | FAILED      PENDING | PLANNED -> CANCELLED
        (submit) -> REFUSED when the prompt itself is refused, RELEASED when it takes an asset that is there already
        HELD -> RELEASED | REFUSED (a person's review)                RELEASED -> RECALLED
        FAILED -> PENDING (a retry, as another round)
        HELD -> FAILED (a person released it, but its bytes are not those that were reviewed)
batch   DISPATCHED -> RUNNING -> FINISHED
        RUNNING, lease over or given back -> DISPATCHED (same members)
        RUNNING, claims used up -> ABANDONED (its items are split into new batches, or failed)
request PILOT -> AWAITING_ACCEPTANCE -> RUNNING -> FINISHED | CANCELLED | EXPIRED
        PILOT | AWAITING_ACCEPTANCE | RUNNING <-> PAUSED (for a reason; it goes on in the phase that it came from)
input   RECEIVED -> CHECKING -> READY | REFUSED | FAILED              READY -> RECALLED      any but RECALLED -> ERASED
        CHECKING, lease over or given back -> RECEIVED or CHECKING
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ItemState(StrEnum):
    PENDING = "pending"  # accepted, in no batch; the planner moves it on
    PLANNED = "planned"  # member of a batch for life; the worker that settles the batch moves it on
    RELEASED = "released"  # screened, marked, signed, stored, visible to its tenant; recall moves it on
    HELD = "held"  # in quarantine; a reviewer refuses it, or orders the clerk to release it
    REFUSED = "refused"  # policy said no, final
    FAILED = "failed"  # could not be made; the reason says why; a retry moves it on
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


class ModelState(StrEnum):
    """Of one revision of a model, by the latest decision about it."""

    UNDECIDED = "undecided"  # nobody decided; usable, unless the installation requires approval
    APPROVED = "approved"  # for every tenant or for some, until a day or for good; a person retires it
    RETIRED = "retired"  # no new request may use it; a person may approve it again


class RequestPhase(StrEnum):
    """Of a request. The gate that the planner asks follows from it; what is in flight is finished in any phase."""

    PILOT = "pilot"  # its sample is made; the settlement of the last sampled image moves it on
    AWAITING_ACCEPTANCE = "awaiting_acceptance"  # a person accepts the sample, or cancels the rest
    RUNNING = "running"  # its images are made; the settlement of the last one moves it on
    PAUSED = "paused"  # nothing new is planned; `paused_for` says why, a person's resume moves it on
    FINISHED = "finished"  # no image is open; a retry of its failed images moves it on
    CANCELLED = "cancelled"  # its tenant no longer wants what was open, final
    EXPIRED = "expired"  # its deadline passed and what waited was cancelled, final


class Gate(StrEnum):
    """Which pending items of a request may be planned. The database derives it from the phase."""

    CLOSED = "closed"  # none
    SAMPLE = "sample"  # those of the pilot's sample
    OPEN = "open"  # all


class PauseReason(StrEnum):
    """Why a request is paused."""

    PERSON = "person"  # somebody asked for it
    BREAKER = "breaker"  # too many of its images were bad
    BUDGET = "budget"  # its budget is used up
    DEADLINE = "deadline"  # its deadline passed
    POLICY = "policy"  # policy changed in a way that concerns it


class Priority(StrEnum):
    """Turn classes of the planner, most urgent first."""

    INTERACTIVE = "interactive"  # a person waits for it
    STANDARD = "standard"  # wanted today
    BULK = "bulk"  # overnight campaigns


class InputState(StrEnum):
    """Of a picture that a tenant sent in. Items that need it wait while it is received or checking."""

    RECEIVED = "received"  # stored as it was sent; the identify process claims it
    CHECKING = "checking"  # decoded, stripped and screened by a process that holds its lease
    READY = "ready"  # its sanitised copy is stored; tasks may use it
    REFUSED = "refused"  # policy said no, final; nothing of it is stored
    FAILED = "failed"  # it cannot be read, final; the reason says why
    RECALLED = "recalled"  # withdrawn with what was made from it, final
    ERASED = "erased"  # its tenant, or its retention period, had it deleted, final


# Turns of a priority for each turn of the lowest, while all of them wait.
TURNS_PER_PRIORITY: Mapping[str, int] = {Priority.INTERACTIVE: 16, Priority.STANDARD: 4, Priority.BULK: 1}
FINISHING = "finishing"  # queue of items whose files are made of a kept drawing: a worker of it needs no device
WAKE_CHANNEL = "presswork_pending"  # of NOTIFY: items wait to be planned; the payload is the queue
ORDER_CHANNEL = "presswork_orders"  # of NOTIFY: the clerk has an order to carry out
MESSAGE_CHANNEL = "presswork_messages"  # of NOTIFY: a message waits to be sent to a webhook
QUESTION_CHANNEL = "presswork_questions"  # of NOTIFY: a picture waits to be identified or taken in
ITEM_OPEN = (ItemState.PENDING, ItemState.PLANNED)
REQUEST_OPEN = (RequestPhase.PILOT, RequestPhase.AWAITING_ACCEPTANCE, RequestPhase.RUNNING)
REQUEST_OVER = (RequestPhase.FINISHED, RequestPhase.CANCELLED, RequestPhase.EXPIRED)
BATCH_OPEN = (BatchState.DISPATCHED, BatchState.RUNNING)
INPUT_OPEN = (InputState.RECEIVED, InputState.CHECKING)
