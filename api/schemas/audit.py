"""Auditor's questions as asked and answered. Rows are columns of the ledger's views; docs/audit.md lists them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.base import NumberedPageQuery, Page, ReplyModel
from api.schemas.fields import Digest, Word
from policy.ledger.reading.questions import By


class MadeByQuery(NumberedPageQuery):
    """What had a part in a picture. Several parameters mean all of them; one at least is needed."""

    model: Word | None = Field(None, description="a model of the registry")
    revision: Digest | None = Field(None, description="the content hash of a model")
    lora: Word | None = Field(None, description="a LoRA")


class RefusalsQuery(NumberedPageQuery):
    """Whose refusals."""

    policy: Digest = Field(description="policy version: the digest of the rule set")


class AuditReviewsQuery(NumberedPageQuery):
    """Whose reviews."""

    reviewer: Word | None = Field(None, description="name or id of the reviewer's key")
    decision: Literal["release", "refuse"] | None = Field(None, description="only these")


class CountsQuery(NumberedPageQuery):
    """What items are counted by."""

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
