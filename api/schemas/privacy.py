"""Erasures and legal holds as they are sent and answered. No answer repeats the text that was searched for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import MAX_PROSE_CHARS, Id, Instant, Line, Prose
from workers.jobs.privacy.legal_holds import HoldScope, LegalHold
from workers.jobs.privacy.orders import ErasureStatus
from workers.jobs.privacy.select import NOUNS, ErasureCounts, ErasureScope

MIN_SOUGHT_CHARS, MAX_SOUGHT_CHARS = 3, 200
_ERASURE: dict[str, JsonValue] = {"text": "jane@example.com", "dry_run": True}
_HOLD: dict[str, JsonValue] = {
    "request": "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11",
    "reason": "claim 4711, see the legal department's file",
}


def _given(noun: str) -> JsonDict:
    """A schema that holds where this noun was given: null and a `tenant` of false count as left out."""
    return {"required": [noun], "properties": {noun: {"const": True} if noun == "tenant" else {"type": "string"}}}


_ONE_SCOPE: JsonDict = {"oneOf": [_given(noun) for noun in NOUNS]}
_ONE_HELD: JsonDict = {
    "not": {
        "anyOf": [
            {"allOf": [_given(one), _given(other)]}
            for one, other in (("item", "asset"), ("item", "request"), ("asset", "request"))
        ]
    }
}


class ErasureBody(BodyModel):
    """What is to be erased: exactly one of item, asset, request, key, tenant, text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ERASURE], **_ONE_SCOPE})

    item: Id | None = Field(None, description="the texts of one item")
    asset: Id | None = Field(None, description="the texts of the item that became this asset")
    request: Id | None = Field(None, description="a request with all its items")
    key: Id | None = Field(None, description="every request that was sent with this API key")
    tenant: bool = Field(False, description="everything of your tenant that was there at the moment of the order")
    text: Annotated[Line, Field(min_length=MIN_SOUGHT_CHARS, max_length=MAX_SOUGHT_CHARS)] | None = Field(
        None,
        description="every item, request, reply and reason in which this text stands, whatever its case",
    )
    dry_run: bool = Field(False, description="count and name what would be erased, erase nothing, answer 200")

    @model_validator(mode="after")
    def _one_thing_is_meant(self) -> Self:
        given = [noun for noun in NOUNS if getattr(self, noun)]
        if len(given) != 1:
            raise ValueError(f"name exactly one of {', '.join(NOUNS)}; named are {', '.join(given) or 'none'}")
        return self

    def scope(self) -> ErasureScope:
        noun = next(noun for noun in NOUNS if getattr(self, noun))
        return ErasureScope(noun, "" if noun == "tenant" else getattr(self, noun))


class LegalHoldBody(BodyModel):
    """What must not be erased: all of your tenant, or one request, item or asset; at all times, or in a range."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HOLD], **_ONE_HELD})

    item: Id | None = Field(None, description="one item, and what its request says of all its items")
    asset: Id | None = Field(None, description="the item that became this asset")
    request: Id | None = Field(None, description="one request with all its items")
    since: Instant | None = Field(None, description="only what was there at this moment or later (RFC 3339)")
    until: Instant | None = Field(
        None, description="only what was there before this moment (RFC 3339), later than `since`"
    )
    reason: Prose = Field(
        min_length=1, max_length=MAX_PROSE_CHARS, description="for people with this scope; nobody else sees it"
    )

    @model_validator(mode="after")
    def _one_thing_is_meant(self) -> Self:
        if sum(given is not None for given in (self.item, self.asset, self.request)) > 1:
            raise ValueError("name at most one of item, asset, request")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("'until' is not after 'since'")
        return self

    def scope(self) -> HoldScope:
        return HoldScope(self.request, self.item, self.asset, self.since, self.until)


class ErasurePreviewReply(ReplyModel):
    """What an order would erase. Nothing was changed."""

    dry_run: Literal[True] = True
    items: int = Field(description="items whose prompts, ids of yours and review comments would go")
    requests: int = Field(description="requests whose name, template and metadata would go")
    events: int = Field(description="events that are of no item and no request: reasons of recalls and of lifted holds")
    replies: int = Field(description="stored replies to an Idempotency-Key")
    pictures: int = Field(description="items whose picture would be deleted from quarantine or from recalled objects")
    ledger_texts: int = Field(description="private texts of the ledger among all that")
    checks: int = Field(description="checks of large campaigns, which would go with what they found")
    open_checks: int = Field(description="large campaigns being checked; while there are any, it is refused")
    unsettled_items: int = Field(description="items that still need their prompt; while there are any, it is refused")
    legal_holds: list[str] = Field(description="holds that cover part of it; while there are any, it is refused")
    item_ids: list[str] = Field(description="the first 20")
    request_ids: list[str] = Field(description="the first 20")


class ErasureReply(ReplyModel):
    """An order to erase. It is carried out in steps; what is under a legal hold waits until that is lifted."""

    id: str
    scope: dict[str, Any] = Field(description="what was named; a text is not repeated", examples=[{"text": True}])
    state: Literal["ordered", "running", "finished"] = Field(examples=["running"])
    ordered_by: str
    ordered_at: datetime
    finished_at: datetime | None
    erased: dict[str, int] = Field(description="by where it lay", examples=[{"items": 12, "texts": 25}])
    left: dict[str, int] = Field(description="what still waits", examples=[{"pictures": 1}])


class LegalHoldReply(ReplyModel):
    """A legal hold."""

    id: str
    request: str | None
    item: str | None
    since: datetime | None
    until: datetime | None
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


def preview_reply(found: ErasureCounts) -> ErasurePreviewReply:
    counts = {name: getattr(found, name) for name in ErasurePreviewReply.model_fields if name != "dry_run"}
    return ErasurePreviewReply(**{n: list(value) if isinstance(value, tuple) else value for n, value in counts.items()})


def erasure_reply(view: ErasureStatus) -> ErasureReply:
    maps = {name: dict(getattr(view, name)) for name in ("scope", "erased", "left")}
    rest = {name: getattr(view, name) for name in ErasureReply.model_fields if name not in maps}
    return ErasureReply(**maps, **rest)


def hold_reply(view: LegalHold) -> LegalHoldReply:
    renamed: Mapping[str, Any] = {"request": view.request_id, "item": view.item_id}
    rest = {name: getattr(view, name) for name in LegalHoldReply.model_fields if name not in renamed}
    return LegalHoldReply(**renamed, **rest)
