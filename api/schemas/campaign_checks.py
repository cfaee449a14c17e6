"""Checks of campaigns whose file was accepted first: how far each is, and what it found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import ReplyModel
from api.schemas.problems import ProblemReply
from api.schemas.submission import AcceptedReply, DryRunReply, RefusedRowReply, UnchangedReply, WarningReply

_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"


class CampaignProblemReply(ProblemReply):
    """What stopped a campaign. Refusals and warnings that were met on the way are listed as well."""

    refused: list[RefusedRowReply] | None = None
    warnings: list[WarningReply] | None = None


class CheckLinksReply(ReplyModel):
    """Where to go from here."""

    self: str = Field(description="this check, as it is then")
    request: str | None = Field(description="the request, once it is accepted")


class CampaignCheckReply(ReplyModel):
    """A campaign whose file was accepted, and is checked in the background as a smaller one is at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "name": "spring catalogue",
                    "state": "checking",
                    "stage": "checking",
                    "bytes": 5242880,
                    "rows": 40000,
                    "rows_checked": 12000,
                    "created_at": "2027-03-01T09:00:00Z",
                    "ended_at": None,
                    "reply": None,
                    "problem": None,
                    "links": {"self": f"/v1/campaigns/{_ID}", "request": None},
                }
            ]
        }
    )

    id: str = Field(description="also the id of the request, once the campaign is accepted")
    name: str
    state: Literal["checking", "accepted", "checked", "failed", "cancelled"] = Field(
        description="accepted: its request is there; checked: nothing was to be stored, as for a `dry_run`; failed:"
        " `problem` says what to put right, and nothing was stored"
    )
    stage: Literal["waiting", "checking", "storing"] = Field(description="of one that is being checked")
    bytes: int = Field(description="size of the file as it was sent")
    rows: int | None = Field(description="data rows of the file, once they are counted")
    rows_checked: int = Field(description="how many of them are checked, or stored in the stage `storing`")
    created_at: datetime
    ended_at: datetime | None
    reply: AcceptedReply | UnchangedReply | DryRunReply | None = Field(
        description="what the submission of a smaller file is answered"
    )
    problem: CampaignProblemReply | None = Field(
        description="what is wrong, with each error's place and remedy; kept 30 days"
    )
    links: CheckLinksReply
