"""Image request from its submission to its answer: it holds a place in the waiting room, and no thread meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.errors import log_failure, problem_for
from api.edge.idempotency import Once
from api.edge.limits.held import HeldStream
from api.edge.problems import Problem
from api.openai.asked import SentEdit, single_of
from api.openai.drawn import error_event, events_of, images_reply
from api.openai.edits import TAKING_A_PICTURE
from api.openai.pictures import inputs_of
from api.schemas.images import ImagesBody, ImagesReply
from api.submission.single import check_single
from api.submission.store import store
from api.submission.tenant_models import choose_model, tenant_models
from workers.errors import WorkerError
from workers.jobs.control.phases import resting_requests

_HEARTBEAT_SECONDS = 15.0  # between two comments in a stream: proxies close what is silent


async def answer_images(
    request: Request, caller: Caller, once: Once, asked: ImagesBody, edit: SentEdit | None = None
) -> Response:
    """The images, when they are made. The place is taken before anything is stored. Raises Problem."""
    parts = once.parts
    with ExitStack() as held:
        held.enter_context(parts.room.place(caller.tenant))
        request_id = await _submitted(caller, parts, once, asked, edit)
        if asked.stream:
            stream = _stream(request, caller, parts, asked, request_id)
            return HeldStream(_named(stream, "image_edit" if edit else "image_generation"), held.pop_all())
        seconds = parts.settings.images_seconds
        await parts.room.wait_in_place(request, caller.tenant, resting_requests, request_id, seconds)
    return JSONResponse((await _drawn(caller, parts, asked, request_id)).model_dump(mode="json", exclude_none=True))


async def _submitted(caller: Caller, parts: Parts, once: Once, asked: ImagesBody, edit: SentEdit | None) -> str:
    async with parts.turns.take(f"tenant:{caller.tenant}"):
        return await run_in_threadpool(_submit, caller, parts, once, asked, edit)


def _submit(caller: Caller, parts: Parts, once: Once, asked: ImagesBody, edit: SentEdit | None) -> str:
    """The id of the stored request; of the first one, where the Idempotency-Key is a repeat."""
    fingerprint = once.fingerprint(asked, *([one.content for one in edit.pictures.values()] if edit else []))
    if replayed := once.replay(caller.tenant, fingerprint):
        return _id_in(replayed)
    models = tenant_models(parts, caller.tenant)
    card = choose_model(models, asked.model)
    if edit and not TAKING_A_PICTURE.intersection(card.tasks):
        raise Problem("edits_not_supported", f"{card.name} draws from a prompt alone; GET /v1/models lists tasks.")
    pictures = inputs_of(caller, parts, edit.pictures) if edit else None
    single = single_of(asked, card, models, settings=parts.settings, pictures=pictures)
    checked = check_single(single, parts, caller.tenant)
    return _id_in(once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked)))


def _id_in(answer: Response) -> str:
    return answer.headers["Location"].rpartition("/")[2]


async def _drawn(caller: Caller, parts: Parts, asked: ImagesBody, request_id: str) -> ImagesReply:
    async with parts.turns.take(f"tenant:{caller.tenant}"):
        return await run_in_threadpool(images_reply, caller, parts, asked, request_id)


async def _named(stream: AsyncIterator[str], kind: str) -> AsyncIterator[str]:
    """The same events under the names that an edit's have."""
    async for event in stream:
        yield event.replace("image_generation.", f"{kind}.", 2) if event.startswith("event: image_") else event


async def _stream(
    request: Request, caller: Caller, parts: Parts, asked: ImagesBody, request_id: str
) -> AsyncIterator[str]:
    """Comments while the images are made, so that no proxy closes the connection; then an event for each."""
    left = parts.settings.images_seconds
    while left > 0 and not await run_in_threadpool(_is_resting, parts, caller.tenant, request_id):
        yield ": working\n\n"
        pause = min(left, _HEARTBEAT_SECONDS)
        await parts.room.wait_in_place(request, caller.tenant, resting_requests, request_id, pause)
        if await request.is_disconnected():
            break
        left -= pause
    try:
        answer = await _drawn(caller, parts, asked, request_id)
    except (Problem, WorkerError, SQLAlchemyError) as error:
        problem = problem_for(error, request)
        if problem.status >= 500:
            log_failure(problem.code, error)
        yield error_event(problem, request.scope["state"]["request_id"])
        return
    for event in events_of(answer):
        yield event


def _is_resting(parts: Parts, tenant: str, request_id: str) -> bool:
    with parts.transaction(tenant) as conn:
        return bool(resting_requests(conn, tenant, [request_id]))
