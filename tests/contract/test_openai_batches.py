"""Files and batches of the official `openai` package against our API, unchanged: only base URL and key are ours."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest
from sqlalchemy import func

from api.openai.batches import checking
from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.line import HOLD, REFUSE
from tests.support.openai_client import ENDPOINT, batch_of, client_of, jsonl, line_of, lines_of, polled, uploaded
from tests.support.painter import file_of, painting, releasing
from workers.jobs.control.phases import stop_overdue
from workers.jobs.recall.orders import withdraw
from workers.jobs.tables import requests
from workers.jobs.types import Failed, Held, Refused
from workers.jobs.uploads.tables import batch_jobs


@pytest.fixture
def client(api: ApiTenant) -> openai.OpenAI:
    return client_of(api)


def test_a_batch_ends_with_an_output_file_and_an_error_file(api: ApiTenant, s3: S3, client) -> None:
    lines = [
        line_of("two", n=2, safety_identifier="s-1", quality="low"),
        line_of("link", response_format="url", output_format="webp", output_compression=80),
        line_of("forbidden", prompt="porn"),
        line_of("held"),
        line_of("broken"),
        line_of("refused"),
    ]
    batch = batch_of(client, *lines, metadata={"season": "spring"})
    assert (batch.status, batch.endpoint, batch.completion_window, batch.metadata) == (
        "validating",
        ENDPOINT,
        "24h",
        {"season": "spring"},
    )
    assert batch.expires_at - batch.created_at == 24 * 3600
    started = polled(client, batch, "in_progress")
    assert (started.request_counts.total, started.request_counts.completed, started.model) == (6, 0, "studio")
    assert (started.output_file_id, started.error_file_id, started.metadata) == (None, None, {"season": "spring"})

    def decide(held: Any, item: Any) -> Any:
        outcome = {
            "broken": Failed(item, "worker_lost"),
            "refused": Refused(item, REFUSE),
            "held": Held(item, HOLD, f"quarantine/{item.id}", "a" * 64),
        }
        return outcome.get(item.custom_id) or made(held, item)

    made = releasing(s3)
    with painting(api.server.line, s3, api.tenant, decide):
        ended = polled(client, batch, "completed")
    assert ended.completed_at >= ended.finalizing_at >= ended.in_progress_at
    assert ended.request_counts.model_dump() == {"total": 6, "completed": 2, "failed": 4}
    items = {(item.custom_id, item.variant): item for item in api.items()}

    output = lines_of(client, ended.output_file_id)
    assert list(output) == ["two", "link"]
    body = output["two"]["response"]["body"]
    assert (output["two"]["response"]["status_code"], output["two"]["error"], body["safety_identifier"]) == (
        200,
        None,
        "s-1",
    )
    assert [base64.b64decode(image["b64_json"]) for image in body["data"]] == [
        file_of(items["two", n].id, "original") for n in (0, 1)
    ]
    assert (body["size"], body["quality"], body["output_format"], body["withheld"]) == ("128x128", "low", "png", 0)
    link = output["link"]["response"]["body"]["data"][0]["url"]
    assert httpx.get(link).content == file_of(items["link", 0].id, "webp-80-128x128")

    errors = lines_of(client, ended.error_file_id)
    assert {name: line["response"]["status_code"] for name, line in errors.items()} == {
        "forbidden": 400,
        "held": 400,
        "broken": 500,
        "refused": 400,
    }
    assert errors["forbidden"]["response"]["body"]["error"]["code"] == "moderation_blocked"
    assert errors["broken"]["response"]["body"]["error"]["code"] == "generation_failed"

    stored = client.files.retrieve(ended.error_file_id)
    assert (stored.purpose, stored.bytes) == ("batch_output", len(client.files.content(stored.id).read()))
    assert (len(api.events("asset.linked")), len(api.events("asset.downloaded"))) == (1, 2)
    (started_event,) = api.events("batchjob.started")
    assert started_event.event["lines"] == 6


def test_the_bytes_of_an_output_file_are_those_that_are_read(api: ApiTenant, s3: S3, client) -> None:
    batch = batch_of(client, line_of("a"), line_of("b", n=3, output_format="jpeg"))
    polled(client, batch, "in_progress")
    with painting(api.server.line, s3, api.tenant):
        ended = polled(client, batch, "completed")
    assert client.files.retrieve(ended.output_file_id).bytes == len(client.files.content(ended.output_file_id).read())
    assert ended.error_file_id is None


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (b"{", "json", None),
        (b"[]", "not_an_object", "body"),
        (b'{"custom_id": "a", "custom_id": "b"}', "json", None),
        (b'{"custom_id": "a", "method": "POST", "url": "/v1/x"}', "missing", "body"),
        (b'{"custom_id": "a\\u0000"}', "json", None),
        (b"\xff", "json", None),
        ({**line_of("a"), "url": "/v1/images/edits"}, "batch_url", "url"),
        ({**line_of("a"), "method": "GET"}, "not_a_choice", "method"),
        (line_of("a" * 201), "too_long", "custom_id"),
        (line_of("first"), "duplicate_custom_id", "custom_id"),
        (line_of("a", stream=True), "not_available", "stream"),
        (line_of("a", size="100x100"), "model_limit", "size"),
        (line_of("a", n=11), "too_large", "n"),
        (line_of("a", model="gpt-image-1"), "model_missing", "model"),
        (line_of("a", prompt=""), "too_short", "prompt"),
        (line_of("a", prompt="x" * 2_001), "prompt_too_long", "prompt"),
        (line_of("a", partial_images=1), "not_available", "partial_images"),
        (line_of("a", svg={}), "unknown_field", "svg"),
        (line_of("a", background="transparent", output_format="jpeg"), "not_available", "background"),
        (b'{"custom_id": "' + b"x" * (1024 * 1024) + b'"}', "line_too_long", None),
    ],
)
def test_one_bad_line_fails_the_batch_and_is_named(api: ApiTenant, client, line, code, param) -> None:
    failed = polled(client, batch_of(client, line_of("first"), b"", line, line_of("last")), "failed")
    (error,) = failed.errors.data
    assert (error.code, error.line, error.param) == (code, 3, param), error
    assert error.message
    assert (failed.failed_at is not None, failed.request_counts.total, api.stored()) == (True, 0, 0)
    (told,) = api.events("batchjob.failed")
    assert told.event["codes"] == {code: 1}


def test_as_many_lines_as_may_be_are_a_batch_and_one_more_is_none(api: ApiTenant, monkeypatch, client) -> None:
    assert checking.MAX_LINES == 50_000
    monkeypatch.setattr(checking, "MAX_LINES", 3)
    lines = [line_of(f"line-{n}") for n in range(4)]
    assert polled(client, batch_of(client, *lines[:3]), "in_progress", "failed").status == "in_progress"
    failed = polled(client, batch_of(client, *lines), "in_progress", "failed")
    assert [(error.code, error.line) for error in failed.errors.data] == [("too_many_rows", 4)]
    assert polled(client, batch_of(client), "failed").errors.data[0].code == "no_rows"


def test_lines_choose_up_to_twelve_qualities_each_in_one_size(api: ApiTenant, client) -> None:
    def line(n: int, size: str = "128x128") -> dict[str, Any]:
        return line_of(f"{n} {size}", output_format="jpeg", output_compression=50 + n, size=size)

    lines = [line(n) for n in range(12)]
    assert polled(client, batch_of(client, *lines), "in_progress", "failed").status == "in_progress"
    for wrong in (line(12), line(0, "512x512")):
        (error,) = polled(client, batch_of(client, *lines, wrong), "failed").errors.data
        assert (error.code, error.line, error.param) == ("not_available", 13, "output_compression")


def test_a_batch_that_needs_more_than_there_is_left_fails_whole(api: ApiTenant, client) -> None:
    api.caller().put("/v1/budgets", json={"images": 1})
    failed = polled(client, batch_of(client, line_of("a", n=2)), "failed")
    assert (failed.errors.data[0].code, api.stored()) == ("insufficient_quota", 0)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"endpoint": "/v1/chat/completions"}, "endpoint"),
        ({"endpoint": "/v1/images/variations"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": "lines.jsonl"}, "input_file_id"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3_599}}, "output_expires_after.seconds"),
    ],
)
def test_a_batch_that_cannot_be_is_a_bad_request_that_names_the_parameter(client, changes, param) -> None:
    file = uploaded(client, jsonl(line_of("a")))
    asked = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(**{**asked, **changes})
    assert (caught.value.param, caught.value.code) == (param, "invalid_request")


def test_a_batch_is_cancelled_before_and_after_it_begins(api: ApiTenant, s3: S3, client, monkeypatch) -> None:
    batch = batch_of(client, line_of("a"), line_of("b"))
    polled(client, batch, "in_progress")
    cancelling = client.batches.cancel(batch.id)
    assert (cancelling.status, cancelling.cancelling_at is not None) == ("cancelling", True)
    ended = polled(client, batch, "cancelled")
    assert (ended.request_counts.failed, ended.output_file_id) == (2, None)
    errors = lines_of(client, ended.error_file_id)
    assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)

    monkeypatch.setattr("api.edge.limits.background.Background.offer", lambda *_: False)
    waiting = batch_of(client, line_of("a"))
    assert client.batches.cancel(waiting.id).status == "cancelled"
    assert client.batches.retrieve(waiting.id).cancelled_at is not None
    monkeypatch.undo()
    assert client.batches.retrieve(waiting.id).status == "cancelled"
    assert len(api.events("batchjob.cancelled")) == 1
    assert len(api.events("batchjob.started")) == 1


def test_a_batch_expires_after_its_window(api: ApiTenant, s3: S3, client) -> None:
    batch = batch_of(client, line_of("a"), line_of("b"))
    polled(client, batch, "in_progress")
    with api.server.line.owner.begin() as conn:
        ours = requests.c.tenant == api.tenant
        conn.execute(requests.update().where(ours).values(deadline=func.now() - timedelta(seconds=1)))
        stop_overdue(conn, actor="planner")
    ended = polled(client, batch, "expired")
    assert ended.expired_at is not None
    errors = lines_of(client, ended.error_file_id)
    assert {line["error"]["code"] for line in errors.values()} == {"batch_expired"}


def test_a_process_that_dies_while_it_checks_leaves_a_batch_that_the_next_look_goes_on_with(
    api: ApiTenant, client, monkeypatch
) -> None:
    monkeypatch.setattr("api.edge.limits.background.Background.offer", lambda *_: False)  # it died before it began
    batch = batch_of(client, line_of("a"))
    assert client.batches.retrieve(batch.id).status == "validating"
    with api.server.line.owner.begin() as conn:  # another one died in the middle: its lease is over
        ours = batch_jobs.c.tenant == api.tenant
        conn.execute(batch_jobs.update().where(ours).values(attempt=1, lease_until=func.now() - timedelta(seconds=1)))
    monkeypatch.undo()
    assert polled(client, batch, "in_progress").request_counts.total == 1


def test_a_file_that_is_never_read_to_its_end_is_not_read_for_ever(api: ApiTenant, client, monkeypatch) -> None:
    monkeypatch.setattr("api.edge.limits.background.Background.offer", lambda *_: False)
    batch = batch_of(client, line_of("a"))
    with api.server.line.owner.begin() as conn:
        conn.execute(batch_jobs.update().where(batch_jobs.c.tenant == api.tenant).values(attempt=3))
    monkeypatch.undo()
    assert polled(client, batch, "failed").errors.data[0].code == "too_costly"


def test_batches_are_listed_in_pages(api: ApiTenant, client) -> None:
    made = [batch_of(client, line_of("a")).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]


def test_the_same_idempotency_key_makes_file_and_batch_once(api: ApiTenant, client) -> None:
    key = {"extra_headers": {"Idempotency-Key": "file-1"}}
    content = ("lines.jsonl", jsonl(line_of("a")))
    first, again = (client.files.create(file=content, purpose="batch", **key) for _ in range(2))
    assert first == again
    asked = {"input_file_id": first.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    key = {"extra_headers": {"Idempotency-Key": "batch-1"}}
    assert client.batches.create(**asked, **key).id == client.batches.create(**asked, **key).id
    assert len(list(client.batches.list())) == 1


def test_a_recalled_image_is_in_no_output_file(api: ApiTenant, s3: S3, client) -> None:
    batch = batch_of(client, line_of("a"))
    polled(client, batch, "in_progress")
    with painting(api.server.line, s3, api.tenant):
        ended = polled(client, batch, "completed")
    asset = lines_of(client, ended.output_file_id)["a"]["response"]["body"]["data"][0]["asset_id"]
    asked = {"reason_code": "licence", "reason": "withdrawn", "asset_id": asset}
    assert api.caller().post("/v1/recalls", json=asked).is_success
    with api.server.database.engine("clerk").begin() as conn:
        withdraw(conn, 10)
    assert lines_of(client, ended.output_file_id) == {}


def test_the_asynchronous_client_works_as_well(api: ApiTenant, s3: S3) -> None:
    async def make() -> Any:
        key = api.server.key(api.tenant)[1]
        http = httpx.AsyncClient(transport=httpx.ASGITransport(api.server.app()))
        async with openai.AsyncOpenAI(api_key=key, base_url="http://testserver/v1", http_client=http) as client:
            file = await client.files.create(file=("lines.jsonl", jsonl(line_of("a"))), purpose="batch")
            batch = await client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
            while batch.status != "completed":
                batch = await client.batches.retrieve(batch.id)
                await asyncio.sleep(0.01)
            return (await client.files.content(batch.output_file_id)).text

    with painting(api.server.line, s3, api.tenant):
        (line,) = asyncio.run(make()).splitlines()
    image = json.loads(line)["response"]["body"]["data"][0]["b64_json"]
    assert base64.b64decode(image) == file_of(api.items()[0].id, "original")
