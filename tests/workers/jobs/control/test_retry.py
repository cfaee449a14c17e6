"""Retry: failed items are made again under the same names, and nothing else is."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.line import KEY_ID, REFUSE, Line, released
from workers.cost.limits import Limits
from workers.errors import BudgetExceeded, Conflict
from workers.jobs.cancel import cancel_request
from workers.jobs.control.budget import list_budgets, set_budget
from workers.jobs.control.retry import Retried, retry
from workers.jobs.control.selection import ItemSelection
from workers.jobs.settle import settle
from workers.jobs.types import Failed, Refused
from workers.states import ItemState, RequestPhase


def settled(line: Line) -> list[str]:
    """Four items of a finished request: released, refused, and two that failed."""
    ids = line.submit("acme", 4)
    held = line.claim(line.dispatch(ids))
    a, b, c, d = held.items
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, a), Refused(b, REFUSE), Failed(c, "black"), Failed(d, "black")])
    return ids


def again(line: Line, item_id: str, **wanted: object) -> Retried:
    with line.as_tenant("acme") as conn:
        request_id = line.item(item_id).request_id
        return retry(conn, "acme", request_id, KEY_ID, actor="key:k", **wanted)  # type: ignore[arg-type]


def phase(line: Line) -> str:
    with line.auditor.connect() as conn:
        return str(conn.execute(text("select phase from requests")).scalar_one())


def test_failed_items_are_made_again_with_their_ids_and_seeds_and_refused_ones_never(line: Line) -> None:
    ids = settled(line)
    seeds = [line.item(id).seed for id in ids]
    assert phase(line) == RequestPhase.FINISHED
    assert again(line, ids[0]) == (2, 1)
    assert line.states() == {ItemState.RELEASED: 1, ItemState.REFUSED: 1, ItemState.PENDING: 2}
    assert (phase(line), [line.item(id).seed for id in ids]) == (RequestPhase.RUNNING, seeds)
    assert again(line, ids[0]) == (0, 1)  # nothing failed since
    told = line.events("item.retried")
    assert [(one.event["item_id"], one.event["round"], one.event["reason"]) for one in told] == [
        (ids[2], 1, "black"),
        (ids[3], 1, "black"),
    ]


def test_attempts_go_on_counting_so_that_no_two_share_an_object(line: Line) -> None:
    ids = settled(line)
    again(line, ids[0])
    held = line.claim(line.dispatch(ids[2:]))
    assert held.attempt == 2
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    assert (phase(line), line.states()[ItemState.RELEASED]) == (RequestPhase.FINISHED, 3)
    assert len(line.events("request.finished")) == 2


def test_a_part_is_retried_and_from_another_seed_where_that_is_asked_for(line: Line) -> None:
    ids = settled(line)
    before = line.item(ids[3]).seed
    assert again(line, ids[0], selection=ItemSelection(custom_ids=("row-4",)), new_seed=True) == (1, 1)
    assert line.item(ids[3]).seed != before
    assert line.item(ids[2]).state == ItemState.FAILED


def test_a_round_is_reserved_as_a_submission_is(line: Line) -> None:
    ids = settled(line)
    for images, fits in ((1, False), (2, True)):
        with line.as_tenant("acme") as conn:
            set_budget(conn, "acme", None, Limits(images), actor="key:k")
        if fits:
            assert again(line, ids[0]).items == 2
        else:
            with pytest.raises(BudgetExceeded, match="asks for 2 images"):
                again(line, ids[0])
    with line.as_tenant("acme") as conn:
        (standing,) = list_budgets(conn, "acme")
    assert standing.images_reserved == 2
    held = line.claim(line.dispatch(ids[2:]))
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    with line.as_tenant("acme") as conn:
        (standing,) = list_budgets(conn, "acme")
    assert (standing.images_reserved, standing.images_made) == (0, 2)


def test_a_cancelled_request_is_not_retried(line: Line) -> None:
    ids = line.submit("acme", 2)
    held = line.claim(line.dispatch(ids[:1]))
    with line.worker.begin() as conn:
        settle(conn, held, [Failed(held.items[0], "black")])
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k")
    with pytest.raises(Conflict, match="is cancelled and cannot be retried"):
        again(line, ids[0])


def test_the_api_s_role_can_put_back_failed_items_only(line: Line) -> None:
    ids = settled(line)
    for id in ids[:2]:
        with pytest.raises(DBAPIError, match="cannot become pending"), line.as_tenant("acme") as conn:
            conn.execute(
                text("update items set state = 'pending', batch_id = null, batch_position = null where id = :id"),
                {"id": id},
            )
