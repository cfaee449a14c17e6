"""API keys as they are sent and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import Word
from workers.jobs.keys import AGENT, AGENT_SCOPES

KeyScope = Literal["submit", "read", "review", "audit", "admin", "agent"]


class KeyBody(BodyModel):
    """A key for your own tenant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "catalogue", "scopes": ["submit", "read"]}]})

    name: Word = Field(description="who or what will use it")
    scopes: list[KeyScope] = Field(min_length=1, max_length=6)
    person: Word | None = Field(None, description="whose key it is: for reviews, two keys of one person are one person")
    daily_images: int | None = Field(
        None, ge=1, le=10**9, description="of an agent's key, which must have it: images it may send in a day of UTC"
    )
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="left out: it does not expire")

    @model_validator(mode="after")
    def _an_agent_is_an_agent(self) -> Self:
        is_agent = AGENT in self.scopes
        if is_agent and (self.person is not None or set(self.scopes) - set(AGENT_SCOPES)):
            raise ValueError("a key of the scope agent may have read and audit beside it, and belongs to no person")
        if is_agent != (self.daily_images is not None):
            raise ValueError("daily_images belongs to a key of the scope agent, which must have it")
        return self


class KeyReply(ReplyModel):
    """A key, without the key."""

    id: str
    name: str
    scopes: list[KeyScope]
    person: str | None = Field(description="whose key it is", examples=["alice@example.com"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    daily_images: int | None = Field(description="of an agent's key")


class OwnKeyReply(KeyReply):
    """The key that asks, with its tenant."""

    tenant: str = Field(examples=["acme"])


class KeyCreatedReply(KeyReply):
    """A new key. `key` is shown in this answer, and in a repeat of this call with its Idempotency-Key."""

    key: str = Field(examples=["pw_Zk1hQ0xhbXBfZXhhbXBsZV9rZXlfbm90X2FfcmVhbF8"])
