"""/v1/models: the cards of the models that this installation may use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query

from api.edge.auth import Reader
from api.edge.dependencies import PartsOf
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of
from api.schemas.base import NoQuery, NumberedPageQuery, Page
from api.schemas.models import ModelReply, ModelsReply, UnusableReply
from workers.errors import NotFound
from workers.sampling.registry import Registry

T = TypeVar("T")
_FOLDERS = re.compile(r"/\S*/(?=[^/\s]+/card\.yaml)")

router = APIRouter(route_class=InTurn, prefix="/v1/models", tags=["Models"])


@router.get("", summary="List the models")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]) -> ModelsReply:
    """What each model is, may be used for, and can do, by name."""
    names, cursor = _page(sorted(parts.registry.names()), query)
    return ModelsReply(data=[_reply(parts.registry, name) for name in names], next_cursor=cursor)


@router.get("/unusable", summary="List what is installed and cannot be used")
def list_unusable(caller: Reader, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]) -> Page[UnusableReply]:
    """Models, upscalers and adapters whose cards are broken, or whose base or pin is not there, with the reason.

    A worker also reads the files. What it finds there is in its log and in the metric `presswork_unusable`.
    """
    found, cursor = _page(sorted(parts.registry.unusable.items()), query)
    data = [UnusableReply(kind=kind, name=name, reason=without_paths(why)) for (kind, name), why in found]
    return Page(data=data, next_cursor=cursor)


@router.get("/{model}", summary="One model")
def read(
    model: Annotated[str, Path(max_length=200)], caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> ModelReply:
    """By its name."""
    if model not in parts.registry.names():
        raise NotFound("no such model")
    return _reply(parts.registry, model)


def without_paths(reason: str) -> str:
    """A reason without the folders of this installation: the card's place below the models directory is enough."""
    return _FOLDERS.sub("", reason)


def _page(every: Sequence[T], query: NumberedPageQuery) -> tuple[Sequence[T], str | None]:
    """The entries of a page and the cursor behind them: the number of entries that were shown."""
    first = number_of(query.cursor)
    end = first + query.limit
    return every[first:end], cursor_of_number(end) if end < len(every) else None


def _reply(registry: Registry, name: str) -> ModelReply:
    card = registry.get(name)
    beside = {"upscale": [1, *sorted(registry.upscalers_of(card))], "loras": list(registry.adapters_of(card))}
    fields = asdict(card) | beside | {"id": card.name}
    return ModelReply(**{field: fields[field] for field in ModelReply.model_fields if field in fields})
