"""Targets of delivery, buckets of tenants, and deliveries, as they are sent and answered."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import LINE, Line

MAX_PREFIX_CHARS = 200
_ENDPOINT = r"^https?://[^/?#@\\\s]+/?$"
BUCKET = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
HEADER = "^[!-~]+$"  # what a header of a signed call may hold
_NO_PATH = r"(^|/)\.\.?(/|$)|[^/]//+[^/]|\\"  # a part that is empty or leads up, a backslash
_TARGET: dict[str, JsonValue] = {
    "name": "shop",
    "endpoint": "https://s3.eu-central-1.amazonaws.com",
    "region": "eu-central-1",
    "bucket": "acme-shop-images",
    "prefix": "generated",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


def _path(prefix: str) -> str:
    """Raises ValueError for a path with an empty part, or one that leads up."""
    if re.search(_NO_PATH, prefix):
        raise ValueError("a prefix is a path of plain names, such as spring/2027")
    return prefix.strip("/")


def _without_path(endpoint: str) -> str:
    if not re.fullmatch(_ENDPOINT, endpoint):
        raise ValueError("an endpoint is https:// and a host, without a path; the bucket has a field of its own")
    return endpoint.rstrip("/")


TargetName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", max_length=63)]
Prefix = Annotated[
    Line,
    Field(max_length=MAX_PREFIX_CHARS, json_schema_extra={"pattern": LINE, "not": {"pattern": _NO_PATH}}),
    AfterValidator(_path),
]
Endpoint = Annotated[
    str,
    Field(min_length=8, max_length=500, json_schema_extra={"pattern": _ENDPOINT}),
    AfterValidator(_without_path),
]


class TargetBody(BodyModel):
    """A bucket of your own, and the key that may write there."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TARGET]})

    name: TargetName = Field(description="what requests call it")
    endpoint: Endpoint = Field(description="https, public, without a path")
    region: str = Field("us-east-1", pattern=HEADER, min_length=1, max_length=60)
    bucket: str = Field(pattern=BUCKET, max_length=63)
    prefix: Prefix = Field("", description="of every object; a path without names that lead up")
    access_key_id: str = Field(pattern=HEADER, min_length=1, max_length=128)
    secret_access_key: Annotated[Line, Field(min_length=1, max_length=256)] = Field(description="never shown again")
    on_recall: Literal["withdraw", "list"] = Field(
        "withdraw", description="withdraw: objects of recalled pictures are deleted; list: they stay, and are listed"
    )


class TargetReply(ReplyModel):
    """A target, without its secret."""

    id: str
    name: str = Field(examples=["shop"])
    endpoint: str
    region: str
    bucket: str
    prefix: str = Field(description="with its slash", examples=["generated/"])
    access_key_id: str
    on_recall: str = Field(examples=["withdraw"])
    state: str = Field(description="checking, ready or refused; it is checked by a write", examples=["ready"])
    reason: str | None = Field(description="stable code of why it is refused", examples=["forbidden"])
    created_at: datetime
    checked_at: datetime | None


class DeliverBody(BodyModel):
    """Where the files of a request are delivered as they are released."""

    target: TargetName = Field(description="name of a target (GET /v1/targets)")
    prefix: Prefix = Field("", description="below the prefix of the target")


class FileDeliveryReply(ReplyModel):
    """How far the delivery of a request is. It goes on by itself, also after a pause."""

    request_id: str
    target_id: str
    target: str = Field(description="its name", examples=["shop"])
    prefix: str = Field(description="of all its objects", examples=["generated/spring/"])
    paused_for: str | None = Field(
        description="forbidden, full, no_bucket, occupied, digest, unavailable, timeout, connection and others; null:"
        " it goes on",
        examples=["forbidden"],
    )
    detail: str = Field(description="the same in words")
    files: dict[str, int] = Field(description="by state: delivered, withdrawn, listed")
    bytes: int
    manifest_at: datetime | None = Field(description="when manifest.csv and manifest.jsonl were last written")
