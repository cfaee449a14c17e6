"""Edits of the OpenAI API as its client sends them: a form whose fields are text, with files; or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from api.edge.bodies import arriving, checked_as, limited, media_type_of, parse
from api.edge.dependencies import Parts, PartsOf
from api.edge.multipart import form_parts, other_parts
from api.edge.problems import Complaint, Problem
from api.edge.uploads.inputs import checked
from api.openai.asked import SentEdit
from api.openai.pictures import EditPicture, pictures_of
from api.schemas.images import MAX_URL_CHARS, EditsBody, ImagesBody

TAKING_A_PICTURE = frozenset({"image-to-image", "inpaint", "edit"})
MAX_IMAGES = 16  # parts that are read, so that the answer can say that one is taken
_FIELD_BYTES = 256 * 1024  # a prompt of 32,000 characters, and what stands beside it
_FIELDS = 40  # 16 labels among them
_LABEL = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_DECIMALS = ("guidance_scale", "strength")
_WHOLE_NUMBERS = ("n", "output_compression", "partial_images", "seed", "num_inference_steps")


async def edit_form(request: Request, parts: PartsOf) -> SentEdit:
    """A dependency. Name it after the caller, so that the body is read after authentication."""
    if media_type_of(request) == "application/json":
        return await _of_json(request, parts)
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
        pictures = {"image": EditPicture(checked(await images[0].read(), "image"))}
        if mask is not None:
            pictures["mask"] = EditPicture(checked(await mask.read(), "mask"))
        return SentEdit(asked, pictures)


async def _of_json(request: Request, parts: Parts) -> SentEdit:
    most = 2 * MAX_URL_CHARS + _FIELD_BYTES
    with arriving(request, parts):
        body = b"".join([chunk async for chunk in limited(request, most, parts.settings.body_seconds)])
    asked = parse(EditsBody, body)
    return SentEdit(asked, pictures_of(asked, parts.settings.input_max_bytes))


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
    labels = {label[1]: fields.pop(name) for name in list(fields) if (label := _LABEL.fullmatch(name))}
    return ({"metadata": labels} if labels else {}) | fields


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
