"""What the API answers. Only what is listed here leaves, whatever the tables hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.submission import LinksReply, ReplyModel

T = TypeVar("T")
_PROBLEM: JsonDict = {
    "type": "urn:presswork:problem:invalid_campaign",
    "title": "The campaign has errors; nothing was stored",
    "status": 422,
    "detail": "2 errors in 24 rows read.",
    "code": "invalid_campaign",
    "instance": "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
    "errors": [
        {
            "code": "unknown_placeholder",
            "message": "the template asks for {color}, which is no column",
            "remedy": "The columns are: object, colour, width. Did you mean 'colour'?",
            "column": "color",
        },
        {
            "code": "model_limit",
            "message": "10001 is outside 64 to 256, the sides studio makes",
            "remedy": "studio is at its best at 128 x 128; leave the size out to get that.",
            "row": 7,
            "line": 8,
            "column": "width",
        },
    ],
}
_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
_ITEM_ID = "0199c0de-7b1b-7d02-8a44-0c5a5f0c2f10"
_ASSET_ID = "0199c0df-0a4e-7b6b-b2a1-58f2f0c0a9d3"


class Page(ReplyModel, Generic[T]):
    """A page of a list; `next_cursor` is null on the last one."""

    data: list[T]
    next_cursor: str | None


class CountsReply(ReplyModel):
    """Items by state; they add up to the request's items."""

    pending: int = 0
    planned: int = 0
    released: int = 0
    held: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    recalled: int = 0


class RequestReply(ReplyModel):
    """A request and how far it has come."""

    id: str = Field(examples=[_ID])
    kind: str = Field(examples=["campaign"])
    name: str = Field(examples=["spring catalogue"])
    template: str | None = Field(
        description="the template of a campaign, the prompt of a single request; null once it was erased",
        examples=["a {colour} {object} on a white background"],
    )
    model: str = Field(examples=["studio"])
    priority: str = Field(examples=["standard"])
    state: str = Field(description="open while an item is pending or planned, then finished", examples=["open"])
    items: int = Field(examples=[48])
    counts: CountsReply = Field(examples=[{"pending": 16, "planned": 8, "released": 22, "held": 1, "refused": 1}])
    metadata: dict[str, Any]
    renditions: list[str] = Field(description="files of each image", examples=[["original", "jpeg"]])
    publish_prompt: bool = Field(description="whether its prompts stand in the public marks", examples=[False])
    created_at: datetime
    cancelled_at: datetime | None
    erased_at: datetime | None = Field(description="since when name, template and metadata are erased")
    links: LinksReply


class CancelledReply(ReplyModel):
    """How many items were still open and will not be made; repeating a cancel answers 0."""

    cancelled: int = Field(examples=[48])


class FindingReply(ReplyModel):
    """One reason of a verdict."""

    decision: str
    stage: str
    category: str
    rule: str
    detail: str


class VerdictReply(ReplyModel):
    """What policy decided, and under which version."""

    decision: str
    policy_version: str
    findings: list[FindingReply]


class ItemReply(ReplyModel):
    """One image to make, or what became of it."""

    id: str = Field(examples=[_ITEM_ID])
    request_id: str = Field(examples=[_ID])
    row: int
    custom_id: str
    variant: int
    prompt: str | None = Field(description="null once it was erased")
    negative_prompt: str | None = Field(description="null once it was erased")
    rewritten: list[FindingReply] = Field(
        description="why policy changed a text; empty: prompt and negative_prompt as sent"
    )
    seed: int
    recipe: dict[str, Any]
    state: str = Field(examples=["released"])
    reason: str | None = Field(description="stable code of a failure")
    verdict: VerdictReply | None
    asset_id: str | None = Field(examples=[_ASSET_ID])
    created_at: datetime
    settled_at: datetime | None
    erased_at: datetime | None = Field(description="since when its texts are erased; the ledger keeps their proof")


class RenditionReply(ReplyModel):
    """One file of an asset. The link needs no key and ends by itself; null for a recalled asset."""

    name: str = Field(examples=["original"])
    media_type: str = Field(examples=["image/png"])
    width: int = Field(examples=[128])
    height: int = Field(examples=[128])
    bytes: int = Field(examples=[31337])
    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    url: str | None = Field(examples=["https://s3.example.com/presswork/released/acme/..."])
    url_expires_at: datetime | None


class RecallMarkReply(ReplyModel):
    """Why and since when an asset is not handed out."""

    recall_id: str
    reason_code: str
    ordered_at: datetime
    recalled_at: datetime | None = Field(description="null for the moment between the order and its execution")


class SearchReply(ReplyModel):
    """How well copies of an asset can be found by what they show. False: by its marks alone, or uncropped only."""

    identifiable: bool
    quality: int = Field(description="0 to 100: how much there is in the picture", examples=[100])
    features: int = Field(description="places that are found again in a crop", examples=[215])


class AssetReply(ReplyModel):
    """A released image: screened, marked, signed. Reading it is an event of the ledger, as it gives out links."""

    id: str = Field(examples=[_ASSET_ID])
    item_id: str = Field(examples=[_ITEM_ID])
    request_id: str = Field(examples=[_ID])
    custom_id: str = Field(examples=["sku-4711"])
    variant: int = Field(examples=[0])
    state: str = Field(examples=["released"])
    watermark_id: str = Field(
        description="the 48 bits of the invisible watermark, in hexadecimal", examples=["00f3a9c47be1"]
    )
    policy_version: str
    provenance: dict[str, Any] = Field(description="recipe, seed, place in the batch, marks and their read-back")
    released_at: datetime
    erased_at: datetime | None = Field(description="since when the texts it was made from are erased")
    recall: RecallMarkReply | None = Field(None, description="why and since when it is not handed out")
    renditions: list[RenditionReply]
    search: SearchReply | None = Field(description="null until it is indexed, seconds after the release")


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


class ModelReply(ReplyModel):
    """A model card: what the model is, may be used for, and can do."""

    name: str
    title: str
    description: str
    licence: str
    allowed_use: str
    training_data: str
    limits: list[str]
    revision: str = Field(description="content hash of all its files")
    width: int = Field(description="the width it is best at")
    height: int = Field(description="the height it is best at")
    min_side: int
    max_side: int
    size_multiple: int
    max_pixels: int
    num_inference_steps: int
    max_num_inference_steps: int
    guidance_scale: float
    max_guidance_scale: float
    scheduler: str
    schedulers: list[str]
    upscale: list[int] = Field(description="factors its pictures can be enlarged by, as `upscale` takes them")
    loras: list[str] = Field(description="adapters trained for it, as `loras` takes them")
    knows: list[str] = Field(description="what it was trained on; empty for a general model")


class KeyReply(ReplyModel):
    """A key, without the key."""

    id: str
    name: str
    scopes: list[str]
    person: str | None = Field(description="whose key it is", examples=["alice@example.com"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCreatedReply(KeyReply):
    """A new key. `key` is shown in this answer and never again."""

    key: str = Field(examples=["pw_Zk1hQ0xhbXBfZXhhbXBsZV9rZXlfbm90X2FfcmVhbF8"])


class ComplaintReply(ReplyModel):
    """One thing to put right, and where: row, line and column of a spreadsheet, or a field."""

    code: str
    message: str
    remedy: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    field: str | None = None


class ProblemReply(ReplyModel):
    """RFC 9457 problem details. `code` is stable; `instance` is the id under which the answer was logged."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    type: str = Field(examples=["urn:presswork:problem:invalid_campaign"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["invalid_campaign"])
    instance: str
    errors: list[ComplaintReply] | None = None


class HealthReply(ReplyModel):
    """The process answers."""

    status: str = Field(examples=["alive"])


class ReadinessReply(ReplyModel):
    """Every part answers."""

    status: str = Field(examples=["ready"])
