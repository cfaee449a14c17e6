"""Upload of an input: a picture as one part of a multipart body or as the body itself, or an address in JSON.

The first bytes say what it is, whatever its name and its announced media type; a file whose header no decoder would be
given is refused here, by name. No picture is decoded in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from api.edge.bodies import (
    MAX_JSON_BYTES,
    arriving,
    checked_as,
    limited,
    media_type_of,
    other_media_type,
    parse,
    too_large,
)
from api.edge.dependencies import Parts, PartsOf
from api.edge.multipart import form_parts, other_parts
from api.edge.problems import Complaint, Problem
from policy.errors import PictureRefused
from policy.intake.picture import check_input

_FORM_ROOM = 64 * 1024  # bytes of a multipart body beside its file
_BYTES = "application/octet-stream"
_MAX_NAME_CHARS = 200  # a longer name of a file is cut, not refused
REMEDIES = {
    "animated": "Send one frame as a still picture.",
    "empty": "Send the picture file.",
    "not_a_picture": "Send PNG, JPEG, WebP or AVIF; other formats are converted before they are sent.",
    "too_many_bytes": "Send a smaller file, such as a JPEG.",
    "too_many_pixels": "Scale it down.",
    "too_small": "Send a larger picture.",
}


@dataclass(frozen=True, slots=True)
class SentInput:
    """What came: a picture's bytes, or the address to fetch it from."""

    name: str = ""
    consent: str = ""
    data: bytes = b""
    address: str = ""


def input_body(form: type[BaseModel], address: type[BaseModel]) -> Callable[..., Coroutine[Any, Any, SentInput]]:
    """A dependency: a picture with the fields of `form` beside it, or `address` in JSON.

    Name it after the caller, so that it is read after authentication.
    """

    async def read(request: Request, parts: PartsOf) -> SentInput:
        sent = media_type_of(request)
        if sent == "multipart/form-data":
            return await _of_form(request, parts, form)
        if sent == "application/json":
            body = parse(address, await _whole(request, parts, MAX_JSON_BYTES)).model_dump()
            return SentInput(name=body["name"], consent=body["consent"], address=body["url"])
        if sent != _BYTES and not sent.startswith("image/"):
            raise other_media_type(request, "multipart/form-data")
        return SentInput(data=checked(await _whole(request, parts, parts.settings.input_max_bytes)))

    return read


def checked(data: bytes, field: str = "file") -> bytes:
    """The same bytes, if their header is that of a picture. Raises Problem naming what they are."""
    try:
        check_input(data)
    except PictureRefused as refused:
        remedy = REMEDIES.get(str(refused.code), "Save the picture again with a program for pictures.")
        complaint = Complaint(str(refused.code), str(refused), remedy, field=field)
        raise Problem("invalid_body", f"{field}: {refused}.", errors=[complaint]) from refused
    return data


async def _whole(request: Request, parts: Parts, most: int) -> bytes:
    with arriving(request, parts):
        return b"".join([chunk async for chunk in limited(request, most, parts.settings.body_seconds)])


async def _of_form(request: Request, parts: Parts, model: type[BaseModel]) -> SentInput:
    most = parts.settings.input_max_bytes
    async with form_parts(request, parts, most=most + _FORM_ROOM, fields=2, field_bytes=_FORM_ROOM) as form:
        file = form.get("file")
        fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "file"}
        if not isinstance(file, UploadFile) or len(form.multi_items()) != len(fields) + 1:
            detail = "An input is the part 'file' of a multipart body; 'name' and 'consent' may stand beside it."
            raise other_parts(form.multi_items(), detail, "Send the part 'file' once, with a file name.")
        name = "".join(c for c in file.filename or "" if c.isprintable())[:_MAX_NAME_CHARS]
        asked = checked_as(model, {"name": name, **fields}).model_dump()
        data = await file.read(most + 1)
    if len(data) > most:
        raise too_large(most)
    return SentInput(name=asked["name"], consent=asked["consent"], data=checked(data))
