"""Fault: one rule for every error, and for deaths that nobody explained."""

from __future__ import annotations

import inspect

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from policy.errors import SigningUnavailable
from workers import errors
from workers.errors import Transient, WorkerError
from workers.jobs.fleet.faults import Fault, fault_of, is_poison, reason_of, run_size

CASES = [
    (errors.LeaseLost("b"), Fault.NOBODY, "lease_lost"),
    (errors.Draining("b"), Fault.NOBODY, "draining"),
    (errors.ModelMissing("no folder"), Fault.RECIPE, "model_missing"),
    (errors.ModelRefused("pickle"), Fault.RECIPE, "model_refused"),
    (errors.CardInvalid("card"), Fault.RECIPE, "card_invalid"),
    (errors.OutOfMemory("one image"), Fault.RECIPE, "out_of_memory"),
    (MemoryError(), Fault.RECIPE, "out_of_memory"),
    (errors.HubUnavailable("hub"), Fault.RECIPE, "hub_unavailable"),
    (errors.DeviceFailed("CUDA error"), Fault.DEVICE, "device_failed"),
    (errors.StoreRefused("403"), Fault.WORKER, "store_refused"),
    (SigningUnavailable("no key"), Fault.WORKER, "signing_unavailable"),
    (ImportError("torch"), Fault.WORKER, "worker_broken"),
    (OSError(28, "No space left on device"), Fault.WORKER, "worker_broken"),
    (ProgrammingError("select", {}, Exception("permission denied")), Fault.WORKER, "database_refused"),
    (errors.StoreUnavailable("503"), Fault.SERVICE, "store_unavailable"),
    (errors.ScreenUnavailable("a classifier"), Fault.SERVICE, "screen_unavailable"),
    (errors.LedgerRefused("LedgerBehind"), Fault.SERVICE, "ledger_refused"),
    (OperationalError("select", {}, Exception("gone")), Fault.SERVICE, "database_unavailable"),
    (PoolTimeout("pool"), Fault.SERVICE, "database_unavailable"),
    (ConnectionResetError(), Fault.SERVICE, "connection_failed"),
    (TimeoutError(), Fault.SERVICE, "connection_failed"),
    (IntegrityError("insert", {}, ValueError("check")), Fault.ITEM, "error:ValueError"),
    (ZeroDivisionError(), Fault.ITEM, "error:ZeroDivisionError"),
    (ValueError("what"), Fault.ITEM, "error:ValueError"),
]


@pytest.mark.parametrize(("error", "fault", "reason"), CASES, ids=[reason for *_, reason in CASES])
def test_who_is_at_fault(error: Exception, fault: Fault, reason: str):
    assert (fault_of(error), reason_of(error)) == (fault, reason)


def test_no_error_that_may_be_tried_again_is_blamed_on_an_item():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, WorkerError)]
    blamed = [
        kind.__name__ for kind in kinds if issubclass(kind, Transient) and fault_of(kind.__new__(kind)) is Fault.ITEM
    ]
    assert blamed == []


def test_every_death_halves_what_is_made_at_once():
    assert [run_size(8, deaths) for deaths in range(5)] == [8, 4, 2, 1, 1]
    assert run_size(64, 1_000_000) == 1


@pytest.mark.parametrize(
    ("members", "deaths", "lost", "claims", "poison"),
    [
        (1, 4, 0, 100, False),  # four nodes may go down in a row
        (1, 5, 0, 100, True),
        (8, 5, 0, 100, True),  # the last two while the first item was alone
        (64, 7, 0, 100, False),  # it was not alone twice yet
        (64, 8, 0, 100, True),
        (1, 5, 0, 0, True),  # nothing is known of the others
        (1, 10, 50, 100, False),  # every other claim dies anyhow
        (1, 29, 100, 100, False),
        (1, 30, 100, 100, True),  # bounded: no item is tried for ever
    ],
)
def test_an_item_is_poison_when_chance_explains_its_deaths_no_more(members, deaths, lost, claims, poison):
    assert is_poison(members, deaths, lost, claims) is poison
