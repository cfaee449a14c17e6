"""Results of a request as they are asked for, and the summary of what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import QueryModel, ReplyModel
from api.schemas.fields import UUID

Only = Literal["released", "failed", "held", "refused", "cancelled", "recalled"]
FileName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]


class ResultsQuery(QueryModel):
    """Which results, and how they are written."""

    format: Literal["csv", "jsonl", "parquet", "zip"] = Field("csv", description="zip: the files with a manifest")
    only: Only | Literal[""] = Field(
        "", description="only images in this state; with `failed`, `refused` and `cancelled` each row once"
    )
    channel: list[FileName] = Field(
        [], max_length=32, description="only these files of each image, by channel or rendition; repeatable"
    )
    sample: bool = Field(False, description="only images of the pilot")
    after: str = Field("", pattern=f"^$|{UUID}", max_length=36, description="go on behind this `presswork_item_id`")
    declare: list[Literal["allegro", "google", "taboola"]] = Field(
        [], max_length=3, description="adds the field in which this place wants the declaration of an image; repeatable"
    )
    links: bool = Field(
        False, description="JSON lines only: a presigned link beside each file; giving one out is an event"
    )


class ReasonReply(ReplyModel):
    """A reason why images were not released."""

    state: Literal["held", "refused", "failed"]
    code: str
    category: str
    rule: str
    items: int
    remedy: str


class SummaryReply(ReplyModel):
    """What became of a request's images so far. The numbers add up to `items` of the request."""

    released: int = Field(description="screened, marked and signed; files can be fetched")
    held: int = Field(description="wait for a reviewer")
    refused: int = Field(description="policy said no, or a reviewer did")
    failed: int = Field(description="could not be made")
    cancelled: int = Field(description="taken back before they were made")
    recalled: int = Field(description="were released and are withdrawn")
    open: int = Field(description="still to be made")
    reasons: list[ReasonReply] = Field(
        description="of held, refused and failed images, the most frequent first; empty in a list of requests"
    )
