"""Edits of the OpenAI API as its client sends them: one picture, perhaps a mask, the fields of a generation as text.

The picture and the mask become inputs of the tenant before the request is stored. Killed in between: the inputs are
there and used by nothing, and go with their retention period; the client sends the call again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from api.edge.auth import Caller
from api.edge.bodies import checked_as
from api.edge.dependencies import Parts, PartsOf
from api.edge.multipart import form_parts, other_parts
from api.edge.problems import Complaint, Problem
from api.edge.uploads.inputs import SentInput, checked
from api.openai.asked import SentEdit
from api.schemas.images import ImagesBody
from api.submission.pictures.receiving import received
from workers.jobs.inputs.received import receive

MAX_IMAGES = 16  # parts that are read, so that the answer can say that one is taken
_FIELD_BYTES = 256 * 1024  # a prompt of 32,000 characters, and what stands beside it
_FIELDS = 24
_WHOLE_NUMBERS = ("n", "output_compression", "partial_images", "seed", "num_inference_steps")


async def edit_form(request: Request, parts: PartsOf) -> SentEdit:
    """A dependency. Name it after the caller, so that the body is read after authentication."""
    room = 2 * parts.settings.input_max_bytes + _FIELD_BYTES
    async with form_parts(
        request, parts, most=room, fields=_FIELDS, field_bytes=_FIELD_BYTES, files=MAX_IMAGES + 1
    ) as form:
        asked = checked_as(ImagesBody, _fields(form))
        images = [file for name in ("image", "image[]") for file in form.getlist(name)]
        if len(images) != 1 or not isinstance(images[0], UploadFile):
            complaint = Complaint(
                "not_available", f"{len(images)} images are sent; one is edited", "Send one.", field="image"
            )
            raise Problem("invalid_body", "image: send one picture.", errors=[complaint])
        mask = form.get("mask")
        if mask is not None and not isinstance(mask, UploadFile):
            raise other_parts(form.multi_items(), "A mask is a file.", "Send it with a file name.")
        return SentEdit(
            asked,
            checked(await images[0].read(), "image"),
            checked(await mask.read(), "mask") if mask is not None else b"",
        )


def inputs_of(caller: Caller, parts: Parts, sent: SentEdit) -> Mapping[str, str]:
    """Ids by role: the pictures are stored as inputs, where they are not already."""
    ids = {}
    for role, data in (("image", sent.image), ("mask", sent.mask)):
        if data:
            new = received(caller, parts, SentInput(data=data), hashlib.sha256(data).hexdigest())
            with parts.transaction(caller.tenant) as conn:
                ids[role] = receive(conn, new)
    return ids


def _fields(form: FormData) -> dict[str, Any]:
    """The text fields in the types that JSON would have: numbers and booleans arrive as text."""
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            continue
        if name in fields:
            raise other_parts(form.multi_items(), f"The field {name} is sent twice.", "Send each once.")
        fields[name] = _typed(name, value)
    if fields.pop("input_fidelity", "low") != "low":
        message = "the fidelity to the picture cannot be chosen by this field"
        complaint = Complaint("not_available", message, "Send strength instead.", field="input_fidelity")
        raise Problem("invalid_body", f"input_fidelity: {message}.", errors=[complaint])
    return fields


def _typed(name: str, value: str) -> Any:
    if name in _WHOLE_NUMBERS and value.lstrip("-").isdecimal() and len(value) < 20:
        return int(value)
    if name in _DECIMALS:
        read: Callable[[str], float] = float
        try:
            return read(value)
        except ValueError:
            return value
    if value in ("true", "false") and name == "stream":
        return value == "true"
    return value


_DECIMALS = ("guidance_scale", "strength")
