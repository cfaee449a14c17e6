"""/v1/files: files that clients of the OpenAI API upload for batches, and the output files of batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import Connection

from api.edge.auth import Caller, Reader, Submitter
from api.edge.bodies import parse, too_large
from api.edge.dependencies import Parts, PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.middleware.conditional import hands_over
from api.edge.multipart import FileUpload, file_upload, sha256_of
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Problem
from api.edge.uploads.inputs import checked
from api.openai.batches.outputs import output_content
from api.openai.spoken import OpenAIRoute
from api.schemas.base import NoQuery
from api.schemas.fields import MAX_NAME_CHARS
from api.schemas.files import DeletedFileReply, FileBody, FilesQuery, FilesReply, StoredFileReply
from workers.jobs.idempotency import StoredReply
from workers.jobs.types import new_id
from workers.jobs.uploads import files
from workers.jobs.uploads.views import FileView, get_file, list_files
from workers.store import file_key

router = APIRouter(route_class=OpenAIRoute, prefix="/v1/files", tags=["OpenAI"])
FileId = Annotated[str, Path(max_length=200, description="file-...")]
_MEDIA_TYPE, _BYTES = "application/jsonl", "application/octet-stream"


@router.post("", response_model=StoredFileReply, summary="Upload a file for a batch")
def create_file(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    upload: Annotated[FileUpload, Depends(file_upload)],
) -> Response:
    """A multipart body with `purpose`, the `file`, and perhaps `expires_after[anchor]` and `[seconds]`.

    `batch`: lines, read when a batch is made of them. `vision`: a picture, which edits name by `file_id`. It expires
    after 30 days, if nothing else is said.
    """
    asked = parse(FileBody, json.dumps(_nested(upload)).encode())
    if asked.purpose == files.VISION:
        _demand_picture(upload, parts.settings.input_max_bytes)
    sha256 = sha256_of(upload.file).hex()
    name = "".join(c if c.isprintable() else "_" for c in upload.name)[:MAX_NAME_CHARS] or "upload"
    fingerprint = once.fingerprint(asked, name.encode(), sha256.encode())
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    id = new_id()
    with parts.transaction(caller.tenant) as conn:
        files.begin(
            conn,
            id=id,
            tenant=caller.tenant,
            name=name,
            size=upload.size,
            sha256=sha256,
            seconds=asked.expires_after.seconds,
            most=parts.settings.max_files_bytes,
            purpose=asked.purpose,
        )
    # No connection is held while the store works. Of two repeats at the same moment both may upload: one row is
    # finished, and the clerk deletes the other upload.
    parts.store.put_file(file_key(caller.tenant, id), upload.file, _MEDIA_TYPE, sha256)

    def work(conn: Connection) -> StoredReply:
        files.finish(conn, caller.tenant, id, actor=caller.actor)
        return answered(200, _reply(get_file(conn, caller.tenant, id)))

    return once.run(caller.tenant, fingerprint, work)


@router.get("", summary="List the files")
def list_uploaded(caller: Reader, parts: PartsOf, query: Annotated[FilesQuery, Query()]) -> FilesReply:
    """Newest first, if nothing else is said."""
    with parts.transaction(caller.tenant) as conn:
        found = list_files(
            conn,
            caller.tenant,
            limit=query.limit + 1,
            after=uuid_or_not_found(query.after.removeprefix("file-"), "file") if query.after else None,
            newest_first=query.order == "desc",
            purpose=query.purpose,
        )
    shown = [_reply(view) for view in found[: query.limit]]
    first, last = (shown[0].id, shown[-1].id) if shown else (None, None)
    return FilesReply(data=shown, first_id=first, last_id=last, has_more=len(found) > query.limit)


@router.get("/{file_id}", summary="One file")
def read_file(file_id: FileId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> StoredFileReply:
    """What is known of a file, without its content."""
    with parts.transaction(caller.tenant) as conn:
        return _reply(get_file(conn, caller.tenant, _id(file_id)))


@router.get(
    "/{file_id}/content",
    summary="The content of a file",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in (_MEDIA_TYPE, _BYTES)}}},
)
def read_content(
    request: Request, file_id: FileId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> StreamingResponse:
    """An output file is made as it is read: its links begin to count now, and what was recalled is not in it."""
    with parts.transaction(caller.tenant) as conn:
        view = get_file(conn, caller.tenant, _id(file_id))
    pieces = _pieces(parts, caller, view, is_seen=hands_over(request))
    return StreamingResponse(pieces, media_type=_BYTES if view.purpose == files.VISION else _MEDIA_TYPE)


@router.delete("/{file_id}", response_model=DeletedFileReply, summary="Delete a file")
def delete_file(file_id: FileId, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Gone at once for everybody; its bytes follow. A batch that was made of it goes on, if its lines were read."""
    id = _id(file_id)

    def work(conn: Connection) -> StoredReply:
        files.delete(conn, caller.tenant, id, actor=caller.actor)
        return answered(200, DeletedFileReply(id=f"file-{id}"))

    return once.run(caller.tenant, once.fingerprint(), work)


def _pieces(parts: Parts, caller: Caller, view: FileView, *, is_seen: bool) -> Iterator[bytes]:
    """The first of them is read already: what is away is a problem, not an empty answer."""
    if view.sha256 is None:
        return output_content(parts, caller, view, is_seen=is_seen)
    stored = parts.store.stream(file_key(caller.tenant, view.id))
    return chain((next(stored, b""),), stored)


def _demand_picture(upload: FileUpload, most: int) -> None:
    """Raises Problem for what an edit could not take."""
    if upload.size > most:
        raise too_large(most)
    upload.file.seek(0)
    checked(upload.file.read(), "file")


def _nested(upload: FileUpload) -> dict[str, object]:
    """The fields with `expires_after[seconds]` as a member of `expires_after`; digits are a number."""
    fields: dict[str, object] = {}
    for name, text in upload.fields.items():
        outer, bracket, inner = name.removesuffix("]").partition("[")
        value: object = int(text) if inner == "seconds" and text.isdecimal() and len(text) < 10 else text
        if bracket:
            within = fields.setdefault(outer, {})
            if not isinstance(within, dict):
                raise Problem("invalid_body", f"{outer} is sent twice.")
            within[inner] = value
        else:
            fields[name] = value
    return fields


def _id(file_id: str) -> str:
    return uuid_or_not_found(file_id.removeprefix("file-"), "file")


def _reply(view: FileView) -> StoredFileReply:
    return StoredFileReply(
        id=f"file-{view.id}",
        bytes=view.bytes,
        created_at=int(view.created_at.timestamp()),
        expires_at=int(view.expires_at.timestamp()) if view.expires_at else None,
        filename=view.name,
        purpose=view.purpose,
    )
