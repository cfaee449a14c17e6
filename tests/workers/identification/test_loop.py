"""Identify process on the real services: what is released is indexed, a question answered once, whatever dies."""

from __future__ import annotations

import signal
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from bench.pictures.attacks import ATTACKS
from bench.pictures.scenes import scene
from tests.conftest import S3
from tests.support import forked
from tests.support.line import Line, eventually
from tests.support.released import Gallery, encoded, jpeg, pixels, work
from workers.errors import TooManyOpen
from workers.identification import loop
from workers.jobs.identification import questions
from workers.jobs.identification.tables import fingerprints, identifications, unindexed
from workers.settings import Settings


@pytest.fixture
def gallery(line: Line, settings_for: Callable[..., Settings]) -> Gallery:
    return Gallery(line, settings_for)


def test_what_is_released_is_indexed_and_a_copy_of_it_found(gallery: Gallery) -> None:
    first, second = gallery.release([scene(1), scene(1, 1)])
    context = gallery.context()
    answer = gallery.answer(context, jpeg(pixels(second.data), 80))
    assert (answer["finding"], answer["verified"], answer["asset_id"]) == ("ours", True, second.asset_id)
    assert answer["false_match_probability"] < 1e-12
    with gallery.line.auditor.connect() as conn:
        rows = conn.execute(select(fingerprints)).all()
    assert {row.asset_id for row in rows} == {first.asset_id, second.asset_id}
    assert all(row.quality > 0 and row.features > 24 for row in rows)
    with gallery.line.owner.connect() as conn:
        assert conn.execute(select(unindexed)).all() == []


def test_a_screenshot_of_a_crop_without_metadata_is_found_by_what_it_shows(gallery: Gallery) -> None:
    (shown,) = gallery.release([scene(8)])
    found = ATTACKS["screenshot + crop"](pixels(shown.data), np.random.default_rng(1))
    answer = gallery.answer(gallery.context(), encoded(found))
    assert (answer["finding"], answer["asset_id"]) == ("ours", shown.asset_id)
    assert answer["layers"]["watermark"] is None


def test_a_picture_of_nobody_is_not_found(gallery: Gallery) -> None:
    gallery.release([scene(1)])
    answer = gallery.answer(gallery.context(), encoded(scene(23)))
    assert (answer["finding"], answer["asset_id"], answer["made_here"]) == ("not_found", None, False)


def test_the_untouched_file_is_known_by_its_manifest(gallery: Gallery) -> None:
    (shown,) = gallery.release([scene(6)])
    answer = gallery.answer(gallery.context(), shown.data)
    assert (answer["finding"], answer["verified"]) == ("ours", True)
    assert answer["layers"]["manifest"]["standing"] == "ours"


def test_a_note_added_after_signing_leaves_the_picture_ours_and_its_manifest_worth_nothing(gallery: Gallery) -> None:
    (shown,) = gallery.release([scene(6)])
    note = b"tEXtComment\0mine"
    chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    answer = gallery.answer(gallery.context(), shown.data[:33] + chunk + shown.data[33:])
    assert (answer["finding"], answer["verified"]) == ("ours", True)
    assert answer["layers"]["manifest"]["standing"] == "altered"
    assert any("edited after signing" in reason for reason in answer["reasons"])


def test_another_tenant_learns_that_it_was_made_here_and_no_more(gallery: Gallery) -> None:
    (shown,) = gallery.release([scene(3)], tenant="acme")
    answer = gallery.answer(gallery.context(), jpeg(pixels(shown.data), 85), tenant="rival")
    assert (answer["finding"], answer["made_here"], answer["own"]) == ("ours", True, False)
    assert answer["asset_id"] is None
    assert answer["state"] == "released"
    assert shown.asset_id not in str(answer)
    assert answer["layers"]["candidates"] == []
    asked, told = (gallery.line.events(kind) for kind in ("picture.identified", "item.released"))
    assert [(one.tenant, one.event["asset_id"]) for one in asked] == [("rival", None)]
    assert len(told) == 1


def test_a_recalled_picture_is_found_where_it_was_moved_to(gallery: Gallery, s3: S3) -> None:
    (shown,) = gallery.release([scene(4)])
    with gallery.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled'"))
    admin = s3.client()
    moved = shown.key.replace("released/", "recalled/", 1)
    admin.copy_object(Bucket=s3.bucket, Key=moved, CopySource={"Bucket": s3.bucket, "Key": shown.key})
    admin.delete_object(Bucket=s3.bucket, Key=shown.key)
    answer = gallery.answer(gallery.context(), jpeg(pixels(shown.data), 90))
    assert (answer["finding"], answer["asset_id"], answer["state"]) == ("ours", shown.asset_id, "recalled")


def test_an_answer_is_one_event_and_the_upload_is_gone(gallery: Gallery, s3: S3) -> None:
    (shown,) = gallery.release([scene(9)])
    gallery.answer(gallery.context(), jpeg(pixels(shown.data), 90))
    (event,) = gallery.line.events("picture.identified")
    assert (event.tenant, event.actor) == ("acme", "identify")
    assert (event.event["finding"], event.event["asset_id"]) == ("ours", shown.asset_id)
    assert event.subjects == [f"asset:{shown.asset_id}"]
    assert s3.keys("inbox/") == []


def test_a_question_is_answered_at_once(gallery: Gallery, settings_for: Callable[..., Settings]) -> None:
    """It polls once in ten minutes: only the NOTIFY can have brought it."""
    stop = threading.Event()
    settings = settings_for("identify", poll_seconds=600)
    thread = threading.Thread(target=loop.serve, args=(settings, stop))
    thread.start()
    try:
        eventually(gallery.line.is_listened_to)
        id = gallery.ask(b"not a picture")
        eventually(lambda: gallery.read(id).state == "failed")
    finally:
        stop.set()
        thread.join(timeout=60)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not a picture", "not_a_picture"),
        (encoded(np.zeros((9, 9, 3), np.uint8))[:60], "damaged"),
    ],
)
def test_what_cannot_be_opened_is_answered_with_a_reason(gallery: Gallery, data: bytes, reason: str) -> None:
    id = gallery.ask(data)
    work(gallery.context())
    view = gallery.read(id)
    assert (view.state, view.reason, view.answer) == ("failed", reason, None)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (2000, 3), (17, 17)])
def test_pictures_of_odd_sizes_are_answered(gallery: Gallery, size: tuple[int, int]) -> None:
    gallery.release([scene(1)])
    chance = np.random.default_rng(0)
    odd = chance.integers(0, 256, (*size, 3), np.uint8)
    assert gallery.answer(gallery.context(), encoded(odd))["finding"] == "not_found"


@pytest.mark.crash
@pytest.mark.parametrize(("point", "states"), [("questioned", ["running"]), ("answered", ["done"])])
def test_a_process_killed_in_the_middle_loses_no_question(
    gallery: Gallery, s3: S3, tmp_path: Path, point: str, states: list[str]
) -> None:
    (shown,) = gallery.release([scene(11)])
    id = gallery.ask(jpeg(pixels(shown.data), 90))
    dead = gallery.settings_for("identify", crash_point=point, poll_seconds=0.05)
    process = forked.start(
        "workers.__main__", "identify", environment=dead.to_environment(), log=tmp_path / "identify.log"
    )
    assert process.wait(120) == -signal.SIGKILL
    assert [gallery.read(id).state] == states
    lease_runs_out(gallery.line)
    context = gallery.context()
    work(context)
    assert gallery.read(id).state == "done"
    assert len(gallery.line.events("picture.identified")) == 1
    loop.sweep(context)
    assert s3.keys("inbox/") == []


def test_a_picture_that_kills_every_claim_is_answered_as_given_up(gallery: Gallery) -> None:
    id = gallery.ask(b"poison")
    for _ in range(questions.CLAIMS_ALLOWED):
        with gallery.context().engine.begin() as conn:
            assert questions.claim(conn, loop.timedelta(seconds=60)) is not None
        lease_runs_out(gallery.line)
    work(gallery.context())
    assert (gallery.read(id).state, gallery.read(id).reason) == ("failed", "gave_up")
    (event,) = gallery.line.events("picture.identified")
    assert event.event["finding"] == "failed"


def test_a_late_process_cannot_overwrite_an_answer(gallery: Gallery) -> None:
    id = gallery.ask(b"not a picture")
    context = gallery.context()
    with context.engine.begin() as conn:
        late = questions.claim(conn, loop.timedelta(seconds=60))
    assert late is not None
    lease_runs_out(gallery.line)
    work(context)
    with context.engine.begin() as conn:
        assert not questions.settle(conn, late, {"finding": "ours", "verified": True}, None)
        assert not questions.fail(conn, late, "late")
    assert gallery.read(id).reason == "not_a_picture"
    assert len(gallery.line.events("picture.identified")) == 1


def test_tenants_take_turns(gallery: Gallery) -> None:
    many = [gallery.ask(b"x", tenant="busy") for _ in range(3)]
    one = gallery.ask(b"x", tenant="quiet")
    context = gallery.context()
    claimed = []
    for _ in range(4):
        with context.engine.begin() as conn:
            question = questions.claim(conn, loop.timedelta(seconds=60))
        assert question is not None
        claimed.append(question.id)
    assert claimed == [many[0], one, many[1], many[2]]


def test_a_tenant_has_a_limited_number_of_open_questions(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_OPEN", 2)
    gallery.ask(b"x")
    gallery.ask(b"x")
    with pytest.raises(TooManyOpen, match="2 pictures"):
        gallery.ask(b"x")
    gallery.ask(b"x", tenant="other")


def test_answers_and_lost_uploads_are_swept_and_open_ones_kept(gallery: Gallery, s3: S3) -> None:
    answered, waiting = gallery.ask(b"x"), gallery.ask(b"y")
    admin = s3.client()
    admin.put_object(Bucket=s3.bucket, Key="inbox/acme/01890000-0000-7000-8000-000000000000", Body=b"lost in 2023")
    context = gallery.context()
    assert loop.sweep(context) == 1
    assert len(s3.keys("inbox/")) == 2
    with gallery.line.owner.begin() as conn:
        conn.execute(
            identifications.update()
            .where(identifications.c.id == answered)
            .values(state="failed", reason="old", settled_at=text("clock_timestamp() - interval '2 days'"))
        )
    loop.sweep(context)
    assert s3.keys("inbox/") == [f"inbox/acme/{waiting}"]
    with gallery.line.auditor.connect() as conn:
        assert list(conn.scalars(select(identifications.c.id))) == [waiting]


def test_what_another_process_indexed_is_taken_in_once(gallery: Gallery) -> None:
    gallery.release([scene(1), scene(2)])
    one, other = gallery.context(), gallery.context()
    work(one)
    assert [one.released.refresh(), other.released.refresh(), other.released.refresh()] == [0, 2, 0]
    gallery.release([scene(3)])
    work(one)
    assert other.released.refresh() == 1
    assert len(other.released.index) == len(one.released.index) == 3


def test_an_asset_whose_file_was_swapped_is_not_indexed(gallery: Gallery, s3: S3) -> None:
    (shown,) = gallery.release([scene(1)])
    s3.client().put_object(Bucket=s3.bucket, Key=shown.key, Body=encoded(scene(2)))
    context = gallery.context()
    loop.index_some(context.engine, context.store)
    with gallery.line.owner.connect() as conn:
        assert conn.execute(select(fingerprints)).all() == []
        assert [row.attempt for row in conn.execute(select(unindexed))] == [1]


def test_the_identify_role_cannot_touch_an_asset_or_an_answer_s_tenant(gallery: Gallery) -> None:
    gallery.release([scene(1)])
    engine: Any = gallery.context().engine
    for statement in (
        "update assets set state = 'recalled'",
        "delete from assets",
        "update identifications set tenant = 'other'",
        "insert into identifications (id) values (gen_random_uuid())",
        "select prompt from items",
    ):
        with pytest.raises(Exception, match="permission denied"), engine.begin() as conn:
            conn.execute(text(statement))


def lease_runs_out(line: Line) -> None:
    with line.owner.begin() as conn:
        conn.execute(
            text("update identifications set lease_until = clock_timestamp() - interval '1 s' where state = 'running'")
        )
