"""Plans and runs of catalogues: what is sent to have one made or carried out, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from api.schemas.base import BodyModel, PageQuery, QueryModel, ReplyModel
from api.schemas.fields import Line
from api.schemas.pilots import PilotPlanReply
from api.schemas.requests import MAX_CUSTOM_ID_CHARS, MAX_PICTURE_CHARS, Picture
from api.schemas.submission import WarningReply

MAX_KEYS = 10_000  # named in one call
Key = Annotated[Line, Field(min_length=1, max_length=MAX_CUSTOM_ID_CHARS)]
Kind = Literal["create", "change", "retire", "missing", "blocked"]
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class PicturesBody(BodyModel):
    """Files that were sent as inputs, by what the cells of the feed say."""

    pictures: dict[Annotated[str, Field(max_length=MAX_PICTURE_CHARS)], Picture] = Field({}, max_length=10_000)


class CatalogueReply(ReplyModel):
    """A catalogue, as its file was last sent."""

    name: str = Field(examples=["garden-chairs"])
    version: int = Field(description="of its file; another file is the next one")
    runs: int = Field(description="number of its last run")
    paused_for: str | None = Field(description="safeguards | rollback: a person is asked before anything is applied")
    paused_figures: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class CataloguesReply(ReplyModel):
    """Every catalogue of the tenant, by name."""

    data: list[CatalogueReply]


class CatalogueDeliveryReply(ReplyModel):
    """How far what is live is at a target. It goes on by itself, also after a pause."""

    target: str = Field(description="its name", examples=["shop"])
    prefix: str = Field(description="of all its objects", examples=["generated/garden-chairs/"])
    paused_for: str | None = Field(description="as of requests; null: it goes on", examples=["forbidden"])
    detail: str = Field(description="the same in words")
    waiting: bool = Field(description="something changed since the manifest was written")
    run: int | None = Field(description="the last run when the manifest was written")
    files: int = Field(description="that the manifest names")
    manifest_at: datetime | None


class CatalogueDetailReply(CatalogueReply):
    """A catalogue with its file."""

    spec: dict[str, Any]
    delivery: CatalogueDeliveryReply | None = Field(description="null: its file names no target")


class SafeguardReply(ReplyModel):
    """Something that looks like a mistake of the feed."""

    code: str = Field(examples=["changed"], description="changed | rows | duplicate_keys | blanks | images")
    message: str
    limit: float
    found: float


class PlanErrorReply(ReplyModel):
    """Why a plan cannot be made."""

    model_config = ConfigDict(extra="ignore")

    code: str
    message: str
    remedy: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    field: str | None = None


class CataloguePlanReply(ReplyModel):
    """What an apply would do, once `state` is ready."""

    id: str
    catalogue: str
    state: str = Field(description="planning | ready | failed | applied")
    version: int
    after_run: int = Field(description="the catalogue's last run when it was made")
    digest: str | None = Field(description="of everything that an apply would do")
    rows: int | None = Field(description="of the feed, that are taken")
    counts: dict[str, int] = Field(examples=[{"create": 120, "change": 41, "keep": 8839, "missing": 3, "blocked": 2}])
    causes: dict[str, dict[str, int]] = Field(
        description="by kind: the first part that differs, with the number of pictures",
        examples=[{"change": {"photo": 30, "column colour": 11}}],
    )
    safeguards: list[SafeguardReply] = Field(description="a person confirms these at apply")
    forecast: dict[str, Any] | None
    errors: list[PlanErrorReply]
    created_at: datetime
    expires_at: datetime | None
    run: int | None = Field(description="number of the run that applied it")
    request_id: str | None = Field(description="of that run")


class PlansQuery(PageQuery):
    """Which page of the plans."""


class PlansReply(ReplyModel):
    """A page of plans, the latest first."""

    data: list[CataloguePlanReply]
    next_cursor: str | None


class ChangesQuery(QueryModel):
    """Which changes of a plan."""

    kind: Kind | Literal[""] = ""
    limit: int = Field(100, ge=1, le=500, description="entries on a page")
    cursor: str = Field("", max_length=800, description="next_cursor of the page before")


class CatalogueChangeReply(ReplyModel):
    """What a plan does with one picture, or why it does nothing."""

    key: str
    view: int
    kind: Kind
    cause: str = Field(examples=["photo"])
    detail: str
    row: int | None
    line: int | None
    input_id: str | None
    asset_before: str | None = Field(description="the picture that was live when the plan was made")
    asset_after: str | None = Field(description="the picture that its run put in that place")


class ChangesReply(ReplyModel):
    """A page of changes, by key and view."""

    data: list[CatalogueChangeReply]
    next_cursor: str | None


class ApplyBody(BodyModel):
    """Carry out exactly the plan that was shown."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digest": _DIGEST, "confirm": False}]})

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(description="of the plan, as it was shown")
    only: list[Key] = Field([], max_length=MAX_KEYS, description="keys; empty: everything that the plan makes")
    again: bool = Field(False, description="also what failed or was refused before")
    limit: int | None = Field(None, ge=1, le=1_000_000, description="pictures at most; the next plan has the rest")
    confirm: bool = Field(False, description="a person overrules the safeguards of the plan")


class RunLinksReply(ReplyModel):
    """Where to look next."""

    request: str | None


class RunBegunReply(ReplyModel):
    """A run that was begun; its request makes the pictures. One that only retires has none, and is over."""

    catalogue: str
    run: int
    plan_id: str
    request_id: str | None
    slots: int = Field(description="pictures that it makes")
    retired: int = Field(description="pictures that leave the catalogue, since their rows are marked")
    pilot: PilotPlanReply | None = Field(description="the sample that a person accepts first")
    warnings: list[WarningReply]
    links: RunLinksReply


class RunReply(ReplyModel):
    """A run of a catalogue."""

    run: int
    kind: str = Field(description="apply | rollback")
    state: str = Field(description="making | holding: held pictures may follow | finished")
    plan_id: str | None
    request_id: str | None
    to_run: int | None = Field(description="of a rollback")
    slots: int
    flipped: int = Field(description="pictures that became live")
    counts: dict[str, int] | None = Field(description="its images by state, once its request was over")
    started_at: datetime
    ended_at: datetime | None


class RunsQuery(PageQuery):
    """Which page of the runs."""

    cursor: str = Field("", max_length=64, description="next_cursor of the page before")


class RunsReply(ReplyModel):
    """A page of runs, the latest first."""

    data: list[RunReply]
    next_cursor: str | None


class RollbackBody(BodyModel):
    """Return to what was live after an earlier run."""

    to_run: int = Field(ge=0, le=2**31 - 1, description="0: before the first")


class RollbackReply(ReplyModel):
    """The run that flipped the slots back."""

    run: int
    to_run: int
    flipped: int


class RetireBody(BodyModel):
    """Goods that are listed no longer."""

    keys: list[Key] = Field(min_length=1, max_length=MAX_KEYS)


class RetireReply(ReplyModel):
    """How many pictures are listed no longer."""

    retired: int


class CatalogueManifestQuery(QueryModel):
    """How the manifest is written."""

    format: Literal["csv", "jsonl"] = "csv"
    links: bool = Field(False, description="with a presigned link for each file")


class CatalogueFileQuery(QueryModel):
    """How the names of pictures are written into the feed."""

    address: str = Field(
        "",
        max_length=2_000,
        description="put before each file name in feed.csv, such as the address of the folder that has them",
        examples=["https://cdn.shop.example/chairs/"],
    )


def fields_of(model: type[BaseModel], row: Row[Any]) -> dict[str, Any]:
    """What a row has of a reply's fields, by their names."""
    return {name: value for name, value in row._mapping.items() if name in model.model_fields}
