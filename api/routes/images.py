"""/v1/images: one prompt, answered with its images, as the OpenAI API does it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.edge.auth import Submitter
from api.edge.bodies import json_body
from api.edge.idempotency import OnceOf
from api.openai.asked import SentEdit
from api.openai.edits import edit_form
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


@router.post(
    "/edits",
    response_model=ImagesReply,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    summary="Edit a picture and wait for the result",
)
async def edit(
    request: Request,
    caller: Submitter,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    sent: Annotated[SentEdit, Depends(edit_form)],
) -> Response:
    """One `image` and perhaps a `mask`, whose transparent or white part is drawn anew, as a multipart body; the other
    fields are those of a generation.

    The pictures become inputs: screened before a model sees them, stored once, erasable. Without a mask the picture is
    drawn over, by `strength`; a model that takes instructions follows the prompt.
    """
    return await answer_images(request, caller, once, sent.asked, sent)
