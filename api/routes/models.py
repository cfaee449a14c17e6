"""/v1/models: the cards of the models that this installation may use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Reader
from api.parts import PartsOf
from api.replies import ModelReply, Page
from api.schemas import NoQuery

router = APIRouter(prefix="/v1/models", tags=["Models"])


@router.get("", summary="List the models")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[ModelReply]:
    """What each model is, may be used for, and can do. All on one page."""
    cards = [asdict(parts.registry.get(name)) for name in parts.registry.names()]
    return Page(
        data=[ModelReply(**{name: card[name] for name in ModelReply.model_fields}) for card in cards],
        next_cursor=None,
    )
