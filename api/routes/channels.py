"""/v1/channels: the presets of channels that a request may name; and channels that are added to an earlier request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from api.edge.auth import Reader, Submitter
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of, uuid_or_not_found
from api.schemas.added_channels import AddedChannelsBody, AddedChannelsReply
from api.schemas.base import NoQuery, NumberedPageQuery
from api.schemas.channels import ChannelPresetReply, ChannelsReply
from api.schemas.fields import PathId
from api.submission.again.channels import add_channels
from policy.marks.channels.channel import label_texts, presets

router = APIRouter(route_class=InTurn, prefix="/v1", tags=["Channels"])


@router.get("/channels", summary="List the presets of channels")
def list_all(caller: Reader, query: Annotated[NumberedPageQuery, Query()]) -> ChannelsReply:
    """Each preset as the channel that a request gets by its name. A field beside `preset` in a request replaces it.

    A place may change its rules: check them before a large campaign.
    """
    first = number_of(query.cursor)
    end = first + query.limit
    names = list(presets())
    return ChannelsReply(
        data=[ChannelPresetReply.of(name) for name in names[first:end]],
        next_cursor=cursor_of_number(end) if end < len(names) else None,
        label_languages=list(label_texts()),
    )


@router.post(
    "/requests/{request_id}/channels",
    status_code=202,
    response_model=AddedChannelsReply,
    response_description="Stored, as a linked request",
    summary="Make other files of what a request released",
)
def add(
    request_id: PathId,
    caller: Submitter,
    *,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[AddedChannelsBody, Depends(json_body(AddedChannelsBody))],
) -> Response:
    """The files are made of kept drawings: no GPU, no cost. The earlier request and its files stay as they are.

    Images of which no drawing is kept are left out and counted; 409 where that is all of them. Each file is screened,
    marked and signed anew, and its asset names the drawing.
    """
    request_id = uuid_or_not_found(request_id, "request")
    fingerprint = once.fingerprint(asked)
    return once.run(caller.tenant, fingerprint, lambda conn: add_channels(conn, caller, parts, request_id, asked))
