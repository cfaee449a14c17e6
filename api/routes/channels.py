"""/v1/channels: the presets of channels that a request may name, with what each field of them says."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.edge.auth import Reader
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of
from api.schemas.base import NumberedPageQuery
from api.schemas.channels import ChannelPresetReply, ChannelsReply
from policy.marks.channels.channel import label_texts, presets

router = APIRouter(route_class=InTurn, prefix="/v1/channels", tags=["Channels"])


@router.get("", summary="List the presets of channels")
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
