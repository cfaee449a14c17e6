"""Files of the official `openai` package against our API, unchanged: only base URL and key are ours."""

from __future__ import annotations

import io
from datetime import timedelta

import openai
import pytest
from sqlalchemy import func, select

from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.openai_client import ENDPOINT, batch_of, client_of, jsonl, line_of, polled, uploaded
from workers.clerk import erasures
from workers.clerk import files as clerk_files
from workers.clerk.context import ClerkContext
from workers.jobs.types import new_id
from workers.jobs.uploads import files as uploads
from workers.jobs.uploads.tables import batch_jobs, files
from workers.store import ObjectStore


@pytest.fixture
def client(api: ApiTenant) -> openai.OpenAI:
    return client_of(api)


def test_files_are_listed_read_and_deleted(api: ApiTenant, s3: S3, client) -> None:
    content = jsonl(line_of("a"))
    first, second = uploaded(client, content), client.files.create(file=io.BytesIO(content), purpose="batch")
    assert (first.filename, first.bytes, first.status, first.object) == (
        "lines.jsonl",
        len(content),
        "processed",
        "file",
    )
    assert first.expires_at - first.created_at == 30 * 24 * 3600
    assert [one.id for one in client.files.list()] == [second.id, first.id]
    assert [one.id for one in client.files.list(order="asc", limit=1)] == [first.id, second.id]
    assert [one.id for one in client.files.list(purpose="batch_output")] == []
    assert client.files.content(first.id).read() == content
    assert client.files.retrieve(first.id) == first
    deleted = client.files.delete(first.id)
    assert (deleted.id, deleted.deleted) == (first.id, True)
    for act in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            act(first.id)
    assert [one.id for one in client.files.list()] == [second.id]
    assert [told.event["reason"] for told in api.events("file.deleted")] == ["asked"]


def test_a_file_of_the_largest_size_is_taken_and_one_byte_more_is_not(api: ApiTenant) -> None:
    client = client_of(api, max_file_bytes=2_048, max_files_bytes=3_000)
    assert uploaded(client, b" " * 2_048).bytes == 2_048
    with pytest.raises(openai.APIStatusError) as caught:
        uploaded(client, b" " * 2_049)
    assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")
    with pytest.raises(openai.BadRequestError, match="are kept for a tenant"):
        uploaded(client, b" " * 953)
    assert uploaded(client, b" " * 952).bytes == 952


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "fine-tune"}, "purpose"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3_599}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "created_at", "seconds": 2_592_001}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now", "seconds": 3_600}}, "expires_after.anchor"),
        ({"extra_body": {"other": "x"}}, "other"),
    ],
)
def test_a_file_that_cannot_be_is_a_bad_request_that_names_the_field(client, fields, param) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(**{"file": ("lines.jsonl", b"{}"), "purpose": "batch", **fields})
    assert caught.value.param == param


def test_limits_of_files_and_batches_are_allowed_at_the_limit_and_no_further(api: ApiTenant, client) -> None:
    for seconds in (3_600, 2_592_000):
        expiry = {"anchor": "created_at", "seconds": seconds}
        file = client.files.create(
            file=("lines.jsonl", jsonl(line_of("a" * 128))), purpose="batch", expires_after=expiry
        )
        assert file.expires_at - file.created_at == seconds
    labels = {f"{n:064}": "x" * 512 for n in range(16)}
    asked = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    batch = client.batches.create(**asked, metadata=labels, output_expires_after=expiry)
    assert polled(client, batch, "in_progress", "failed").metadata == labels
    for metadata in ({"x" * 65: ""}, {"x": "x" * 513}):
        with pytest.raises(openai.BadRequestError):
            client.batches.create(**asked, metadata=metadata)
    for pages, most in ((client.files.list, 10_000), (client.batches.list, 100)):
        assert pages(limit=most).has_more is False
        for wrong in (0, most + 1):
            with pytest.raises(openai.BadRequestError) as caught:
                pages(limit=wrong)
            assert caught.value.param == "limit"


def test_another_tenant_sees_neither_file_nor_batch(api: ApiTenant, client) -> None:
    batch = batch_of(client, line_of("a"))
    other = ApiTenant(api.server, [])
    foreign = client_of(other)
    for act, id in (
        (foreign.files.retrieve, batch.input_file_id),
        (foreign.files.content, batch.input_file_id),
        (foreign.files.delete, batch.input_file_id),
        (foreign.batches.retrieve, batch.id),
        (foreign.batches.cancel, batch.id),
        (foreign.batches.retrieve, "batch_nonsense"),
        (foreign.files.retrieve, "../x"),
    ):
        with pytest.raises(openai.NotFoundError):
            act(id)
    with pytest.raises(openai.NotFoundError):
        foreign.batches.create(input_file_id=batch.input_file_id, endpoint=ENDPOINT, completion_window="24h")
    assert (list(foreign.files.list()), list(foreign.batches.list())) == ([], [])


@pytest.fixture
def clerk(api: ApiTenant) -> ClerkContext:
    settings = api.server.settings_for("clerk")
    context = ClerkContext(api.server.database.engine("clerk"), ObjectStore(settings), settings)
    while clerk_files.run_once(context):
        pass  # what other tenants of the session left
    return context


def test_the_clerk_deletes_what_expired_was_deleted_or_never_came(api: ApiTenant, s3: S3, client, clerk) -> None:
    kept, expired, deleted = (uploaded(client, jsonl(line_of(name))) for name in ("kept", "expired", "deleted"))
    client.files.delete(deleted.id)
    long_ago = func.now() - timedelta(hours=2)
    with api.server.line.owner.begin() as conn:
        ours = files.c.id == expired.id.removeprefix("file-")
        conn.execute(files.update().where(ours).values(expires_at=long_ago))
    with api.server.line.api.begin() as conn:
        conn.execute(select(func.set_config("presswork.tenant", api.tenant, True)))
        uploads.begin(conn, id=new_id(), tenant=api.tenant, name="x", size=1, sha256="a" * 64, seconds=None, most=10**9)
    with api.server.line.owner.begin() as conn:
        ours = (files.c.tenant == api.tenant) & files.c.stored_at.is_(None)
        conn.execute(files.update().where(ours).values(created_at=long_ago))
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(expired.id)  # at once, before any clerk came by
    assert clerk_files.run_once(clerk) == 3
    assert s3.keys(f"files/{api.tenant}/") == [f"files/{api.tenant}/{kept.id.removeprefix('file-')}"]
    assert [told.event["reason"] for told in api.events("file.deleted")] == ["asked", "expired"]
    assert clerk_files.run_once(clerk) == 0


def test_erased_text_of_a_batch_takes_its_file_along(api: ApiTenant, client, clerk) -> None:
    batch = batch_of(client, line_of("a", prompt="a portrait of Jane Roe"))
    running = polled(client, batch, "in_progress")
    caller = api.caller()
    caller.post(f"/v1/requests/{running.request_id}/cancel")
    caller.post("/v1/erasures", json={"request": running.request_id}).raise_for_status()
    for _ in range(5):
        erasures.run_once(clerk)
    with pytest.raises(openai.NotFoundError):
        client.files.content(batch.input_file_id)
    assert [told.event["reason"] for told in api.events("file.deleted")] == ["erased"]
    assert client.batches.retrieve(batch.id).metadata is None


def test_a_batch_that_failed_is_forgotten_with_its_errors(api: ApiTenant, client, clerk) -> None:
    batch = polled(client, batch_of(client, b"{"), "failed")
    assert clerk_files.run_once(clerk) == 0
    with api.server.line.owner.begin() as conn:
        ours = batch_jobs.c.tenant == api.tenant
        conn.execute(batch_jobs.update().where(ours).values(ended_at=func.now() - timedelta(days=31)))
    assert clerk_files.run_once(clerk) == 1
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve(batch.id)
