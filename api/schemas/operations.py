"""Answers of the probes."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import ReplyModel


class HealthReply(ReplyModel):
    """The process answers."""

    status: Literal["alive"]


class ReadinessReply(ReplyModel):
    """Every part answers."""

    status: Literal["ready"]
