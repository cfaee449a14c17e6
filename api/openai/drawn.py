"""Answer to an image request of the OpenAI API: its released images as links or as bytes, or why there are none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.openai.asked import file_of, gives_links, notes_of
from api.schemas.images import ImageReply, ImagesBody, ImagesReply
from policy.events import AssetLinked
from policy.ledger.append import append
from workers.jobs.asset_views import AssetView, list_assets
from workers.jobs.cancel import cancel_request
from workers.jobs.views import ItemView, get_request, list_items
from workers.states import ITEM_OPEN, AssetState, ItemState

_OF_THE_PICTURE = ("input_", "mask_")  # how reasons begin that are the sent picture's
_MOST = 16  # images of a request; the body allows fewer


def images_reply(caller: Caller, parts: Parts, asked: ImagesBody, request_id: str) -> ImagesReply:
    """What was made. What is open is cancelled, as nobody waits for it any more. Raises Problem for nothing."""
    with parts.transaction(caller.tenant) as conn:
        given_up = cancel_request(conn, caller.tenant, request_id, caller.actor)
        request = get_request(conn, caller.tenant, request_id)
        items = list_items(conn, caller.tenant, request_id, limit=_MOST)
        assets = [one for one in list_assets(conn, caller.tenant, request_id, limit=_MOST) if _standing(one)]
        if gives_links(asked):
            _record_links(conn, caller, parts, asked, assets)
    if not assets:
        raise nothing_made(request_id, items, given_up)
    by_item = {item.id: item for item in items}
    assets.sort(key=lambda asset: asset.variant)
    return ImagesReply(
        created=int(request.created_at.timestamp()),
        data=[_image(parts, asked, asset, by_item[asset.item_id]) for asset in assets],
        background="transparent" if asked.background == "transparent" else "opaque",
        output_format=asked.output_format or "png",
        quality=asked.quality or "auto",
        size="{0.width}x{0.height}".format(file_of(asked, assets[0].renditions)),
        safety_identifier=asked.safety_identifier,
        request_id=request_id,
        notes=notes_of(asked) or None,
        withheld=len(items) - len(assets),
    )


def events_of(answer: ImagesReply) -> Iterator[str]:
    """The same as server-sent events, one for each image."""
    common = answer.model_dump(include={"background", "output_format", "quality", "size"})
    for image in answer.data:
        told = {"type": "image_generation.completed", "created_at": answer.created, **common}
        yield _event("image_generation.completed", told | image.model_dump(exclude_none=True))
    yield "data: [DONE]\n\n"


def error_event(problem: Problem, instance: str) -> str:
    """A problem in a stream that has begun: data with a top-level `error`."""
    return _event("error", problem.document(instance))


def _event(name: str, content: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"


def _standing(asset: AssetView) -> bool:
    return asset.state == AssetState.RELEASED


def _image(parts: Parts, asked: ImagesBody, asset: AssetView, item: ItemView) -> ImageReply:
    file, link = file_of(asked, asset.renditions), gives_links(asked)
    return ImageReply(
        b64_json=None if link else base64.b64encode(parts.store.get(file.key)).decode(),
        url=parts.store.presign(file.key, parts.settings.link_seconds) if link else None,
        revised_prompt=item.prompt if item.rewrites else None,
        asset_id=asset.id,
    )


def _record_links(
    conn: Connection, caller: Caller, parts: Parts, asked: ImagesBody, assets: Sequence[AssetView]
) -> None:
    seconds = parts.settings.link_seconds
    given = [
        AssetLinked(one.id, one.item_id, file_of(asked, one.renditions).name, caller.key_id, seconds) for one in assets
    ]
    append(conn, tenant=caller.tenant, actor=caller.actor, events=given)


class Settled(Protocol):
    """An image that was not released: its state and why."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def verdict(self) -> Mapping[str, Any] | None: ...


def nothing_made(request_id: str, items: Sequence[Settled], given_up: int = 0) -> Problem:
    """Why a prompt has no image that may be given out."""
    here = f"Request {request_id}: GET /v1/requests/{request_id}/items says more."
    states = {item.state for item in items}
    if given_up or states & set(ITEM_OPEN):
        return Problem("images_not_ready", f"They were cancelled. Send long work to /v1/requests. {here}")
    if ItemState.REFUSED in states:
        rules = sorted({finding["rule"] for item in items if item.verdict for finding in item.verdict["findings"]})
        return Problem("moderation_blocked", f"Refused by rule {', '.join(rules)}. {here}")
    if ItemState.HELD in states:
        return Problem("moderation_blocked", f"A person must look at the images before they are released. {here}")
    if ItemState.RECALLED in states:
        return Problem("recalled", f"The images were recalled. {here}")
    reasons = sorted({item.reason for item in items if item.reason})
    if reasons and all(reason.startswith(_OF_THE_PICTURE) for reason in reasons):
        complaint = Complaint(reasons[0], "the picture cannot be used", "Send another picture or mask.", field="image")
        return Problem("invalid_request", f"{', '.join(reasons)}. {here}", errors=[complaint])
    return Problem("generation_failed", f"{', '.join(reasons) or 'They were cancelled'}. {here}")
