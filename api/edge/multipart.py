"""Multipart bodies: the spec and the table of a campaign, and a file with its fields.

Read after authentication and within limits, as every body is (api/edge/bodies.py). A file lies on disk once it is
larger than a megabyte.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from types import MappingProxyType
from typing import BinaryIO, cast

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.edge.bodies import MAX_JSON_BYTES, arriving, demand_media_type, limited, too_large
from api.edge.dependencies import Parts, PartsOf
from api.edge.problems import Complaint, Problem, quoted

_AROUND_BYTES = 64 * 1024  # of a multipart body beside its file: boundaries, names, fields
_FIELD_BYTES = 16 * 1024
_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Upload:
    """The parts of a campaign."""

    spec: bytes
    file: BinaryIO
    pictures: BinaryIO | None = None  # a ZIP


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file, as its sender called it, and the fields beside it."""

    fields: Mapping[str, str]
    file: BinaryIO
    name: str
    size: int


def sha256_of(file: BinaryIO) -> bytes:
    """Digest of the whole file."""
    file.seek(0)
    return hashlib.file_digest(cast(BufferedIOBase, file), "sha256").digest()


async def campaign_upload(request: Request, parts: PartsOf) -> AsyncIterator[Upload]:
    """A dependency: `spec`, `file` and perhaps `pictures` of a multipart body, closed when the answer is sent."""
    most, zipped = parts.settings.max_body_bytes, {"pictures": parts.settings.input_archive_max_bytes}
    async with form_parts(request, parts, most=most, fields=2, field_bytes=MAX_JSON_BYTES, apart=zipped) as form:
        sent = form.multi_items()
        spec, file, pictures = form.get("spec"), form.get("file"), form.get("pictures")
        names = sorted(name for name, value in sent if name != "pictures" or isinstance(value, UploadFile))
        fits = names in (["file", "spec"], ["file", "pictures", "spec"])
        if not fits or spec is None or not isinstance(file, UploadFile):
            raise other_parts(
                sent,
                "A campaign has two parts: 'spec' (JSON) and 'file' (the CSV, with a file name); 'pictures' (a ZIP) may"
                " stand beside them.",
                "Send each once.",
            )
        written = spec.encode() if isinstance(spec, str) else await spec.read(MAX_JSON_BYTES + 1)
        yield Upload(written, file.file, pictures.file if isinstance(pictures, UploadFile) else None)


async def file_upload(request: Request, parts: PartsOf) -> AsyncIterator[FileUpload]:
    """A dependency: the part `file` of a multipart body with the fields beside it, closed when the answer is sent."""
    most = parts.settings.max_file_bytes
    async with form_parts(request, parts, most=most + _AROUND_BYTES, fields=_FIELDS, field_bytes=_FIELD_BYTES) as form:
        sent = form.multi_items()
        file = form.get("file")
        names = [name for name, _ in sent]
        fields = {name: value for name, value in sent if isinstance(value, str)}
        if not isinstance(file, UploadFile) or len(set(names)) != len(names) or len(fields) != len(names) - 1:
            raise other_parts(
                sent, "A file comes as one part 'file' with a file name, beside its fields.", "Send each once."
            )
        size = file.file.seek(0, os.SEEK_END)
        if size > most:
            raise too_large(most)
        yield FileUpload(fields, file.file, file.filename or "", size)


@asynccontextmanager
async def form_parts(
    request: Request,
    parts: Parts,
    *,
    most: int,
    fields: int,
    field_bytes: int,
    apart: Mapping[str, int] = MappingProxyType({}),
    files: int = 3,
) -> AsyncIterator[FormData]:
    """The parts of the body, of which up to `files` are files. Raises Problem.

    `apart` are parts with a bound of their own, in bytes, beside `most` for all others together.
    """
    demand_media_type(request, "multipart/form-data")
    _demand_utf8(request)
    stream = limited(request, most, parts.settings.body_seconds, apart=sum(apart.values()))
    parser = _Parser(request.headers, stream, max_files=files, max_fields=fields, max_part_size=field_bytes)
    parser.bounds = {"": most, **apart} if apart else {}
    try:
        with arriving(request, parts):
            form = await parser.parse()
    except _FileTooLarge as error:
        raise too_large(error.most) from error
    except _PartTooLarge as error:
        raise Problem("body_too_large", f"A part of more than {field_bytes:,} bytes without a file name.") from error
    except MultiPartException as error:
        raise Problem("bad_request", f"The multipart body cannot be read: {error.message}") from error
    try:
        yield form
    finally:
        await form.close()


class _PartTooLarge(MultiPartException):
    """A part that has no file name, and so lies in memory, is larger than it may be."""


class _FileTooLarge(MultiPartException):
    """A part with a bound of its own, or all others together, is larger than it may be."""

    def __init__(self, most: int) -> None:
        super().__init__("too large")
        self.most = most


class _Parser(MultiPartParser):
    """Starlette's parser, which says "too large" in a class of its own, and bounds some parts by themselves."""

    bounds: Mapping[str, int] = MappingProxyType({})

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if self.bounds:
            name = part.field_name if part.field_name in self.bounds else ""
            sizes: dict[str, int] = self.__dict__.setdefault("_sizes", {})
            sizes[name] = sizes.get(name, 0) + end - start
            if sizes[name] > self.bounds[name]:
                raise _FileTooLarge(self.bounds[name])
        if part.file is None and len(part.data) + end - start > self.max_part_size:
            raise _PartTooLarge("too large")
        super().on_part_data(data, start, end)


def other_parts(sent: list[tuple[str, UploadFile | str]], detail: str, remedy: str) -> Problem:
    names = ", ".join(quoted(name) for name, _ in sent) or "none"
    complaint = Complaint("parts", f"the parts sent are: {names}", remedy, field="body")
    return Problem("invalid_body", detail, errors=[complaint])


def _demand_utf8(request: Request) -> None:
    """Python's other codecs decode to halves of surrogate pairs, or fail in ways that the multipart reader lets out."""
    _, parameters = parse_options_header(request.headers["content-type"])  # as the multipart reader reads it
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem("unsupported_media_type", f"Send the body in UTF-8; the charset sent is {quoted(charset)}.")
