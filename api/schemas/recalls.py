"""Recalls as they are sent and answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from api.edge.problems import Problem
from api.schemas.assets import RecallMarkReply
from api.schemas.base import BodyModel, PageQuery, QueryModel, ReplyModel
from api.schemas.fields import MAX_PROSE_CHARS, Digest, Id, Instant, Prose, Word
from workers.jobs.asset_views import AssetView
from workers.jobs.recall.criteria import Criteria, RecallCounts
from workers.jobs.recall.views import RecallMark, RecallView
from workers.states import AssetState

MAX_ASSETS = 2**53 - 1  # what JSON readers keep
_RECALL: dict[str, JsonValue] = {
    "model_revision": "sha256:915b8f4f27db067c5bf56bc7e47937beb698c3008f0b682423272822665f40e1",
    "since": "2026-11-01T00:00:00Z",
    "reason_code": "licence",
    "reason": "the model's licence was withdrawn",
    "expected_assets": 412,
}


_CRITERIA = tuple(name for name in Criteria.__dataclass_fields__ if name != "licensed")
_ONE_AT_LEAST: JsonDict = {
    "anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in _CRITERIA]
}


class RecallBody(BodyModel):
    """Which released assets are taken back, and why. Every criterion given must hold; one at least is needed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RECALL], **_ONE_AT_LEAST})

    asset_id: Id | None = Field(None, description="this one asset")
    request_id: Id | None = Field(None, description="everything of this campaign or request")
    model: Word | None = Field(None, description="made by this model, whatever its revision")
    model_revision: Digest | None = Field(None, description="made by exactly these bytes of a model")
    lora: Word | None = Field(None, description="made with this LoRA")
    input_id: Id | None = Field(
        None, description="made from this picture; alone, it withdraws it too: what is being made from it fails"
    )
    licence: Word | None = Field(None, description="made by a model whose card carries this licence")
    policy_version: Digest | None = Field(None, description="released under this rule set")
    rule: Word | None = Field(None, description="this rule spoke, and a threshold or a person let it pass")
    reviewer: Id | None = Field(None, description="released by a person with this key (its id)")
    since: Instant | None = Field(None, description="released at this moment or later (RFC 3339)")
    until: Instant | None = Field(None, description="released before this moment (RFC 3339), later than `since`")
    reason_code: Literal["safety", "rights", "licence", "policy", "quality", "legal", "privacy", "other"] = Field(
        description="the code that webhooks, look-ups and the ledger carry"
    )
    reason: Prose = Field("", max_length=MAX_PROSE_CHARS, description="for people; the ledger holds only its digest")
    expected_assets: int | None = Field(
        None,
        ge=1,
        le=MAX_ASSETS,
        description="as the dry run counted: if another number matches now, nothing is ordered",
    )

    @model_validator(mode="after")
    def _something_is_meant(self) -> RecallBody:
        if not self.criteria().to_json():
            raise ValueError("name at least one criterion: without any, everything would be recalled")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("'until' is not after 'since'")
        return self

    def criteria(self, licensed: tuple[str, ...] = ()) -> Criteria:
        given = {name: getattr(self, name) for name in _CRITERIA}
        return Criteria(**given, licensed=licensed)


class RecallQuery(QueryModel):
    """Look first."""

    dry_run: bool = Field(False, description="count what matches, change nothing, answer 200")


class RecallsQuery(PageQuery):
    """Which page of the recalls."""


class GroupReply(ReplyModel):
    """How many of the assets that match belong together."""

    assets: int


class CampaignGroupReply(GroupReply):
    request_id: str
    name: str


class ModelGroupReply(GroupReply):
    model: str
    model_revision: str


class RecallPreviewReply(ReplyModel):
    """What an order would do now. Nothing was changed."""

    dry_run: Literal[True] = True
    assets: int = Field(description="released assets that would be recalled", examples=[412])
    ordered: int = Field(description="match, and are under an order that is being carried out")
    recalled: int = Field(description="match, and were recalled before")
    first_release: datetime | None
    last_release: datetime | None
    by_campaign: list[CampaignGroupReply] = Field(description="the 100 largest")
    by_model: list[ModelGroupReply] = Field(description="the 100 largest")
    sample: list[str] = Field(description="ten of their ids")


class RecallReply(ReplyModel):
    """An order and how far it is carried out: `ordered` + `recalled` + `moved` = `assets`."""

    id: str
    state: Literal["open", "finished"] = Field(examples=["open"])
    criteria: dict[str, Any]
    reason_code: str
    reason: str
    ordered_by: str
    ordered_at: datetime
    finished_at: datetime | None
    assets: int = Field(description="fixed by the order")
    ordered: int = Field(description="still to come; no link is given any more")
    recalled: int = Field(description="recorded as recalled; their files are being moved")
    moved: int = Field(description="out of reach")
    missing: int = Field(description="of the moved: a file lay neither where it was nor where it goes")
    matching_now: int | None = Field(
        None, description="released assets that match and no order covers: released after this order"
    )
    links: dict[str, str]


def preview_reply(found: RecallCounts) -> RecallPreviewReply:
    return RecallPreviewReply(
        assets=found.released,
        ordered=found.ordered,
        recalled=found.recalled,
        first_release=found.first_release,
        last_release=found.last_release,
        by_campaign=[CampaignGroupReply(**row) for row in found.by_campaign],
        by_model=[ModelGroupReply(**row) for row in found.by_model],
        sample=list(found.sample),
    )


def recall_reply(view: RecallView, matching_now: int | None = None) -> RecallReply:
    shared = {name: getattr(view, name) for name in RecallReply.model_fields if hasattr(view, name)}
    return RecallReply(
        **{**shared, "criteria": dict(view.criteria)},
        state="finished" if view.finished_at else "open",
        matching_now=matching_now,
        links={"self": f"/v1/recalls/{view.id}"},
    )


def mark_reply(mark: RecallMark) -> RecallMarkReply:
    return RecallMarkReply(
        recall_id=mark.recall_id,
        reason_code=mark.reason_code,
        ordered_at=mark.ordered_at,
        recalled_at=mark.recalled_at,
    )


def refuse_recalled(view: AssetView, marks: Mapping[str, RecallMark]) -> None:
    """Raises Problem for an asset that was recalled or is under an order: what, why, since when, and which files."""
    mark = marks.get(view.id)
    if mark is None and view.state == AssetState.RELEASED:
        return
    more: dict[str, Any] = {
        "asset_id": view.id,
        "state": AssetState.RECALLED,
        "recall": mark_reply(mark).model_dump(mode="json") if mark else None,
        "sha256": sorted({file.sha256 for file in view.renditions}),
    }
    raise Problem("recalled", f"Asset {view.id} was recalled; its files are not handed out any more.", more=more)
