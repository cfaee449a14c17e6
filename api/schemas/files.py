"""Files of the OpenAI API as they are asked for and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import BodyModel, QueryModel, ReplyModel

MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS = 3_600, 2_592_000  # an hour to 30 days
FILE_ID = "^file-[0-9a-f-]{36}$"
_AFTER = "^(file-[0-9a-f-]{36})?$"

FileId = Annotated[str, Field(pattern=FILE_ID)]


class ExpiryBody(BodyModel):
    """When a file goes by itself."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=MIN_EXPIRY_SECONDS, le=MAX_EXPIRY_SECONDS)


class FileBody(BodyModel):
    """The fields beside the file itself. In the form, `expires_after` is `expires_after[anchor]` and `[seconds]`."""

    purpose: Literal["batch", "vision"] = Field(description="batch: its lines; vision: a picture that edits name")
    expires_after: ExpiryBody = Field(
        ExpiryBody(anchor="created_at", seconds=MAX_EXPIRY_SECONDS), description="left out: 30 days"
    )


class FilesQuery(QueryModel):
    """Which files, and which page of them."""

    after: str = Field("", max_length=41, pattern=_AFTER, description="the last id of the page before")
    limit: int = Field(10_000, ge=1, le=10_000)
    order: Literal["asc", "desc"] = Field("desc", description="by creation")
    purpose: Literal["batch", "batch_output", "vision"] | None = None


class StoredFileReply(ReplyModel):
    """A file. `bytes` of an output file is what it had when its batch ended."""

    id: str = Field(examples=["file-0198c5b2-7d0a-7c3e-9d55-3f0a2a5f4b11"])
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: Literal["batch", "batch_output", "vision"]
    status: Literal["processed"] = "processed"
    status_details: str | None = None


class FilesReply(ReplyModel):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[StoredFileReply]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFileReply(ReplyModel):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True
