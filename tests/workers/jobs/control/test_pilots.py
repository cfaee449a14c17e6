"""Pilots: the sample is made first, and a person decides about exactly the sheet that was looked at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from policy.rulebook.review import ReviewRules
from tests.support.fakes import RecordingQueue
from tests.support.line import Line, new_item, released
from workers.errors import Conflict, NotFound, OwnCampaign, PilotFailed, Stale
from workers.jobs.cancel import cancel_request
from workers.jobs.control import phases
from workers.jobs.control.acceptance import PilotDecision, decide, look
from workers.jobs.control.selection import ItemSelection
from workers.jobs.keys import create_key
from workers.jobs.settle import settle
from workers.jobs.tables import requests
from workers.jobs.types import Failed, NewPilot
from workers.planning import planner
from workers.states import ItemState

ONE = ReviewRules(four_eyes=frozenset(), never=frozenset(), own_campaign=False)
ALL = ReviewRules(four_eyes=None, never=frozenset(), own_campaign=False)


def submitted(line: Line, *, images: int = 2, of: int = 6, **pilot) -> tuple[str, list[str]]:
    """A campaign whose first rows are its sample."""
    rows = [new_item(n, sample=n <= images) for n in range(1, of + 1)]
    line.add_tenant("acme")
    asked = NewPilot(**({"images": images, "max_rejected": 1, "sampled": images} | pilot))
    ids = line.submit("acme", of, new_items=rows, pilot=asked)
    return line.item(ids[0]).request_id, ids


def key(line: Line, person: str | None) -> str:
    with line.as_tenant("acme") as conn:
        return create_key(conn, "acme", name=person or "robot", scopes=["submit"], actor="test", person=person)[0].id


def phase(line: Line, request_id: str) -> tuple[str, str | None]:
    with line.auditor.connect() as conn:
        row = conn.execute(select(requests).where(requests.c.id == request_id)).one()
    return row.phase, row.paused_for


def made(line: Line, ids: list[str], *, bad: int = 0) -> None:
    """Settle these items; the first `bad` of them failed."""
    held = line.claim(line.dispatch(ids))
    outcomes = [Failed(i, "worker_lost") if n < bad else released(held, i) for n, i in enumerate(held.items)]
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)


def judged(line: Line, request_id: str, decision: str, key_id: str, *, rules: ReviewRules = ONE, digest="", **more):
    with line.as_tenant("acme") as conn:
        shown = digest or look(conn, "acme", request_id).digest
        wanted = PilotDecision(decision, shown, **more)
        return decide(conn, "acme", request_id, wanted, key_id=key_id, rules=rules)


def test_only_the_sample_is_planned_until_a_person_accepts(line: Line, settings_for):
    request_id, ids = submitted(line)
    queue, settings = RecordingQueue(), settings_for("worker", max_batch=8, window=8)
    assert planner.run_once(line.worker, queue, settings) == 1
    assert line.members(queue.batch_ids[0]) == ids[:2]
    held = line.claim(queue.batch_ids[0])
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    assert phase(line, request_id) == ("awaiting_acceptance", None)
    (told,) = line.events("pilot.ready")
    assert told.event == {"request_id": request_id, "images": 2, "counts": {"released": 2}}
    assert planner.run_once(line.worker, RecordingQueue(), settings) == 0
    shown = judged(line, request_id, "accept", key(line, "ann"))
    assert (shown.phase, [choice.by for choice in shown.choices]) == ("running", ["ann"])
    assert planner.run_once(line.worker, queue, settings) == 1
    assert line.members(queue.batch_ids[-1]) == ids[2:]
    (told,) = line.events("pilot.accepted")
    assert (told.event["bad"], told.event["images"], told.event["digest"]) == (0, 2, shown.choices[0].digest)


def test_a_rejected_pilot_waits_and_can_be_decided_again(line: Line):
    request_id, ids = submitted(line)
    made(line, ids[:2])
    ann = key(line, "ann")
    judged(line, request_id, "reject", ann, rejected=(ids[0], ids[1]))
    assert phase(line, request_id) == ("paused", "person")
    with pytest.raises(Conflict, match="resume it, and decide then"):
        judged(line, request_id, "accept", ann)
    with line.as_tenant("acme") as conn:
        phases.resume(conn, "acme", request_id, actor="key:k")
    assert phase(line, request_id) == ("awaiting_acceptance", None)
    judged(line, request_id, "accept", ann, rejected=(ids[0],))
    assert [choice.bad for choice in judged_choices(line, request_id)] == [2, 1]
    assert line.kinds()[-1] == "pilot.accepted"


def judged_choices(line: Line, request_id: str):
    with line.as_tenant("acme") as conn:
        return look(conn, "acme", request_id).choices


@pytest.mark.parametrize(("failed", "rejected", "refused"), [(0, 1, False), (1, 0, False), (1, 1, True), (0, 2, True)])
def test_what_failed_and_what_a_person_rejects_count_together(line: Line, failed, rejected, refused):
    request_id, ids = submitted(line, images=3)
    made(line, ids[:3], bad=failed)
    ann, chosen = key(line, "ann"), tuple(ids[1 : 1 + rejected])
    if refused:
        with pytest.raises(PilotFailed, match=r"2 of 3 sampled images"):
            judged(line, request_id, "accept", ann, rejected=chosen)
        assert phase(line, request_id)[0] == "awaiting_acceptance"
    else:
        assert judged(line, request_id, "accept", ann, rejected=chosen).phase == "running"


def test_a_sheet_that_changed_since_is_stale(line: Line):
    request_id, ids = submitted(line)
    with line.as_tenant("acme") as conn:
        before = look(conn, "acme", request_id).digest
    with pytest.raises(Conflict, match="still being made"):
        judged(line, request_id, "accept", key(line, "ann"))
    made(line, ids[:2])
    with pytest.raises(Stale):
        judged(line, request_id, "accept", key(line, "ann"), digest=before)
    with pytest.raises(NotFound, match="not in the pilot"):
        judged(line, request_id, "accept", key(line, "ann"), rejected=(ids[5],))
    assert not line.events("pilot.accepted")


def test_of_two_people_one_decides_and_the_other_learns_it(line: Line):
    request_id, ids = submitted(line)
    made(line, ids[:2])
    people = [key(line, name) for name in ("ann", "bob", "cleo", "dora")]

    def accept(key_id: str) -> str:
        try:
            return judged(line, request_id, "accept", key_id).phase
        except Conflict as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(accept, people))
    assert answers[0] == "running"
    assert all("was accepted with the key" in answer for answer in answers[1:])
    assert len(line.events("pilot.accepted")) == 1


@pytest.mark.parametrize(("rules", "pilot"), [(ALL, {}), (ONE, {"four_eyes": True})])
def test_four_eyes_need_another_person_than_the_submitter(line: Line, rules, pilot):
    line.add_tenant("acme")
    mine, also_mine, other = key(line, "ann"), key(line, "ann"), key(line, "bob")
    rows = [new_item(n, sample=n == 1) for n in (1, 2)]
    asked = NewPilot(**({"images": 1, "max_rejected": 0, "sampled": 1} | pilot))
    ids = line.submit("acme", 2, new_items=rows, key_id=mine, pilot=asked)
    request_id = line.item(ids[0]).request_id
    made(line, ids[:1])
    for same in (mine, also_mine):
        with pytest.raises(OwnCampaign):
            judged(line, request_id, "accept", same, rules=rules)
    assert judged(line, request_id, "accept", other, rules=rules).phase == "running"


def test_without_four_eyes_the_submitter_may_accept(line: Line):
    request_id, ids = submitted(line)
    made(line, ids[:2])
    assert judged(line, request_id, "accept", key(line, "ann")).phase == "running"


def test_a_paused_pilot_goes_on_where_it_was(line: Line, settings_for):
    request_id, ids = submitted(line)
    batch = line.dispatch(ids[:2])
    with line.as_tenant("acme") as conn:
        phases.pause(conn, "acme", request_id, actor="key:k")
    held = line.claim(batch)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    assert phase(line, request_id) == ("paused", "person")
    with line.as_tenant("acme") as conn:
        phases.resume(conn, "acme", request_id, actor="key:k")
    assert phase(line, request_id) == ("awaiting_acceptance", None)


def test_a_cancelled_sample_proves_nothing_and_a_cancelled_campaign_is_over(line: Line):
    request_id, ids = submitted(line)
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", request_id, "key:k", selection=ItemSelection(rows=((1, 2),)))
    assert phase(line, request_id)[0] == "awaiting_acceptance"
    with pytest.raises(PilotFailed):
        judged(line, request_id, "accept", key(line, "ann"))
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", request_id, "key:k")
    with pytest.raises(Conflict, match="cancelled"):
        judged(line, request_id, "accept", key(line, "ann"))
    assert line.states() == {ItemState.CANCELLED: len(ids)}


def test_the_planner_finds_a_pilot_that_two_settlements_left_to_each_other(line: Line):
    request_id, _ = submitted(line)
    with line.owner.begin() as conn:  # as if each had seen the other's image open
        conn.exec_driver_sql("update items set state = 'cancelled', settled_at = now() where sample")
    with line.worker.begin() as conn:
        phases.end_settled(conn, actor="reconciler")
    assert phase(line, request_id)[0] == "awaiting_acceptance"


def test_another_tenant_sees_no_pilot(line: Line):
    request_id, _ = submitted(line)
    line.add_tenant("bolt")
    with line.as_tenant("bolt") as conn, pytest.raises(NotFound):
        look(conn, "bolt", request_id)
