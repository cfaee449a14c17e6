"""Events of the ledger as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import QueryModel, ReplyModel
from api.schemas.fields import Instant
from policy.events import KINDS


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no such kind of event; there are {', '.join(sorted(KINDS))}")
    return kind


Kind = Annotated[str, AfterValidator(_known_kind), Field(json_schema_extra={"enum": sorted(KINDS)})]


class EventsQuery(QueryModel):
    """Which events, and how they are written."""

    since: Instant | None = Field(None, alias="from", description="from this day or moment on (RFC 3339)")
    until: Instant | None = Field(
        None, alias="to", description="before this day or moment (RFC 3339), later than `from`"
    )
    kind: list[Kind] = Field([], max_length=len(KINDS), description="only these kinds; repeatable")
    format: Literal["jsonl", "csv", "parquet"] = Field("jsonl", description="JSON lines, CSV or Parquet")


class EventReply(ReplyModel):
    """One line of the ledger. Text that may be erased one day stands in `event` until it is."""

    index: int | None = Field(description="leaf index in the sealed tree; null until sealed")
    event_id: str
    at: datetime
    tenant: str
    kind: str = Field(examples=["item.released"])
    actor: str
    subjects: list[str]
    event: dict[str, Any]
