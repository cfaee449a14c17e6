"""Thumbnails made at finish: beside the files, in the ledger, in no list of files, and gone with a recall."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from sqlalchemy import select

from api.results.thumbnails import small_picture
from policy.marks.renditions import THUMBNAIL
from tests.support.fakes import FakeSampler
from tests.support.line import Line
from tests.support.recalls import Recalling
from tests.support.reviews import GREY, Reviewing, clerk
from tests.support.worker import Works
from workers.clerk.releases import run_once
from workers.jobs.asset_views import get_asset, thumbnail_of
from workers.jobs.recall.criteria import Criteria
from workers.jobs.tables import assets, holds
from workers.jobs.views import list_items
from workers.settings import Settings
from workers.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import S3


@pytest.fixture
def works(line: Line, settings_for: Callable[..., Settings], s3: S3) -> Works:
    return Works(line, settings_for, s3)


def make(works: Works, ids: list[str], **pictures: Any) -> None:
    executor = works.executor(FakeSampler(pictures=pictures))
    executor.finisher = replace(executor.finisher, thumbnails=True)
    executor.run(works.line.dispatch(ids))


def hashes(works: Works, table: Any) -> list[str | None]:
    with works.line.auditor.connect() as conn:
        return list(conn.scalars(select(table.c.thumbhash)))


def test_a_thumbnail_lies_beside_the_files_and_is_none_of_them(works: Works) -> None:
    (item_id,) = works.line.submit("acme", 1, renditions=("original", "jpeg"))
    make(works, [item_id])
    with works.line.as_tenant("acme") as conn:
        asset_id = conn.scalars(select(assets.c.id)).one()
        view, made = get_asset(conn, "acme", asset_id), thumbnail_of(conn, "acme", asset_id)
        assert thumbnail_of(conn, "another-tenant", asset_id) is None
        (item,) = list_items(conn, "acme", view.request_id, limit=9)
    assert made is not None
    assert [file.name for file in view.renditions] == ["original", "jpeg"]
    store = ObjectStore(works.settings_for("api"))
    content = small_picture(store, made, ())
    assert Image.open(BytesIO(content)).format == "WEBP"
    assert hashlib.sha256(content).hexdigest() == made.sha256
    (told,) = works.line.events("item.released")
    assert [file["name"] for file in told.event["renditions"]] == ["original", "jpeg", THUMBNAIL]
    assert hashes(works, assets) == [item.thumbhash]
    assert 8 <= len(item.thumbhash or "") <= 40
    assert made.key in works.s3.keys("released/")

    works.s3.client().put_object(Bucket=works.s3.bucket, Key=made.key, Body=b"another picture")
    assert small_picture(store, made, view.renditions)[8:12] == b"WEBP", "made anew, of the released file"

    recalling = Recalling(works.line, works.settings_for, works.s3)
    recalling.order(Criteria(asset_id=asset_id))
    recalling.carry_out()
    assert works.s3.keys("released/") == []
    assert hashes(works, assets) == [None]


def test_a_held_picture_brings_its_thumbnail_along_when_it_is_released(works: Works) -> None:
    ids = works.line.submit("acme", 2)
    make(works, ids, **{"row-1": GREY, "row-2": GREY})
    people, context = Reviewing(works.line), clerk(works.line.database, works)
    first, second = (people.hold_of(id) for id in ids)
    assert first.thumbhash
    assert second.thumbhash
    assert not works.s3.keys("released/")
    people.say("release", ids[0])
    people.say("refuse", ids[1])
    assert run_once(context) == 2
    assert works.s3.keys("quarantine/") == []
    assert [key.rpartition("/")[2] for key in works.s3.keys("released/")] == ["_thumbnail.webp", "original.png"]
    assert hashes(works, assets) == [first.thumbhash]
    assert hashes(works, holds) == [None, None], "nothing stays of what was refused"
