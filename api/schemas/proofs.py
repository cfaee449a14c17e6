"""Proofs and evidence packs as they are asked for and answered."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import QueryModel, ReplyModel

_LARGEST = 2**62  # leaves of a tree


class HeadQuery(QueryModel):
    """Which head."""

    size: int | None = Field(None, ge=1, le=_LARGEST, description="leaves of the head; the newest if it is left out")


class ConsistencyQuery(QueryModel):
    """Which two heads."""

    old: int = Field(ge=1, le=_LARGEST, description="leaves of the head that you kept")
    new: int = Field(ge=1, le=_LARGEST, description="leaves of a later one; at least `old`")


class PackQuery(QueryModel):
    """What a pack is about: exactly one of the two."""

    asset: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="an asset or item of yours; leave it out with `request`",
        json_schema_extra={"format": "uuid"},
    )
    request: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="a request of yours; leave it out with `asset`",
        json_schema_extra={"format": "uuid"},
    )


class ProvenEventReply(ReplyModel):
    """An event and its proof; SHA-256 of a zero byte and the UTF-8 bytes of `event` is the leaf."""

    event_id: str
    index: int = Field(description="leaf index")
    size: int = Field(description="leaves under the head that the proof ends in")
    event: str = Field(description="the exact text that was hashed, canonical JSON (RFC 8785)")
    proof: str = Field(description="c2sp.org/tlog-proof, with the signed head")
