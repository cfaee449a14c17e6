"""Bodies of requests, read after authentication and within limits of bytes and time.

FastAPI would read a body before it asks who sends it, and Python's JSON reader accepts duplicate names,
NaN, NUL characters and lone surrogates; none of these gets past here.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.edge.dependencies import Parts, PartsOf
from api.edge.problems import Complaint, Problem, quoted
from api.edge.validation import from_validation

MAX_JSON_BYTES = 1024 * 1024  # of a JSON body, and of the spec of a campaign
MAX_DEPTH = 20  # of nested JSON
MAX_DIGITS = 400  # of a whole number, as many as the largest float has and more
_BYTES = "application/octet-stream"

M = TypeVar("M", bound=BaseModel)


def json_body(model: type[M]) -> Callable[..., Coroutine[Any, Any, M]]:
    """A dependency: the JSON body as `model`. Name it after the caller, so that it is read after authentication."""

    async def read(request: Request, parts: PartsOf) -> M:
        demand_media_type(request, "application/json")
        most = min(MAX_JSON_BYTES, parts.settings.max_body_bytes)
        with arriving(request, parts):
            stream = limited(request, most, parts.settings.body_seconds)
            body = b"".join([chunk async for chunk in stream])
        return parse(model, body)

    return read


def optional_json_body(model: type[M]) -> Callable[..., Coroutine[Any, Any, M | None]]:
    """A dependency: the JSON body as `model`; None for an empty one, whatever its announced media type is."""
    read_body = json_body(model)

    async def read(request: Request, parts: PartsOf) -> M | None:
        length = request.headers.get("content-length", "0")
        if length == "0" and "transfer-encoding" not in request.headers:
            return None
        return await read_body(request, parts)

    return read


async def picture_body(request: Request, parts: PartsOf) -> bytes:
    """A dependency: the bytes of a picture file, whatever they hold. Nobody looks at them in this process."""
    sent = media_type_of(request)
    if sent != _BYTES and not sent.startswith("image/"):
        raise other_media_type(request, _BYTES)
    with arriving(request, parts):
        stream = limited(request, parts.settings.identify_max_bytes, parts.settings.body_seconds)
        picture = b"".join([chunk async for chunk in stream])
    if not picture:
        complaint = Complaint("empty", "the body is empty", "Send the picture file as the body.", field="body")
        raise Problem("invalid_body", "The body is empty.", errors=[complaint])
    return picture


def parse(model: type[M], raw: bytes) -> M:
    """`raw` as strict JSON and as `model`. Raises Problem with a complaint for every wrong field."""
    if len(raw) > MAX_JSON_BYTES:
        raise Problem("body_too_large", f"JSON of more than {MAX_JSON_BYTES:,} bytes is not read.")
    try:
        value = strict_json(raw)
    except ValueError as error:
        complaint = Complaint("json", str(error), "Send one JSON object in UTF-8 (RFC 8259).", field="body")
        raise Problem("invalid_body", f"The JSON cannot be read: {error}.", errors=[complaint]) from error
    return checked_as(model, value)


def checked_as(model: type[M], value: Any) -> M:
    """Raises Problem with a complaint for every wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        complaints = from_validation(error.errors(include_url=False, include_input=False), model)
        detail = "; ".join(f"{c.field}: {c.message}" for c in complaints[:3])
        raise Problem("invalid_body", f"{detail}.", errors=complaints) from error


def strict_json(raw: bytes) -> Any:
    """RFC 8259 with its advice taken: unique names, finite numbers, whole characters, bounded depth.

    Raises ValueError saying what is wrong.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from error
    _check(value)
    return value


def _check(value: Any) -> None:
    """Depth and characters of a parsed value; a loop, as the value may be deeper than our own stack."""
    todo = [(value, 1)]
    while todo:
        value, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        if isinstance(value, str):
            if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise ValueError(f"{quoted(value)} holds a NUL character or half a surrogate pair")
        elif isinstance(value, dict):
            todo += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list):
            todo += [(inner, depth + 1) for inner in value]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in pairs:
        if name in named:
            raise ValueError(f"the name {quoted(name)} appears twice in one object")
        named[name] = value
    return named


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"the number {quoted(written)} is too large")
    return number


def _whole(written: str) -> int:
    if len(written) > MAX_DIGITS:
        raise ValueError(f"the number {quoted(written)} has more than {MAX_DIGITS} digits")
    return int(written)


@contextmanager
def arriving(request: Request, parts: Parts) -> Iterator[None]:
    """The caller is known by now. Those without a key share one tenant's places, of which each network takes a few."""
    with ExitStack() as taken:
        if network := getattr(request.state, "network", ""):
            taken.enter_context(parts.anonymous_uploads.take(network))
        taken.enter_context(parts.uploads.take(getattr(request.state, "tenant", "")))
        yield


async def demand_plain_bytes(request: Request) -> None:
    """A dependency of every route: bodies are not decompressed, as a few bytes of gzip can stand for gigabytes.

    Raises Problem naming the coding.
    """
    coding = ", ".join(request.headers.getlist("content-encoding"))
    if any(one.strip().lower() not in ("", "identity") for one in coding.split(",")):
        raise Problem(
            "unsupported_media_type",
            f"Send the body without Content-Encoding; the coding sent is {quoted(coding)}.",
            headers={"Accept-Encoding": "identity"},
        )


def demand_media_type(request: Request, wanted: str) -> None:
    if media_type_of(request) != wanted:
        raise other_media_type(request, wanted)


def media_type_of(request: Request) -> str:
    """Without parameters; "" where none was sent."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type() if request.headers.get("content-type") else ""


def other_media_type(request: Request, wanted: str) -> Problem:
    sent = request.headers.get("content-type") or "none"
    return Problem(
        "unsupported_media_type",
        f"Send the body as Content-Type: {wanted}; the Content-Type sent is {quoted(sent, 80)}.",
        headers={"Accept-Post": wanted},
    )


async def limited(request: Request, most: int, seconds: float, *, apart: int = 0) -> AsyncGenerator[bytes, None]:
    """The body in chunks. An announced size is believed when it is too large, never when it is small enough.

    `apart` is room for parts that their reader bounds by themselves.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most + apart:
        raise too_large(most)
    deadline = asyncio.get_running_loop().time() + seconds
    chunks = request.stream()
    size = 0
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise Problem("body_too_slow", f"The body must arrive within {seconds:g} seconds.") from error
        except ClientDisconnect as error:
            raise Problem("bad_request", "The connection was closed before the body had arrived.") from error
        if chunk is None:
            return
        size += len(chunk)
        if size > most + apart:
            raise too_large(most)
        yield chunk


def too_large(most: int) -> Problem:
    return Problem("body_too_large", f"The body is larger than {most:,} bytes.")
