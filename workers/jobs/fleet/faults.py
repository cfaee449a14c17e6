"""Fault: who is at fault when a batch does not end. One rule for every error; only its own fault may fail an item.

    ITEM     the item breaks what makes it       counted: the batch is split until the item stands alone and fails alone
    RECIPE   this worker cannot make this recipe  given back; never offered to this worker again
    DEVICE   this worker's device is sick         given back; the process is replaced, the device taken out after three
    WORKER   this worker is unwell                given back; the worker takes nothing for a while, longer each time
    SERVICE  what all workers share is away       given back; every worker waits until it answers
    NOBODY   another attempt has it, or we stop   given back where it is still ours

A worker that dies says nothing: its lease runs out. Platforms kill workers for reasons of their own, so that is no
evidence against an item until the item, sampled alone, outlived no attempt that its neighbours outlived (`is_poison`).
"""

from __future__ import annotations

import math
from enum import StrEnum

from sqlalchemy.exc import DataError as BadData
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from policy.errors import SigningUnavailable
from workers.errors import (
    CardInvalid,
    DeviceFailed,
    Draining,
    HubUnavailable,
    LeaseLost,
    ModelMissing,
    ModelRefused,
    OutOfMemory,
    StoreRefused,
    Transient,
    code_of,
)


class Fault(StrEnum):
    ITEM = "item"
    RECIPE = "recipe"
    DEVICE = "device"
    WORKER = "worker"
    SERVICE = "service"
    NOBODY = "nobody"


# The first line that fits decides. ConnectionError and TimeoutError are OSErrors, and stand before it.
_RULE: tuple[tuple[type[BaseException], Fault], ...] = (
    (LeaseLost, Fault.NOBODY),
    (Draining, Fault.NOBODY),
    (DeviceFailed, Fault.DEVICE),
    (ModelMissing, Fault.RECIPE),
    (ModelRefused, Fault.RECIPE),
    (CardInvalid, Fault.RECIPE),
    (OutOfMemory, Fault.RECIPE),
    (MemoryError, Fault.RECIPE),
    (HubUnavailable, Fault.RECIPE),
    (StoreRefused, Fault.WORKER),
    (SigningUnavailable, Fault.WORKER),
    (ProgrammingError, Fault.WORKER),  # a right or a table that its role lacks
    (ImportError, Fault.WORKER),
    (IntegrityError, Fault.ITEM),
    (BadData, Fault.ITEM),
    (SQLAlchemyError, Fault.SERVICE),
    (Transient, Fault.SERVICE),
    (ConnectionError, Fault.SERVICE),
    (TimeoutError, Fault.SERVICE),
    (OSError, Fault.WORKER),  # its disk, its files, its limits
)
_MISTAKE = 1e-6  # accepted probability that an item is taken for poison while its workers died for other reasons
FEWEST_DEATHS = 5  # in a row, before an item is suspected at all
_MOST_DEATHS = 30
_PRIOR_DEATHS, _PRIOR_CLAIMS = 1, 20  # of a queue of which nothing is known yet


def fault_of(error: BaseException) -> Fault:
    """Who is at fault. An error that nothing explains is the item's: it is counted, and a streak of them is not."""
    return next((fault for kind, fault in _RULE if isinstance(error, kind)), Fault.ITEM)


def reason_of(error: BaseException) -> str:
    """Stable code of an error, for events, logs and metrics."""
    fault = fault_of(error)
    if fault is Fault.ITEM:
        return f"error:{_kind(error)}"
    if isinstance(error, SQLAlchemyError):
        return "database_refused" if fault is Fault.WORKER else "database_unavailable"
    if isinstance(error, MemoryError):
        return "out_of_memory"
    if isinstance(error, ConnectionError | TimeoutError):
        return "connection_failed"
    if isinstance(error, OSError | ImportError):
        return "worker_broken"
    return code_of(type(error)) if isinstance(error, Exception) else _kind(error)


def run_size(members: int, deaths: int) -> int:
    """Items to sample at once after so many deaths in a row: half as many after each, so that something is settled."""
    return max(1, members >> min(deaths, 16))


def is_poison(members: int, deaths: int, lost: int, claims: int) -> bool:
    """Whether the first open item of a batch kills its workers.

    `deaths` in a row ended an attempt at it before anything was settled, the last two while it was sampled alone.
    `lost` of `claims` of the queue's other batches ended so as well: the more often workers die anyhow, the more
    deaths it takes until chance is no explanation.
    """
    if run_size(members, deaths - 2) > 1:
        return False
    rate = min(0.9, (lost + _PRIOR_DEATHS) / (claims + _PRIOR_CLAIMS))
    needed = math.ceil(math.log(_MISTAKE) / math.log(rate))
    return deaths >= max(FEWEST_DEATHS, min(needed, _MOST_DEATHS))


def _kind(error: BaseException) -> str:
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__
