"""What the auditor's questions take and answer. Rows are columns of the ledger's views; docs/audit.md lists them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.replies import Page
from api.schemas.requests import PageQuery
from api.schemas.submission import ReplyModel
from policy.ledger.reading.questions import By

_Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MadeByQuery(PageQuery):
    """What had a part in a picture."""

    model: _Word | None = Field(None, description="a model of the registry")
    revision: _Digest | None = Field(None, description="the content hash of a model")
    lora: _Word | None = Field(None, description="a LoRA")


class RefusalsQuery(PageQuery):
    """Whose refusals."""

    policy: _Digest = Field(description="policy version: the digest of the rule set")


class AuditReviewsQuery(PageQuery):
    """Whose reviews."""

    reviewer: _Word | None = Field(None, description="name or id of the reviewer's key")
    decision: Literal["release", "refuse"] | None = Field(None, description="only these")


class CountsQuery(ReplyModel):
    """What items are counted by."""

    model_config = ConfigDict(extra="forbid")

    by: list[By] = Field([By.DAY, By.DECISION], min_length=1, max_length=len(By), description="repeatable")


class LineageReply(ReplyModel):
    """Everything about one asset. Null is what is not known, or was erased."""

    model_config = ConfigDict(extra="allow")

    asset_id: str
    item_id: str
    request_id: str
    released_at: datetime
    recalled_at: datetime | None
    recall_id: str | None
    prompt: str | None
    reviews: list[dict[str, Any]]
    links: list[dict[str, Any]]


class RowsPage(Page[dict[str, Any]]):
    """A page of rows."""


class StillPublicPage(RowsPage):
    """Pictures that are public and would not be released today; `not_judged` lack their text or a score."""

    policy_version: str = Field(description="the rules they were judged by")
    judged: int
    not_judged: int
