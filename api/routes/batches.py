"""/v1/batches: a file of lines as one request, for clients of the OpenAI API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Reader, Submitter
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Problem
from api.openai.batches.looks import look_after
from api.openai.batches.status import batch_reply
from api.openai.spoken import OpenAIRoute
from api.schemas.base import NoQuery
from api.schemas.batches import BatchBody, BatchesQuery, BatchesReply, BatchReply
from workers.errors import Conflict
from workers.jobs.cancel import cancel_request
from workers.jobs.idempotency import StoredReply
from workers.jobs.types import new_id
from workers.jobs.uploads import batch_jobs
from workers.jobs.uploads.views import get_batch_job, list_batch_jobs

router = APIRouter(route_class=OpenAIRoute, prefix="/v1/batches", tags=["OpenAI"])
BatchId = Annotated[str, Path(max_length=200, description="batch_...")]
MAX_VALIDATING = 20  # batches of a tenant whose lines are not checked yet


@router.post("", response_model=BatchReply, summary="Make a batch of a file")
def create_batch(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[BatchBody, Depends(json_body(BatchBody))],
) -> Response:
    """Answered at once as `validating`; then every line is checked, and either all are stored or none.

    Up to 50,000 lines. Lines that policy refuses stop nothing: they are in the error file.
    """
    file_id = _uuid(asked.input_file_id)
    id = new_id()

    def work(conn: Connection) -> StoredReply:
        if batch_jobs.count_validating(conn, caller.tenant) >= MAX_VALIDATING:
            detail = f"{MAX_VALIDATING} batches of yours wait to be checked. Send it again when one of them is."
            raise Problem("too_many_running", detail, headers={"Retry-After": "30"})
        batch_jobs.create(
            conn,
            caller.tenant,
            id=id,
            key_id=caller.key_id,
            file_id=file_id,
            endpoint=asked.endpoint,
            metadata=asked.metadata or {},
            output_seconds=asked.output_expires_after.seconds if asked.output_expires_after else None,
        )
        return answered(200, batch_reply(get_batch_job(conn, caller.tenant, id)))

    reply = once.run(caller.tenant, once.fingerprint(asked), work)
    if "Idempotency-Replayed" not in reply.headers:
        with parts.transaction(caller.tenant) as conn:
            look_after(parts, caller.tenant, get_batch_job(conn, caller.tenant, id))
    return reply


@router.get("", summary="List the batches, newest first")
def list_batches(caller: Reader, parts: PartsOf, query: Annotated[BatchesQuery, Query()]) -> BatchesReply:
    """With the counts of each."""
    after = _uuid(query.after) if query.after else None
    with parts.transaction(caller.tenant) as conn:
        found = list_batch_jobs(conn, caller.tenant, limit=query.limit + 1, after=after)
    shown = found[: query.limit]
    for job in shown:
        look_after(parts, caller.tenant, job)
    data = [batch_reply(job) for job in shown]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return BatchesReply(data=data, first_id=first, last_id=last, has_more=len(found) > query.limit)


@router.get("/{batch_id}", summary="One batch")
def read_batch(batch_id: BatchId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> BatchReply:
    """How far it is, and its output files once nothing of it is open."""
    with parts.transaction(caller.tenant) as conn:
        job = get_batch_job(conn, caller.tenant, _uuid(batch_id))
    look_after(parts, caller.tenant, job)
    return batch_reply(job)


@router.post("/{batch_id}/cancel", response_model=BatchReply, summary="Cancel a batch")
def cancel_batch(
    batch_id: BatchId, caller: Submitter, parts: PartsOf, once: OnceOf, query: Annotated[NoQuery, Query()]
) -> Response:
    """What is open will not be made; what is released stays in the output file. A batch that is over is 409."""
    id = _uuid(batch_id)

    def work(conn: Connection) -> StoredReply:
        if not batch_jobs.cancel_unstarted(conn, caller.tenant, id, actor=caller.actor):
            started = get_batch_job(conn, caller.tenant, id)
            if started.request_ended_at is not None or started.request_id is None:
                raise Conflict(f"batch {batch_id} is over and cannot be cancelled")
            cancel_request(conn, caller.tenant, started.request_id, caller.actor)
        return answered(200, batch_reply(get_batch_job(conn, caller.tenant, id)))

    reply = once.run(caller.tenant, once.fingerprint(), work)
    with parts.transaction(caller.tenant) as conn:
        look_after(parts, caller.tenant, get_batch_job(conn, caller.tenant, id))
    return reply


def _uuid(id: str) -> str:
    return uuid_or_not_found(id.removeprefix("batch_").removeprefix("file-"), "batch or file")
