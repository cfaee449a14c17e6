"""What is sent to the API. Unknown fields are refused, and a string is not a number."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints

from api.templates import MAX_TEMPLATE_CHARS
from policy.events import KINDS
from policy.ledger.reading.stream import instant
from policy.marks.renditions import DEFAULT, RENDITIONS, ordered
from workers.recipes import MAX_SEED
from workers.states import ItemState, Priority

MAX_NAME_CHARS = 200
MAX_CUSTOM_ID_CHARS = 128
MAX_LABELS = 50
MAX_PAGE = 500

_SINGLE: dict[str, JsonValue] = {
    "prompt": "a red backpack on a white background",
    "width": 128,
    "height": 128,
    "variants": 4,
    "seed": 7,
    "metadata": {"ticket": "MKT-112"},
}
_CAMPAIGN: dict[str, JsonValue] = {
    "name": "spring catalogue",
    "template": "a {colour} {object} on a {background} background",
    "variants": 2,
    "priority": "bulk",
    "metadata": {"cost_centre": "4711"},
}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("the text holds invisible characters or line breaks")
    return text


def _scalar_labels(labels: dict[str, Any]) -> dict[str, Any]:
    if any(isinstance(value, dict | list) for value in labels.values()):
        raise ValueError("labels are text, numbers, true, false or null; no lists or objects")
    return labels


Name = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARS), AfterValidator(_printable)]
CustomId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CUSTOM_ID_CHARS), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEMPLATE_CHARS)]
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_printable)]
Labels = Annotated[dict[str, Any], Field(max_length=MAX_LABELS), AfterValidator(_scalar_labels)]
Turn = Annotated[Priority, Field(strict=False)]
Renditions = Annotated[
    tuple[Annotated[str, Field(json_schema_extra={"enum": list(RENDITIONS)})], ...],
    Field(strict=False, max_length=len(RENDITIONS)),
    AfterValidator(ordered),
]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LoraBody(_Sent):
    """One adapter."""

    name: str = Field(min_length=1, max_length=63, description="a name from `loras` of GET /v1/models")
    scale: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="how strongly it acts; left out: its card's own"
    )


class OptionsBody(_Sent):
    """What both kinds of request may ask of a model. A field left out takes the model card's own default."""

    name: Name = Field("", description="for people; shown in lists")
    model: str | None = Field(
        None, description="a name from GET /v1/models; may be left out while there is only one", max_length=63
    )
    negative_prompt: Text = Field("", description="what should not be in the picture")
    width: int | None = Field(None, ge=1, description="pixels")
    height: int | None = Field(None, ge=1, description="pixels")
    num_inference_steps: int | None = Field(None, ge=1, description="denoising steps")
    guidance_scale: float | None = Field(None, ge=0, allow_inf_nan=False, description="1 or less: no guidance")
    scheduler: str | None = Field(None, description="one of the model's schedulers", max_length=63)
    upscale: int = Field(
        1,
        ge=1,
        le=8,
        description="times each side is enlarged after drawing, by an upscaler of the model; 1: not at all",
    )
    loras: list[LoraBody] = Field([], max_length=4, description="adapters of the model that bend its style")
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="variant n takes seed + n; left out, each item has a seed of its own, derived from its ids",
    )
    variants: int = Field(1, ge=1, description="images of each prompt")
    renditions: Renditions = Field(
        DEFAULT, description="files of each image, in full size; the original PNG is always among them"
    )
    publish_prompt: bool = Field(
        False, description="write the prompt into the public marks of every file; it cannot be taken back from there"
    )
    metadata: Labels = Field({}, description="your own labels, kept and never read by us")


class SingleBody(OptionsBody):
    """One prompt, one or more variants."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SINGLE]})

    prompt: Text = Field(min_length=1, description="taken as it is; braces mean nothing here")
    custom_id: CustomId = Field("row-1", description="your own name for it, kept on items and assets")
    priority: Turn = Field(Priority.INTERACTIVE, description="its class of turns")


class CampaignBody(OptionsBody):
    """Every row of the spreadsheet times the template times the variants."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAMPAIGN]})

    template: Text = Field(
        min_length=1, description="{column} is replaced by the row's value; {{ and }} are the braces themselves"
    )
    priority: Turn = Field(Priority.STANDARD, description="its class of turns")
    delimiter: Literal[",", ";", "\t"] = Field(",", description="between the cells")
    dry_run: bool = Field(False, description="check and screen everything, store nothing, answer 200")


class KeyBody(_Sent):
    """A key for your own tenant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "catalogue", "scopes": ["submit", "read"]}]})

    name: Name = Field(min_length=1, description="who or what will use it")
    scopes: list[Literal["submit", "read", "review", "audit", "admin"]] = Field(min_length=1, max_length=5)
    person: PersonName | None = Field(
        None, description="whose key it is: for reviews, two keys of one person are one person"
    )
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="left out: it does not expire")


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(100, ge=1, le=MAX_PAGE, description="entries on a page")
    cursor: str = Field("", max_length=200, description="next_cursor of the page before")


class ItemsQuery(PageQuery):
    """Which page of a request's items."""

    state: ItemState | Literal[""] = Field("", description="only items in this state")


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no such kind of event; there are {', '.join(sorted(KINDS))}")
    return kind


Instant = Annotated[datetime, BeforeValidator(instant)]
Kind = Annotated[str, AfterValidator(_known_kind)]


class EventsQuery(BaseModel):
    """Which events, and how they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Instant | None = Field(None, alias="from", description="from this day or moment on (RFC 3339)")
    until: Instant | None = Field(None, alias="to", description="before this day or moment (RFC 3339)")
    kind: list[Kind] = Field([], max_length=len(KINDS), description="only these kinds; repeatable")
    format: Literal["jsonl", "csv", "parquet"] = Field("jsonl", description="JSON lines, CSV or Parquet")


class NoQuery(BaseModel):
    """An address that takes no parameters says so instead of ignoring them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
