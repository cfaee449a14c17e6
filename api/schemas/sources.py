"""Sources, buckets of tenants that inputs and feeds are read from, as they are sent and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import Line
from api.schemas.targets import BUCKET, HEADER, Endpoint, Prefix

_SOURCE: dict[str, JsonValue] = {
    "endpoint": "https://s3.eu-central-1.amazonaws.com",
    "region": "eu-central-1",
    "bucket": "acme-product-photos",
    "prefix": "feeds",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


class SourceBucketBody(BodyModel):
    """A bucket of your own, and a key that may read there and nothing else."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SOURCE]})

    endpoint: Endpoint = Field(description="https, public, without a path")
    region: str = Field("us-east-1", pattern=HEADER, min_length=1, max_length=60)
    bucket: str = Field(pattern=BUCKET, max_length=63, description="s3://BUCKET/... names its objects from then on")
    prefix: Prefix = Field("", description="of every object that may be read; left out: the whole bucket")
    access_key_id: str = Field(pattern=HEADER, min_length=1, max_length=128)
    secret_access_key: Annotated[Line, Field(min_length=1, max_length=256)] = Field(description="never shown again")


class SourceBucketReply(ReplyModel):
    """A source, without its secret."""

    id: str
    endpoint: str
    region: str
    bucket: str = Field(examples=["acme-product-photos"])
    prefix: str = Field(description="with its slash", examples=["feeds/"])
    access_key_id: str
    created_at: datetime
