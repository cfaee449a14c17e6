"""Auditor's questions as asked and answered. Rows are columns of the ledger's views; docs/audit.md lists them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas.base import NumberedPageQuery, Page, ReplyModel
from api.schemas.fields import Digest, Instant, Word
from policy.ledger.reading.questions import By
from policy.ledger.reading.scope import Scope


class ScopeQuery(NumberedPageQuery):
    """What a question is narrowed to. Several parameters mean all of them."""

    since: Instant | None = Field(None, alias="from", description="from this day or moment on (RFC 3339)")
    until: Instant | None = Field(
        None, alias="to", description="before this day or moment (RFC 3339), later than `from`"
    )
    campaign: Word | None = Field(None, description="the name or the id of a request")
    model: Word | None = Field(None, description="a model of the registry")
    revision: Digest | None = Field(None, description="the content hash of a model")
    lora: Word | None = Field(None, description="a LoRA")
    policy: Digest | None = Field(None, description="policy version: the digest of the rule set")
    rule: Word | None = Field(None, description="a rule that spoke")
    category: Word | None = Field(None, description="a category of which a rule spoke")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("'to' is not after 'from'")
        return self

    def scope(self, tenant: str) -> Scope:
        return Scope(
            self.since, self.until, tenant, self.campaign, self.model, self.revision, self.lora, self.policy, self.rule,
            self.category,
        )  # fmt: skip


class AuditReviewsQuery(ScopeQuery):
    """Whose reviews."""

    reviewer: Word | None = Field(None, description="name or id of the reviewer's key")
    decision: Literal["release", "refuse"] | None = Field(None, description="only these")


class CountsQuery(ScopeQuery):
    """What items are counted by."""

    by: list[By] = Field([By.DAY, By.DECISION], min_length=1, max_length=len(By), description="repeatable")


class LineageReply(ReplyModel):
    """Everything about one asset. Null is what is not known, or was erased."""

    model_config = ConfigDict(extra="allow")

    asset_id: str
    item_id: str
    request_id: str
    released_at: datetime
    made: str = Field(description="in words: which model made it; of a picture made elsewhere, who stated what")
    decided: str = Field(description="in words: released by whom, or automatically, and under which rule set")
    recalled_at: datetime | None
    recall_id: str | None
    prompt: str | None
    product: dict[str, Any] | None = Field(None, description="of one that was cut out: mask, its check, and the proof")
    reviews: list[dict[str, Any]]
    links: list[dict[str, Any]]


class RowsPage(Page[dict[str, Any]]):
    """A page of rows."""


class StillPublicPage(RowsPage):
    """Pictures that are public and would not be released today; `not_judged` lack their text or a score."""

    policy_version: str = Field(description="the rules they were judged by")
    judged: int
    not_judged: int
