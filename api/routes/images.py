"""/v1/images: one prompt, answered with its images, as the OpenAI API does it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.edge.auth import Submitter
from api.edge.bodies import json_body
from api.edge.idempotency import OnceOf
from api.edge.problems import Problem
from api.openai.spoken import OpenAIRoute
from api.openai.waited import answer_images
from api.schemas.base import NoQuery
from api.schemas.images import ImagesBody, ImagesReply

router = APIRouter(route_class=OpenAIRoute, prefix="/v1/images", tags=["OpenAI"])


@router.post(
    "/generations",
    response_model=ImagesReply,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    summary="Make images of a prompt and wait for them",
)
async def generate(
    request: Request,
    caller: Submitter,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[ImagesBody, Depends(json_body(ImagesBody))],
) -> Response:
    """Waits up to `PRESSWORK_IMAGES_SECONDS`; what is not made by then is cancelled and the answer is 504.

    A caller that hangs up cancels what is open. Images that policy withholds are left out; where none is left the
    answer is 400 `moderation_blocked`. Large work belongs into batches and campaigns.
    """
    return await answer_images(request, caller, once, asked)


@router.post("/edits", summary="Edit an image: not there yet", status_code=501)
def edit(caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Always 501 `edits_not_supported`: the installed models draw from a prompt alone."""
    raise Problem("edits_not_supported", "The installed models draw from a prompt alone. Use /v1/images/generations.")
