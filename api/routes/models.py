"""/v1/models: the cards of the models that this installation may use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api.edge.auth import Reader
from api.edge.dependencies import PartsOf
from api.edge.in_turn import InTurn
from api.schemas.base import NoQuery, Page
from api.schemas.models import ModelReply
from workers.sampling.registry import Registry

router = APIRouter(route_class=InTurn, prefix="/v1/models", tags=["Models"])


@router.get("", summary="List the models")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[ModelReply]:
    """What each model is, may be used for, and can do. All on one page."""
    return Page(data=[_reply(parts.registry, name) for name in parts.registry.names()], next_cursor=None)


def _reply(registry: Registry, name: str) -> ModelReply:
    card = registry.get(name)
    beside = {"upscale": [1, *sorted(registry.upscalers_of(card))], "loras": list(registry.adapters_of(card))}
    fields = asdict(card) | beside
    return ModelReply(**{field: fields[field] for field in ModelReply.model_fields})
