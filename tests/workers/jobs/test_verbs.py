"""Verbs and their events: which verbs tell, which need not and why, and a ledger from which the states follow."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from policy import events
from policy.ledger.append import append
from tests.support.line import ALLOW, HOLD, LEASE, REFUSE, Line, released
from tests.support.verbs import telling, verbs
from tests.support.whole_changes import WholeChanges, flaw_of
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.claim import give_back
from workers.jobs.expire import expire, fail_claim
from workers.jobs.settle import settle, settle_some
from workers.jobs.tables import batches, items
from workers.jobs.types import Claim, Failed, Held, Outcome, Refused
from workers.states import BatchState, ItemState

# Verbs that write and append no event, each with the reason. Every other verb that writes appends one. A verb that is
# new fails the first test until it tells, or stands here.
PART, LEASED, MACHINE, TREE, SESSION = (
    "part of the verb that calls it, in whose transaction and event it is",
    "a lease: who works on it now; what comes of it is told",
    "state of machinery that is rebuilt, or forgotten, without loss to the record",
    "the ledger itself",
    "a browser signed in or out; what a person does there is told, under the person's key",
)
SILENT = {
    "policy.ledger.tree.refusal.note": TREE,
    "policy.ledger.tree.seal.seal": TREE,
    "policy.ledger.witnesses.witness_policy.keep_cosignature": TREE,
    "workers.jobs.catalogue.catalogues.go_on": PART,
    "workers.jobs.catalogue.flips.feeds_gone": "a plan that is over is forgotten; what it was, and did, is told",
    "workers.jobs.catalogue.plans.add": LEASED,
    "workers.jobs.catalogue.plans.begin": "nothing is decided yet; the plan is told once it is ready",
    "workers.jobs.catalogue.plans.fail": "nothing came of it; a plan has no effect until it is ready",
    "workers.jobs.catalogue.plans.keep_feed": LEASED,
    "workers.jobs.catalogue.plans.renew": LEASED,
    "workers.jobs.catalogue.plans.take": LEASED,
    "workers.jobs.catalogue.schedules.follow": PART,
    "workers.jobs.catalogue.sources.keep_sources": MACHINE,
    "workers.jobs.claim.pass_over": LEASED,
    "workers.jobs.claim.renew": LEASED,
    "workers.jobs.console.sessions.close_session": SESSION,
    "workers.jobs.console.sessions.open_session": SESSION,
    "workers.jobs.console.sessions.take_link": SESSION,
    "workers.jobs.control.breaker.note": PART,
    "workers.jobs.control.breaker.watch": PART,
    "workers.jobs.control.budget.reserve": PART,
    "workers.jobs.control.budget.settle": PART,
    "workers.jobs.control.phases.forget_turns": MACHINE,
    "workers.jobs.control.phases.notify_paused": PART,
    "workers.jobs.control.pilots.begin": PART,
    "workers.jobs.control.spending.begin": PART,
    "workers.jobs.control.spending.tell_low": "a message that a budget runs low; what was spent is told item by item",
    "workers.jobs.delivery.catalogue_deliveries.follow": PART,
    "workers.jobs.delivery.catalogue_deliveries.remove": PART,
    "workers.jobs.delivery.catalogue_deliveries.take": LEASED,
    "workers.jobs.delivery.catalogue_deliveries.there": MACHINE,
    "workers.jobs.delivery.catalogue_deliveries.try_now": MACHINE,
    "workers.jobs.delivery.catalogue_deliveries.wake": MACHINE,
    "workers.jobs.delivery.catalogue_deliveries.wake_recalled": MACHINE,
    "workers.jobs.delivery.deliveries.begin": PART,
    "workers.jobs.delivery.deliveries.take": LEASED,
    "workers.jobs.delivery.deliveries.wake": MACHINE,
    "workers.jobs.delivery.deliveries.wake_recalled": MACHINE,
    "workers.jobs.dispatch.take_turns": MACHINE,
    "workers.jobs.dispatch.unsent": LEASED,
    "workers.jobs.drawings.drawings.keep": PART,
    "workers.jobs.drawings.drawings.take": PART,
    "workers.jobs.fleet.members.device_failed": MACHINE,
    "workers.jobs.fleet.members.device_worked": MACHINE,
    "workers.jobs.fleet.members.gone": MACHINE,
    "workers.jobs.fleet.members.readmit": MACHINE,
    "workers.jobs.fleet.members.refuse": MACHINE,
    "workers.jobs.fleet.members.seen": MACHINE,
    "workers.jobs.idempotency.remember": MACHINE,
    "workers.jobs.identification.fingerprints.store": MACHINE,
    "workers.jobs.identification.fingerprints.take": LEASED,
    "workers.jobs.identification.questions.ask": "the answer is told, with what was asked",
    "workers.jobs.identification.questions.expire": MACHINE,
    "workers.jobs.identification.questions.give_back": LEASED,
    "workers.jobs.inputs.intake.give_back": LEASED,
    "workers.jobs.inputs.uses.use": PART,
    "workers.jobs.outcomes.write_assets": PART,
    "workers.jobs.privacy.drawings.forget": PART,
    "workers.jobs.privacy.drawings.over": PART,
    "workers.jobs.privacy.erase.blank_reasons": PART,
    "workers.jobs.privacy.objects.removed": MACHINE,
    "workers.jobs.privacy.objects.strike": MACHINE,
    "workers.jobs.privacy.retention.advance": MACHINE,
    "workers.jobs.recall.orders.moved": "a file was moved; the recall is told when it is ordered and when it is done",
    "workers.jobs.review.carry_out.carried_out": "quarantine was emptied; the decision and its outcome are told",
    "workers.jobs.review.claims.claim": LEASED,
    "workers.jobs.review.claims.end": LEASED,
    "workers.jobs.uploads.batch_jobs.begin_check": LEASED,
    "workers.jobs.uploads.batch_jobs.finalize": "output files; the request whose results they list is told",
    "workers.jobs.uploads.batch_jobs.forget": MACHINE,
    "workers.jobs.uploads.batch_jobs.renew": LEASED,
    "workers.jobs.uploads.campaign_checks.begin": LEASED,
    "workers.jobs.uploads.campaign_checks.forget": PART,
    "workers.jobs.uploads.campaign_checks.forget_old": MACHINE,
    "workers.jobs.uploads.campaign_checks.give_back": LEASED,
    "workers.jobs.uploads.campaign_checks.renew": LEASED,
    "workers.jobs.uploads.files.begin": "nothing is stored yet; the file is told once it is",
    "workers.jobs.uploads.files.gone": "the object was removed; the deletion of the file is told",
    "workers.jobs.webhooks.deliveries.notify": PART,
    "workers.jobs.webhooks.deliveries.release": LEASED,
    "workers.jobs.webhooks.deliveries.sweep": MACHINE,
    "workers.jobs.webhooks.deliveries.take": LEASED,
    "workers.jobs.webhooks.deliveries.take_next": LEASED,
}


def test_every_verb_that_writes_tells_or_is_listed_with_the_reason_why_not() -> None:
    assert verbs() - telling() == set(SILENT)


def test_the_reading_of_the_code_finds_verbs_of_every_form() -> None:
    """An insert, an update by hand-written SQL, a delete, and a verb that writes by another's hand only."""
    some = {
        "workers.jobs.submit.submit",
        "workers.jobs.control.budget.settle",
        "workers.jobs.fleet.members.gone",
        "workers.jobs.expire.fail_claim",
        "workers.jobs.catalogue.flips.feeds_gone",  # under shorter names
    }
    assert some <= verbs()
    assert not any(name.endswith((".list_budgets", ".reason", ".settled_by")) for name in verbs())


@pytest.mark.parametrize(
    ("written", "flaw"),
    [
        ([("change", "!update items state")], "a change without an event: !update items state"),
        ([("event", "item.cancelled")], "an event without a change: item.cancelled"),
        ([("event", "item.cancelled"), ("change", "!update items state")], None),
        ([("change", "update batches")], None),  # a lease
        ([("event", "asset.linked")], None),  # an act of its own
        ([], None),
    ],
)
def test_what_is_no_whole_change(written: list[tuple[str, str]], flaw: str | None) -> None:
    assert flaw_of(written) == flaw


def test_the_watch_over_these_tests_sees_a_change_and_an_event_alone(line: Line, whole_changes: WholeChanges) -> None:
    """What conftest.py finds after every test, on purpose here; what is rolled back does not count."""
    (item_id,) = line.submit("acme", 1)
    seen = whole_changes.broken
    move = update(items).where(items.c.id == item_id).values(state=ItemState.PENDING)
    told = events.ItemCancelled(line.item(item_id).request_id, item_id)
    with line.worker.connect() as conn:
        conn.execute(move)
        conn.rollback()
    assert seen == []
    with line.worker.begin() as conn:
        conn.execute(move)
    with line.worker.begin() as conn:
        append(conn, tenant="acme", actor="test", events=[told])
    assert seen == ["a change without an event: !update items state", "an event without a change: item.cancelled"]
    seen.clear()


class _Story:
    """A line on which anything may happen next, and the states that its ledger tells."""

    def __init__(self, line: Line, seed: int) -> None:
        self.line, self.chance = line, random.Random(seed)
        self.held: list[Claim] = []

    def act(self, name: str) -> None:
        getattr(self, name)()

    def submit(self) -> None:
        self.line.submit("acme", self.chance.randint(1, 3))

    def dispatch(self) -> None:
        if waiting := self.line.pending():
            self.line.dispatch(waiting[: self.chance.randint(1, 3)], claims_allowed=self.chance.randint(1, 2))

    def claim(self) -> None:
        if ready := self.line.batch_ids(BatchState.DISPATCHED):
            self.held.append(self.line.claim(self.chance.choice(ready)))

    def settle(self) -> None:
        self._with_claim(
            lambda conn, held: settle(conn, held, [self._outcome(held, n) for n in range(len(held.items))])
        )

    def settle_some(self) -> None:
        if self.held:
            held = self.chance.choice(self.held)
            self._write(lambda conn: settle_some(conn, held, [self._outcome(held, 0)]))

    def give_back(self) -> None:
        self._with_claim(lambda conn, held: give_back(conn, held, "store_unavailable"))

    def fail_claim(self) -> None:
        self._with_claim(lambda conn, held: fail_claim(conn, held, "error:KeyError", LEASE, "worker-1"))

    def expire(self) -> None:
        for batch_id in (*self.line.batch_ids(BatchState.RUNNING), *self.line.batch_ids(BatchState.DISPATCHED)):
            self.line.lease_runs_out(batch_id)
        self._write(lambda conn: expire(conn, LEASE))
        self.held.clear()

    def cancel(self) -> None:
        with self.line.as_tenant("acme") as conn:
            row = conn.execute(items.select().order_by(items.c.id).limit(1)).one_or_none()
            if row is not None and self.chance.random() < 0.5:
                cancel_request(conn, "acme", row.request_id, "test")
            elif row is not None and row.state in (ItemState.PENDING, ItemState.PLANNED):
                cancel_item(conn, "acme", row.id, "test")

    def _with_claim(self, work) -> None:
        if self.held:
            held = self.held.pop(self.chance.randrange(len(self.held)))
            self._write(lambda conn: work(conn, held))

    def _write(self, work) -> None:
        """Now and then the process dies before its commit: neither the change nor the event is there."""
        with self.line.worker.connect() as conn:
            work(conn)
            if self.chance.random() < 0.8:
                conn.commit()
            else:
                conn.rollback()

    def _outcomes(self, held: Claim) -> list[Outcome]:
        return [self._outcome(held, n) for n in range(len(held.items))]

    def _outcome(self, held: Claim, n: int) -> Outcome:
        item = held.items[n]
        makes = (
            partial(released, held, item, verdict=ALLOW),
            partial(Held, item, HOLD, f"quarantine/acme/{item.id}/{held.attempt}/unmarked.png", "b" * 64),
            partial(Refused, item, REFUSE),
            partial(Failed, item, "not_finite"),
        )
        return self.chance.choice(makes)()

    def told(self) -> dict[str, str]:
        """Item -> state, from the ledger alone; what was cancelled with its request is told by its number."""
        states: dict[str, str] = {}
        for one in self.line.events():
            if one.kind == "batch.dispatched":
                states |= {id: ItemState.PLANNED for id in one.event["item_ids"] if id not in states}
            elif one.kind.startswith("item.") and one.kind != "item.reviewed":
                item_id = one.event["item_id"]
                assert states.get(item_id, ItemState.PLANNED) in (ItemState.PLANNED, ItemState.PENDING), "settled twice"
                states[item_id] = one.kind.removeprefix("item.")
        return states

    def check(self) -> None:
        with self.line.auditor.connect() as conn:
            rows = {row.id: row for row in conn.execute(items.select())}
            running = Counter(row.state for row in conn.execute(batches.select()))
        told = self.told()
        by_request = Counter(row.request_id for row in rows.values() if row.state == ItemState.CANCELLED)
        for one in self.line.events("item.cancelled"):
            by_request[one.event["request_id"]] -= 1
        for one in self.line.events("request.cancelled"):
            by_request[one.event["request_id"]] -= one.event["items"]
        assert not +by_request
        assert not -by_request
        for item_id, row in rows.items():
            if row.state != ItemState.CANCELLED:
                assert told.get(item_id, ItemState.PENDING) == row.state
        kinds = Counter(one.kind for one in self.line.events())
        assert running[BatchState.FINISHED] == kinds["batch.finished"]
        assert running[BatchState.ABANDONED] == kinds["batch.abandoned"]
        ended = kinds["batch.finished"] + kinds["batch.returned"] + kinds["batch.expired"]
        assert kinds["batch.claimed"] - ended == running[BatchState.RUNNING]


_ACTS = [name for name in vars(_Story) if not name.startswith("_") and name not in ("act", "told", "check")]


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(_ACTS), min_size=12, max_size=30), seed=st.integers(0, 2**16))
def test_whatever_happens_in_whatever_order_the_states_follow_from_the_ledger(
    line: Line, acts: list[str], seed: int
) -> None:
    story = _Story(line, seed)
    for name in ("submit", "dispatch", "claim", *acts):
        story.act(name)
    story.check()
