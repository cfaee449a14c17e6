"""Batches of the OpenAI API as they are asked for and answered: a batch is a request with rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from api.schemas.base import BodyModel, QueryModel, ReplyModel
from api.schemas.fields import Line
from api.schemas.files import ExpiryBody, FileId
from api.schemas.requests import CustomId

EDITS = "/v1/images/edits"
BATCH_ID = "^batch_[0-9a-f-]{36}$"
_AFTER = "^(batch_[0-9a-f-]{36})?$"

Metadata = Annotated[
    dict[Annotated[Line, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class BatchBody(BodyModel):
    """A batch of a file that was uploaded before."""

    input_file_id: FileId
    endpoint: Literal["/v1/images/generations", "/v1/images/edits"] = Field(description="the `url` of every line")
    completion_window: Literal["24h"] = Field(description="after it, what waits is cancelled")
    metadata: Metadata | None = None
    output_expires_after: ExpiryBody | None = Field(None, description="of the output files; left out: never")


class BatchLineBody(BodyModel):
    """A line of the file of a batch."""

    custom_id: CustomId
    method: Literal["POST"]
    url: str = Field(max_length=500)
    body: dict[str, JsonValue] = Field(description="as POST to the endpoint takes it in JSON, without `stream`")


class BatchesQuery(QueryModel):
    """Which page of the batches, newest first."""

    after: str = Field("", max_length=42, pattern=_AFTER, description="the last id of the page before")
    limit: int = Field(20, ge=1, le=100)


class BatchErrorReply(ReplyModel):
    """What is wrong with a line."""

    code: str
    line: int | None
    message: str
    param: str | None


class BatchErrorsReply(ReplyModel):
    """The first errors of a file."""

    object: Literal["list"] = "list"
    data: list[BatchErrorReply]


class BatchCountsReply(ReplyModel):
    """Lines. One has succeeded where at least one of its images is released."""

    total: int
    completed: int
    failed: int


class BatchReply(ReplyModel):
    """A batch and how far it is."""

    id: str = Field(examples=["batch_0198c5b2-7d0a-7c3e-9d55-3f0a2a5f4b12"])
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None
    errors: BatchErrorsReply | None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: Literal[
        "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
    ]
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: BatchCountsReply
    metadata: dict[str, Any] | None
    request_id: str | None = Field(description="ours: GET /v1/requests/{request_id}, once it is in progress")


class BatchesReply(ReplyModel):
    """A page of batches."""

    object: Literal["list"] = "list"
    data: list[BatchReply]
    first_id: str | None
    last_id: str | None
    has_more: bool
