"""Inputs, pictures that are sent in for tasks, as they are sent and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, PageQuery, QueryModel, ReplyModel
from api.schemas.fields import Line
from workers.outbound.urls import MAX_URL_CHARS
from workers.states import InputState

MAX_FILE_NAME_CHARS = 200
MAX_CONSENT_CHARS = 500
_ADDRESS: dict[str, JsonValue] = {"url": "https://shop.example/photos/mug.jpg", "name": "mug.jpg"}

FileName = Annotated[Line, Field(max_length=MAX_FILE_NAME_CHARS)]
Consent = Annotated[Line, Field(max_length=MAX_CONSENT_CHARS)]
_CONSENT = "where the people who are shown agreed, such as the number of a release; kept as it is written"


class InputFormBody(BodyModel):
    """What may stand beside the file of an input."""

    name: FileName = Field("", description="your own name for it; left out: that of the file")
    consent: Consent = Field("", description=_CONSENT)


class AddressBody(BodyModel):
    """A picture that is fetched from an address, as soon as it is stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ADDRESS]})

    url: Annotated[Line, Field(min_length=1, max_length=MAX_URL_CHARS)] = Field(
        description="https, a public host, no redirect; or s3://BUCKET/PATH of a registered source. Fetched once"
    )
    name: FileName = Field("", description="your own name for it")
    consent: Consent = Field("", description=_CONSENT)


class InputsQuery(PageQuery):
    """Which page of the inputs."""

    state: InputState | None = Field(None, description="only those in this state")


class InputErasureQuery(QueryModel):
    """Look first."""

    dry_run: bool = Field(False, description="say what would follow, change nothing")


class InputErasureReply(ReplyModel):
    """What erasing an input would do now. Nothing was changed."""

    dry_run: Literal[True] = True
    state: InputState = Field(description="of the input", examples=["ready"])
    failing: int = Field(description="images that wait for it, or are being made: each would fail, alone")
    held: int = Field(description="images made from it that wait for a person; they stay")
    released: int = Field(description="images made from it; they stay. A recall by this input takes them back")
    kept_by: Literal["legal_hold", "recall"] | None = Field(description="what refuses the erasure; null: nothing does")


class InputFindingReply(ReplyModel):
    """Something that a rule of policy found on an input."""

    decision: str = Field(examples=["hold"])
    category: str
    rule: str
    score: float | None


class InputReply(ReplyModel):
    """A picture that was sent in, and what was found on it."""

    id: str
    state: InputState = Field(
        description="requests may name it at once; what needs it waits until it is ready", examples=["ready"]
    )
    origin: str = Field(description="upload, address or archive", examples=["upload"])
    name: str = Field(description="your own name for it; empty once it is erased")
    consent: str
    sent_sha256: str | None = Field(description="of the file as it was sent; null until it is fetched")
    sent_bytes: int | None
    sha256: str | None = Field(description="of the picture that tasks get: upright, without metadata, PNG")
    media_type: str | None = Field(description="of the file as it was sent")
    width: int | None
    height: int | None
    transparent: bool | None
    decision: str | None = Field(description="of policy: allow, hold (what is made from it is held) or refuse")
    findings: list[InputFindingReply]
    marks: dict[str, Any] | None = Field(description="manifest, watermark and label that it carried")
    reason: str | None = Field(description="stable code of why it cannot be read")
    detail: str = Field(description="the same in words")
    items: int = Field(description="images that were asked of it")
    created_at: datetime
    settled_at: datetime | None
    withdrawn_at: datetime | None = Field(description="since when it is erased or recalled")
