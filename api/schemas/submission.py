"""Answer to a submission: what was found in it, and where to go from there."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import ReplyModel
from api.schemas.forecast import ForecastReply
from api.schemas.pilots import PilotPlanReply
from workers.states import Priority

_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"


class RefusedRowReply(ReplyModel):
    """A row that policy refuses: its items are stored as refused, and so is the reason, in the ledger."""

    row: int
    line: int | None = Field(description="physical line in the file")
    custom_id: str
    column: str = Field(description="the column whose value is refused; 'template', or 'prompt' for their combination")
    category: str
    rule: str
    message: str


class RewrittenRowReply(ReplyModel):
    """A row whose text policy changed: the image is made from the changed text, which its items show."""

    row: int
    line: int | None = Field(description="physical line in the file")
    custom_id: str
    rules: list[str]
    message: str


class WarningReply(ReplyModel):
    """Something to look at; it did not stop the request."""

    code: str
    message: str
    column: str | None = None
    rows: list[int] | None = Field(None, description="the first rows it concerns, up to 100")
    count: int | None = Field(None, description="how many rows it concerns")


class FileReply(ReplyModel):
    """How the file was read. What was found and not told is warned of as well."""

    format: str = Field(examples=["csv"], description="csv (any delimiter), jsonl, json, xlsx, parquet or xml")
    packed: str | None = Field(description="zip or gzip")
    encoding: str | None = Field(examples=["utf-8"], description="of a CSV file")
    delimiter: str | None = Field(examples=[";"], description="of a CSV file with several columns")
    sheet: str | None = Field(description="of a workbook")
    header_line: int | None = Field(examples=[1], description="line that names the columns")


class KeptRowReply(ReplyModel):
    """An image that an earlier request made, or is making, and that is not made again."""

    row: int
    custom_id: str
    variant: int
    state: str = Field(description="of the earlier item", examples=["released"])
    request_id: str = Field(description="the earlier request; its results hold the image")
    asset_id: str | None = Field(description="of a released image")


class ChangedRowReply(ReplyModel):
    """An image that is made although other rows are kept, and why."""

    row: int
    custom_id: str
    variant: int
    reason: str = Field(
        description="new; what differs: prompt, negative_prompt, options, seed, renditions or inputs; or what became of"
        " the earlier item: failed, refused, cancelled, recalled, held, released",
        examples=["prompt"],
    )


class SubmissionReply(ReplyModel):
    """What was found in a request that can be accepted."""

    rows: int
    items: int = Field(description="rows x variants")
    refused_items: int
    refused: list[RefusedRowReply] = Field(description="the first 100 refused rows")
    held_items: int = Field(description="made, but each waits for a person before it is released")
    rewritten_items: int = Field(0, description="made from a text that policy changed")
    rewritten: list[RewrittenRowReply] = Field([], description="the first 100 rewritten rows")
    warnings: list[WarningReply]
    left_out_rows: int = Field(0, description="rows that `where` did not take")
    file: FileReply | None = Field(None, description="how the file of a campaign was read")
    pilot: PilotPlanReply | None = Field(None, description="what is made first, and what accepting it will prove")
    kept_items: int = Field(0, description="not made again, with `unchanged: keep`")
    kept: list[KeptRowReply] = Field([], description="the first 100 of them")
    changed: list[ChangedRowReply] = Field(
        [], description="with `unchanged: keep`, the first 100 that are made; of a check, the first 100 not reused"
    )
    reused_items: int = Field(0, description="take a picture that is there already; cost nothing")
    reencoded_items: int = Field(
        0, description="their files are made of a drawing that was kept of the same picture; no GPU, and cost nothing"
    )


class LinksReply(ReplyModel):
    """Where to go from here."""

    request: str
    items: str
    assets: str
    results: str = ""


class AcceptedReply(SubmissionReply):
    """The request is stored with all its items and its ledger event, and survives any crash from here on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": 24,
                    "items": 48,
                    "refused_items": 2,
                    "refused": [
                        {
                            "row": 7,
                            "line": 8,
                            "custom_id": "row-7",
                            "column": "object",
                            "category": "sexual",
                            "rule": "sexual/explicit",
                            "message": "the text of 'object' is refused by rule sexual/explicit",
                        }
                    ],
                    "held_items": 0,
                    "rewritten_items": 0,
                    "rewritten": [],
                    "warnings": [],
                    "id": _ID,
                    "kind": "campaign",
                    "name": "spring catalogue",
                    "model": "studio",
                    "priority": "bulk",
                    "links": {
                        "request": f"/v1/requests/{_ID}",
                        "items": f"/v1/requests/{_ID}/items",
                        "assets": f"/v1/requests/{_ID}/assets",
                        "results": f"/v1/requests/{_ID}/results",
                    },
                }
            ]
        }
    )

    id: str
    kind: Literal["single", "campaign", "batch", "marks"]
    name: str
    model: str
    priority: Priority
    links: LinksReply


class ExamplePromptReply(ReplyModel):
    """A prompt as it would be drawn, with the values of its row."""

    row: int
    custom_id: str
    variant: int
    prompt: str


class DryRunReply(SubmissionReply):
    """What would have been accepted. Nothing was stored."""

    dry_run: Literal[True] = True
    examples: list[ExamplePromptReply] = Field([], description="the first ten images of a campaign that would be made")
    forecast: ForecastReply


class UnchangedReply(SubmissionReply):
    """Every image of the campaign is there or being made (`unchanged: keep`). Nothing was stored."""

    nothing_to_make: Literal[True] = True
