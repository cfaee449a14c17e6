"""Kept drawings: other files of a picture are made of its pixels, by a worker that has no device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from policy.ledger.erase import Why
from policy.marks.channels.channel import Channel
from policy.marks.inspect import inspect
from policy.marks.locks.product_lock import ProductLock
from tests.support.databases import Database
from tests.support.line import Line, new_item
from tests.support.reviews import Reviewing, clerk
from tests.support.worker import Works
from workers.clerk.releases import run_once
from workers.cost.limits import Limits
from workers.errors import Stale, StoreRefused
from workers.gpu.drawings import from_drawings, kept_drawing
from workers.gpu.executor import Executor
from workers.jobs.control.budget import list_budgets, set_budget
from workers.jobs.drawings.tables import drawings
from workers.jobs.privacy.drawings import over
from workers.jobs.privacy.erase import erase_items
from workers.jobs.recall.criteria import Criteria, preview
from workers.jobs.recall.orders import order
from workers.jobs.tables import assets, items, renditions
from workers.jobs.types import SamplingPosition, new_id
from workers.sampling.no_device import NoDevice
from workers.states import FINISHING, ItemState
from workers.store import DRAWINGS, ObjectStore

SQUARE = Channel("square", 96, 96, fit="pad")
WIDE = Channel("wide", 160, 90, fit="pad", format="webp")


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def keeping(executor: Executor) -> Executor:
    executor.finisher = replace(executor.finisher, keep_drawings=True)
    return executor


def drawn(works: Works, images: int = 2, **submitted: Any) -> list[str]:
    ids = works.line.submit("acme", images, channels=(SQUARE,), **submitted)
    for batch_id in works.look():
        keeping(works.executor()).run(batch_id)
    return ids


def without_device(works: Works) -> None:
    executor = keeping(works.executor(worker="light"))
    executor.sampler = NoDevice()  # type: ignore[assignment]
    for batch_id in works.look():
        executor.run(batch_id)


def again(works: Works, images: int = 2, channels: Sequence[Channel] = (WIDE,), **request: Any) -> list[str]:
    return works.line.submit("acme", images, channels=tuple(channels), reuse=True, **request)


def all_of(line: Line, table) -> list:
    with line.auditor.connect() as conn:
        return list(conn.execute(select(table)))


def test_another_channel_is_made_of_the_kept_drawing_and_no_device_draws(works: Works) -> None:
    works.line.add_tenant("acme")
    with works.line.as_tenant("acme") as conn:
        set_budget(conn, "acme", None, Limits(2), actor="key:k")
    first = drawn(works)
    second = again(works)
    items = [works.line.item(id) for id in second]
    assert [(i.queue, i.drawing_item_id, i.not_reused) for i in items] == [
        (FINISHING, id, "renditions") for id in first
    ]
    without_device(works)
    assert works.line.states() == {ItemState.RELEASED: 4}
    told = {one.event["item_id"]: one.event for one in works.line.events("item.released")}
    for before, after in zip(first, second, strict=True):
        assert told[after]["drawing"]["item_id"] == before
        assert told[after]["verdict"]["pixels"] == told[before]["verdict"]["pixels"], "screened again, the same pixels"
        assert told[after]["batch_position"] == told[before]["batch_position"]
        assert told[after]["asset_id"] != told[before]["asset_id"]
        assert "drawing" not in told[before] or told[before]["drawing"] is None
        assert [one["name"] for one in told[after]["renditions"]] == ["original", "wide"]
    settings = works.settings_for("worker")
    store, anchors = ObjectStore(settings), settings.trust_anchors.read_text()
    marks = {asset.id: asset.watermark_id for asset in all_of(works.line, assets)}
    for file in all_of(works.line, renditions):
        found = inspect(store.get(file.key), anchors)
        assert found.watermark.watermark_id == marks[file.asset_id], f"{file.name} carries one mark, its own"
    assert len(all_of(works.line, drawings)) == 2, "of what was drawn; nothing is kept twice"
    with works.line.as_tenant("acme") as conn:
        (budget,) = list_budgets(conn, "acme")
    assert (budget.images_made, budget.images_reserved) == (2, 0), "it cost no image"
    (third,) = again(works, 1, (SQUARE, WIDE))
    assert works.line.item(third).drawing_item_id == first[0], "a drawing of a drawing is the first one"


def test_a_drawing_is_private_and_goes_with_the_text_of_its_item(works: Works) -> None:
    ids = drawn(works)
    kept = all_of(works.line, drawings)
    keys = works.s3.keys(f"{DRAWINGS}/")
    assert sorted(row.key for row in kept) == keys
    (waiting,) = again(works, 1)
    why = Why(new_id(), "request", "request")
    with works.line.database.engine("clerk").begin() as conn:
        assert erase_items(conn, [ids[0]], tenant="acme", why=why, comments=True)["items"] == 1
        assert list(conn.scalars(text("SELECT object_key FROM removals"))) == [kept[0].key]
    without_device(works)
    item = works.line.item(waiting)
    assert (item.state, item.reason) == ("failed", "drawing_gone")
    (lost,) = works.line.events("picture.erased")
    assert lost.event["object_key"] == kept[0].key


def test_a_recall_reaches_what_waits_and_what_was_made_of_the_same_drawing(works: Works) -> None:
    ids = drawn(works)
    again(works)
    without_device(works)
    waiting, spared = again(works, 2, (SQUARE, WIDE))
    with works.line.auditor.connect() as conn:
        asset = conn.scalar(select(assets.c.id).where(assets.c.item_id == ids[0]))
    with works.line.as_tenant("acme") as conn:
        criteria = Criteria(asset_id=asset)
        assert preview(conn, "acme", criteria).released == 2, "the same picture in another channel goes with it"
        order(conn, "acme", criteria, reason_code="rights", reason="x", actor="key:k")
    without_device(works)
    assert (works.line.item(waiting).state, works.line.item(waiting).reason) == ("failed", "drawing_recalled")
    assert works.line.item(spared).state == "released"


def test_a_recall_of_a_request_takes_the_same_pictures_of_other_requests(works: Works) -> None:
    first, other = works.line.item(drawn(works)[0]), works.line.item(again(works)[0])
    without_device(works)
    with works.line.as_tenant("acme") as conn:
        for request_id in (first.request_id, other.request_id):
            assert preview(conn, "acme", Criteria(request_id=request_id)).released == 4


def test_a_review_releases_nothing_that_shows_a_recalled_picture(works: Works, database: Database) -> None:
    root = drawn(works)[0]
    reviewing = Reviewing(works.line)
    (held,) = reviewing.made_and_held(works)
    with works.line.owner.begin() as conn:  # as what was made of the drawing, and held
        conn.execute(
            text("update items set drawing_item_id = :root, queue = 'finishing' where id = :id"),
            {"root": root, "id": held},
        )
        asset = conn.scalar(select(assets.c.id).where(assets.c.item_id == root))
    with works.line.as_tenant("acme") as conn:
        order(conn, "acme", Criteria(asset_id=asset), reason_code="rights", reason="x", actor="key:k")
    reviewing.say("release", held)
    run_once(clerk(database, works))
    assert (works.line.item(held).state, works.line.item(held).reason) == ("failed", "drawing_recalled")


def test_an_altered_drawing_is_not_used(works: Works) -> None:
    drawn(works, 1)
    (waiting,) = again(works, 1)
    (kept,) = all_of(works.line, drawings)
    works.s3.client("admin").put_object(Bucket=works.s3.bucket, Key=kept.key, Body=b"another picture")
    without_device(works)
    assert works.line.item(waiting).reason == "drawing_gone"


def test_a_drawing_of_another_tenant_is_not_found_and_nothing_is_drawn_in_its_place(works: Works) -> None:
    (id,) = drawn(works, 1)
    with pytest.raises(Stale, match="given up meanwhile"):
        works.line.submit("rival", 1, new_items=[new_item(1, drawing_of=id)], channels=(WIDE,))
    assert {item.tenant for item in all_of(works.line, items)} == {"acme"}


def test_a_locked_product_comes_back_with_its_lock(works: Works) -> None:
    held = works.line.claim(works.line.dispatch(works.line.submit("acme", 1)))
    (item,), store = held.items, ObjectStore(works.settings_for("worker"))
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (*held.recipe.shape,), np.uint8)
    lock = ProductLock(random.integers(0, 256, image.shape[:2], np.uint8), {"source": "a" * 64}, strict=True, inset=3)
    position = SamplingPosition(4, 2, "cpu", {"torch": "2"})
    kept = kept_drawing(store, held, item, image, position, product={"mask": "m"}, lock=lock)
    assert kept is not None
    derived = replace(held, items=(replace(item, drawing=kept, made_of={"item_id": item.id, "sha256": kept.sha256}),))
    came = from_drawings(derived, store, {})
    assert np.array_equal(came.images[0], image)
    assert came.positions == (position,)
    again = came.locks[item.id]
    assert np.array_equal(again.alpha, lock.alpha)
    assert (again.strict, again.inset, again.facts) == (True, 3, lock.facts)
    assert came.records == {item.id: {"mask": "m"}}


def test_a_store_that_takes_no_drawings_holds_no_picture_up(works: Works, monkeypatch) -> None:
    put = ObjectStore.put

    def refusing(self: ObjectStore, key: str, *args: Any, **kwargs: Any) -> str:
        if key.startswith(f"{DRAWINGS}/"):
            raise StoreRefused("AccessDenied")
        return put(self, key, *args, **kwargs)

    monkeypatch.setattr(ObjectStore, "put", refusing)
    drawn(works, 1)
    assert works.line.states() == {ItemState.RELEASED: 1}
    assert all_of(works.line, drawings) == []
    (plain,) = again(works, 1)
    assert works.line.item(plain).queue == "gpu", "nothing is kept, so it is drawn"


def test_a_drawing_goes_when_it_was_not_used_for_long_and_nothing_waits_for_it(works: Works) -> None:
    drawn(works, 3)
    again(works, 1)
    kept = sorted(all_of(works.line, drawings), key=lambda row: row.item_id)
    leftover = f"{DRAWINGS}/acme/{kept[1].item_id}/9/drawing.png"
    keys = {row.key: row.item_id for row in kept} | {leftover: kept[1].item_id}
    soon = datetime.now(UTC) + timedelta(hours=1)
    with works.line.owner.begin() as conn:
        conn.execute(text("UPDATE drawings SET used_at = :at WHERE item_id = :id"), {"at": soon, "id": kept[1].item_id})
    with works.line.database.engine("clerk").begin() as conn:
        gone = over(conn, "acme", keys, soon - timedelta(minutes=1))
    assert gone == {kept[2].key, leftover}, (
        "the first is waited for, the second was used; what no row names is left over"
    )
    assert {row.key for row in all_of(works.line, drawings)} == {kept[0].key, kept[1].key}
