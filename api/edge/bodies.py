"""Bodies of requests, read after authentication and within limits of bytes and time.

FastAPI would read a body before it asks who sends it, and Python's JSON reader accepts duplicate names,
NaN, NUL characters and lone surrogates; none of these gets past here.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any, BinaryIO, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from api.edge.dependencies import Parts, PartsOf
from api.edge.problems import Complaint, Problem, quoted
from api.edge.validation import from_validation

MAX_JSON_BYTES = 1024 * 1024  # of a JSON body, and of the spec of a campaign
MAX_DEPTH = 20  # of nested JSON
MAX_DIGITS = 400  # of a whole number, as many as the largest float has and more
_BYTES = "application/octet-stream"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Upload:
    """The two parts of a campaign. The file lies on disk once it is larger than a megabyte."""

    spec: bytes
    file: BinaryIO


def json_body(model: type[M]) -> Callable[..., Coroutine[Any, Any, M]]:
    """A dependency: the JSON body as `model`. Name it after the caller, so that it is read after authentication."""

    async def read(request: Request, parts: PartsOf) -> M:
        _demand_media_type(request, "application/json")
        most = min(MAX_JSON_BYTES, parts.settings.max_body_bytes)
        with _place(request, parts):
            stream = _limited(request, most, parts.settings.body_seconds)
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


async def campaign_upload(request: Request, parts: PartsOf) -> AsyncIterator[Upload]:
    """A dependency: the parts `spec` and `file` of a multipart body, closed when the answer is sent."""
    _demand_media_type(request, "multipart/form-data")
    _demand_utf8(request)
    stream = _limited(request, parts.settings.max_body_bytes, parts.settings.body_seconds)
    parser = _CampaignParser(request.headers, stream, max_files=2, max_fields=2, max_part_size=MAX_JSON_BYTES)
    try:
        with _place(request, parts):
            form = await parser.parse()
    except _PartTooLarge as error:
        raise Problem("body_too_large", f"A part of more than {MAX_JSON_BYTES:,} bytes without a file name.") from error
    except MultiPartException as error:
        raise Problem("bad_request", f"The multipart body cannot be read: {error.message}") from error
    try:
        sent = form.multi_items()
        spec, file = form.get("spec"), form.get("file")
        if sorted(name for name, _ in sent) != ["file", "spec"] or spec is None or not isinstance(file, UploadFile):
            names = ", ".join(quoted(name) for name, _ in sent) or "none"
            raise Problem(
                "invalid_body",
                "A campaign has two parts: 'spec' (JSON) and 'file' (the CSV, with a file name).",
                errors=[Complaint("parts", f"the parts sent are: {names}", "Send each of the two once.", field="body")],
            )
        written = spec.encode() if isinstance(spec, str) else await spec.read(MAX_JSON_BYTES + 1)
        yield Upload(written, file.file)
    finally:
        await form.close()


class _PartTooLarge(MultiPartException):
    """A part that has no file name, and so lies in memory, is larger than JSON may be."""


class _CampaignParser(MultiPartParser):
    """Starlette's parser, which says "too large" in a class of its own."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > self.max_part_size:
            raise _PartTooLarge("too large")
        super().on_part_data(data, start, end)


async def picture_body(request: Request, parts: PartsOf) -> bytes:
    """A dependency: the bytes of a picture file, whatever they hold. Nobody looks at them in this process."""
    sent = _media_type(request)
    if sent != _BYTES and not sent.startswith("image/"):
        raise _other_media_type(request, _BYTES)
    with _place(request, parts):
        stream = _limited(request, parts.settings.identify_max_bytes, parts.settings.body_seconds)
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
def _place(request: Request, parts: Parts) -> Iterator[None]:
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


def _demand_media_type(request: Request, wanted: str) -> None:
    if _media_type(request) != wanted:
        raise _other_media_type(request, wanted)


def _demand_utf8(request: Request) -> None:
    """Python's other codecs decode to halves of surrogate pairs, or fail in ways that the multipart reader lets out."""
    _, parameters = parse_options_header(request.headers["content-type"])  # as the multipart reader reads it
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem("unsupported_media_type", f"Send the body in UTF-8; the charset sent is {quoted(charset)}.")


def _media_type(request: Request) -> str:
    """Without parameters; "" where none was sent."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type() if request.headers.get("content-type") else ""


def _other_media_type(request: Request, wanted: str) -> Problem:
    sent = request.headers.get("content-type") or "none"
    return Problem(
        "unsupported_media_type",
        f"Send the body as Content-Type: {wanted}; the Content-Type sent is {quoted(sent, 80)}.",
        headers={"Accept-Post": wanted},
    )


async def _limited(request: Request, most: int, seconds: float) -> AsyncGenerator[bytes, None]:
    """The body in chunks. An announced size is believed when it is too large, never when it is small enough."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
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
        if size > most:
            raise _too_large(most)
        yield chunk


def _too_large(most: int) -> Problem:
    return Problem("body_too_large", f"The body is larger than {most:,} bytes.")
