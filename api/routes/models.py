"""/v1/models: the cards of the models that a tenant may use, and its own decisions about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Admin, Reader
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of
from api.edge.problems import Problem
from api.schemas.base import NoQuery, NumberedPageQuery, Page
from api.schemas.models import ModelDecisionBody, ModelDecisionReply, ModelReply, ModelsReply, UnusableReply
from api.submission.pictures.tasks import Abilities, tasks_of
from api.submission.tenant_models import tenant_models, tenant_standings
from policy.prompts.weights import WEIGHTS
from workers.errors import NotFound
from workers.jobs.idempotency import StoredReply
from workers.jobs.keys import get_key
from workers.jobs.models.decisions import ModelDecision, decide
from workers.sampling.cards.registry import Registry
from workers.sampling.cards.standing import ModelStanding
from workers.states import ModelState

T = TypeVar("T")
ModelName = Annotated[str, Path(max_length=200)]
_FOLDERS = re.compile(r"/\S*/(?=[^/\s]+/card\.yaml)")

router = APIRouter(route_class=InTurn, prefix="/v1/models", tags=["Models"])


@router.get("", summary="List the models")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]) -> ModelsReply:
    """What each model is, may be used for, and can do, by name. A model that is approved for others is not listed.

    A further name of a model (`PRESSWORK_MODEL_ALIASES`) is an entry of its own, whose `name` is the model's.
    """
    standings = tenant_standings(parts, caller.tenant)
    visible = {name: name for name, standing in standings.items() if standing.visible}
    further = {alias: name for alias, name in parts.settings.model_alias_names.items() if name in visible}
    names, cursor = _page(sorted({**further, **visible}.items()), query)
    data = [_reply(parts.registry, name, standings[name], called) for called, name in names]
    return ModelsReply(data=data, next_cursor=cursor)


@router.get("/unusable", summary="List what is installed and cannot be used")
def list_unusable(caller: Reader, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]) -> Page[UnusableReply]:
    """Models, upscalers and adapters whose cards are broken, or whose base or pin is not there, with the reason.

    A worker also reads the files. What it finds there is in its log and in the metric `presswork_unusable`.
    """
    models = tenant_models(parts, caller.tenant)
    found, cursor = _page(sorted(models.unusable.items()), query)
    data = [UnusableReply(kind=kind, name=name, reason=without_paths(why)) for (kind, name), why in found]
    return Page(data=data, next_cursor=cursor)


@router.get("/{model}", summary="One model")
def read(model: ModelName, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> ModelReply:
    """By its name, or a further one that `PRESSWORK_MODEL_ALIASES` gives it."""
    name = tenant_models(parts, caller.tenant).named(model)
    standing = tenant_standings(parts, caller.tenant).get(name)
    if standing is None or not standing.visible:
        raise NotFound("no such model")
    return _reply(parts.registry, name, standing, model)


@router.put("/{model}/decision", response_model=ModelDecisionReply, summary="Retire a model for your tenant")
def put_decision(
    model: ModelName,
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[ModelDecisionBody, Depends(json_body(ModelDecisionBody))],
) -> Response:
    """It is about the revision that is installed now, and holds for your tenant's next submission.

    What was accepted before is made. An approval takes the retirement back; what the installation retired, or approved
    for other tenants, stays as it is. The key must name its person.
    """
    card = tenant_models(once.parts, caller.tenant).cards.get(model)
    if card is None:
        raise NotFound("no such model")

    def work(conn: Connection) -> StoredReply:
        person = get_key(conn, caller.tenant, caller.key_id).person
        if person is None:
            raise Problem("forbidden", "This key names no person, and a decision has one. Use a key with `person`.")
        decision = ModelDecision(
            tenant=caller.tenant,
            model=card.name,
            model_revision=card.revision,
            state=ModelState(asked.state),
            decided_by=person,
            reason=asked.reason,
            expires=asked.expires if asked.state == "approved" else None,
        )
        standing = asdict(decide(conn, decision, actor=caller.actor))
        return answered(200, ModelDecisionReply(**{name: standing[name] for name in ModelDecisionReply.model_fields}))

    return once.run(caller.tenant, once.fingerprint(asked), work)


def without_paths(reason: str) -> str:
    """A reason without the folders of this installation: the card's place below the models directory is enough."""
    return _FOLDERS.sub("", reason)


def _page(every: Sequence[T], query: NumberedPageQuery) -> tuple[Sequence[T], str | None]:
    """The entries of a page and the cursor behind them: the number of entries that were shown."""
    first = number_of(query.cursor)
    end = first + query.limit
    return every[first:end], cursor_of_number(end) if end < len(every) else None


def _reply(registry: Registry, name: str, standing: ModelStanding, called: str) -> ModelReply:
    card = registry.get(name)
    factors = registry.upscalers_of(card)
    tasks = tasks_of(card, Abilities.of(card, registry))
    beside = {"tasks": tasks, "upscale": [1, *sorted(factors)], "loras": list(registry.adapters_of(card))}
    beside["prompt_syntax"] = [WEIGHTS] if card.family.weighs else []
    decided = {"state": standing.state, "expires": standing.expires, "refused": standing.why}
    fields = asdict(card) | beside | decided | {"id": called}
    return ModelReply(**{field: fields[field] for field in ModelReply.model_fields if field in fields})
