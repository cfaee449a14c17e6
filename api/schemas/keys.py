"""API keys as they are sent and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import Word

KeyScope = Literal["submit", "read", "review", "audit", "admin"]


class KeyBody(BodyModel):
    """A key for your own tenant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "catalogue", "scopes": ["submit", "read"]}]})

    name: Word = Field(description="who or what will use it")
    scopes: list[KeyScope] = Field(min_length=1, max_length=5)
    person: Word | None = Field(None, description="whose key it is: for reviews, two keys of one person are one person")
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="left out: it does not expire")


class KeyReply(ReplyModel):
    """A key, without the key."""

    id: str
    name: str
    scopes: list[KeyScope]
    person: str | None = Field(description="whose key it is", examples=["alice@example.com"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCreatedReply(KeyReply):
    """A new key. `key` is shown in this answer, and in a repeat of this call with its Idempotency-Key."""

    key: str = Field(examples=["pw_Zk1hQ0xhbXBfZXhhbXBsZV9rZXlfbm90X2FfcmVhbF8"])
