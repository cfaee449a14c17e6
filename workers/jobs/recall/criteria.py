"""Criteria of a recall: which released assets it means, and what a dry run says of them. All that are given must hold.

Reads only. Criteria are data in bound parameters, never SQL: a hostile value finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, case, cast, exists, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from policy.ledger.append import timestamp
from workers.jobs.inputs.tables import item_inputs
from workers.jobs.recall.tables import recall_assets
from workers.jobs.tables import assets, holds, items, recipes, requests, reviews
from workers.states import AssetState

SAMPLE = 10  # asset ids that a dry run shows
MAX_GROUPS = 100  # campaigns, models or tenants that a dry run lists, largest first
_REGISTERED = """
SELECT DISTINCT audit.said(body) #>> '{event,model_revision}' FROM audit.entries
WHERE kind = 'model.registered' AND audit.said(body) #>> '{event,licence}' = :licence
"""
_LORA = "$.loras[*][0] ? (@ == $name)"


class Licensed(Protocol):
    """What a recall asks of a model card: its licence, and the revision that items name."""

    @property
    def licence(self) -> str: ...

    @property
    def revision(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that are given must hold. `licensed` are the model revisions and LoRAs that carry `licence`."""

    asset_id: str | None = None  # and what was made of the same drawing
    request_id: str | None = None
    model: str | None = None
    model_revision: str | None = None  # "sha256:..."
    lora: str | None = None
    input_id: str | None = None  # made from this picture, whatever its role
    licence: str | None = None
    licensed: tuple[str, ...] = ()  # resolved by the caller, from the cards
    policy_version: str | None = None
    rule: str | None = None  # id of a finding: of the item's verdict, or of the hold a person overruled
    reviewer: str | None = None  # id of the key that released it
    since: datetime | None = None  # released at or after
    until: datetime | None = None  # released before

    def to_json(self) -> dict[str, Any]:
        """What was asked, JSON-ready: what is left out was not given."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: _plain(value) for name, value in given.items() if value not in (None, ())}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Criteria:
        """What `to_json` wrote."""
        moments = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until") if name in stored}
        return cls(**{**stored, "licensed": tuple(stored.get("licensed", ())), **moments})


@dataclass(frozen=True, slots=True)
class RecallCounts:
    """What an order would do now. `released` would be recalled; the others match, and are or will be already."""

    released: int
    ordered: int  # under an earlier order that is being carried out
    recalled: int
    first_release: datetime | None
    last_release: datetime | None
    by_campaign: tuple[Mapping[str, Any], ...]
    by_model: tuple[Mapping[str, Any], ...]
    by_tenant: tuple[Mapping[str, Any], ...]
    sample: tuple[str, ...]


def preview(conn: Connection, tenant: str | None, criteria: Criteria) -> RecallCounts:
    """Counts of what matches; changes nothing. `tenant` None is for operators: every tenant's."""
    standing = case(
        (recall_assets.c.asset_id.is_(None), AssetState.RELEASED),
        else_=case((recall_assets.c.state == "ordered", "ordered"), else_=AssetState.RECALLED),
    )
    counted = _matching(tenant, criteria, standing.label("standing"), func.count().label("n")).group_by(standing)
    by_state = {row.standing: row.n for row in conn.execute(counted)}
    span = func.min(assets.c.released_at).label("first"), func.max(assets.c.released_at).label("last")
    times = conn.execute(matching(tenant, criteria, *span)).one()
    made = recipes.c.recipe["model"].astext, recipes.c.recipe["model_revision"].astext
    return RecallCounts(
        released=by_state.get(AssetState.RELEASED, 0),
        ordered=by_state.get("ordered", 0),
        recalled=by_state.get(AssetState.RECALLED, 0),
        first_release=times.first,
        last_release=times.last,
        by_campaign=_groups(conn, tenant, criteria, request_id=assets.c.request_id, name=requests.c.name),
        by_model=_groups(conn, tenant, criteria, model=made[0], model_revision=made[1]),
        by_tenant=_groups(conn, tenant, criteria, owner=assets.c.tenant),
        sample=tuple(conn.scalars(matching(tenant, criteria, assets.c.id).order_by(assets.c.id).limit(SAMPLE))),
    )


def matching(tenant: str | None, criteria: Criteria, *columns: Any) -> Select[Any]:
    """The released assets that match and are in no order yet."""
    return _matching(tenant, criteria, *columns).where(
        assets.c.state == AssetState.RELEASED, recall_assets.c.asset_id.is_(None)
    )


def licensed(conn: Connection | None, cards: Iterable[Licensed], licence: str) -> tuple[str, ...]:
    """Revisions of the models under a licence: those at hand, and with the auditor's connection those that ever were.

    Empty for a licence that no card carries.
    """
    found = {card.revision for card in cards if card.licence == licence}
    if conn is not None:
        found.update(conn.scalars(text(_REGISTERED), {"licence": licence}))
    return tuple(sorted(found))


def tenants_of(conn: Connection, criteria: Criteria) -> list[str]:
    """Whose released assets match: an operator's order is one order for each of them."""
    return list(conn.scalars(matching(None, criteria, assets.c.tenant).distinct().order_by(assets.c.tenant)))


def _matching(tenant: str | None, criteria: Criteria, *columns: Any) -> Select[Any]:
    query = (
        select(*columns)
        .select_from(assets)
        .join(items, and_(items.c.id == assets.c.item_id, items.c.tenant == assets.c.tenant))
        .join(recipes, recipes.c.id == items.c.recipe_id)
        .join(requests, and_(requests.c.id == assets.c.request_id, requests.c.tenant == assets.c.tenant))
        .outerjoin(recall_assets, recall_assets.c.asset_id == assets.c.id)
        .where(*_conditions(criteria))
    )
    return query if tenant is None else query.where(assets.c.tenant == tenant)


def _conditions(given: Criteria) -> list[ColumnElement[bool]]:
    recipe = recipes.c.recipe
    plain: list[tuple[Any, Any]] = [
        (recipe["model"].astext, given.model),
        (recipe["model_revision"].astext, given.model_revision),
        (assets.c.policy_version, given.policy_version),
    ]
    wanted: list[ColumnElement[bool]] = [column == value for column, value in plain if value is not None]
    if given.asset_id is not None:
        wanted.append(_of_one_drawing(given.asset_id))
    if given.request_id is not None:
        reusing = items.alias("reusing")
        reused = reusing.c.reused_asset_id == assets.c.id, reusing.c.request_id == given.request_id
        wanted.append(or_(_of_drawings(given.request_id), exists().where(*reused)))
    if given.lora is not None:
        wanted.append(_has_lora(given.lora))
    if given.input_id is not None:
        used = item_inputs.c.item_id == assets.c.item_id, item_inputs.c.input_id == given.input_id
        wanted.append(exists().where(*used))
    if given.licence is not None:
        revisions = recipe["model_revision"].astext.in_(given.licensed)
        wanted.append(or_(revisions, *(_has_lora(name) for name in given.licensed)))
    if given.rule is not None:
        wanted.append(_spoke(given.rule))
    if given.reviewer is not None:
        released = and_(reviews.c.key_id == given.reviewer, reviews.c.decision == "release")
        wanted.append(exists().where(reviews.c.item_id == assets.c.item_id, released))
    if given.since is not None:
        wanted.append(assets.c.released_at >= given.since)
    if given.until is not None:
        wanted.append(assets.c.released_at < given.until)
    return wanted


def _of_drawings(request_id: str) -> ColumnElement[bool]:
    """Assets of a request, and those whose files were made of the same drawings: they show the same pictures."""
    own = items.alias("own")
    roots = select(func.coalesce(own.c.drawing_item_id, own.c.id)).where(own.c.request_id == request_id)
    return or_(assets.c.request_id == request_id, items.c.id.in_(roots), items.c.drawing_item_id.in_(roots))


def _of_one_drawing(asset_id: str) -> ColumnElement[bool]:
    """The asset, and those whose files were made of the same drawing: they show the same picture."""
    named, named_item = assets.alias("named"), items.alias("named_item")
    root = func.coalesce(named_item.c.drawing_item_id, named_item.c.id)
    of_named = (
        select(root)
        .select_from(named.join(named_item, named_item.c.id == named.c.item_id))
        .where(named.c.id == asset_id, named.c.tenant == assets.c.tenant)
        .correlate(assets)
        .scalar_subquery()
    )
    return or_(assets.c.id == asset_id, func.coalesce(items.c.drawing_item_id, items.c.id) == of_named)


def _has_lora(name: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.jsonb_path_exists(
        recipes.c.recipe, cast(_LORA, JSONPATH), literal({"name": name}, JSONB)
    )
    return found


def _spoke(rule: str) -> ColumnElement[bool]:
    """The rule is among the findings of the item's verdict, or of the hold that a person overruled."""
    finding = {"findings": [{"rule": rule}]}
    overruled = exists().where(holds.c.item_id == assets.c.item_id, holds.c.verdict.contains(finding))
    return or_(items.c.verdict.contains(finding), overruled)


def _groups(
    conn: Connection, tenant: str | None, criteria: Criteria, **columns: ColumnElement[Any]
) -> tuple[Mapping[str, Any], ...]:
    named = [column.label(name) for name, column in columns.items()]
    count = func.count()
    query = matching(tenant, criteria, *named, count.label("assets")).group_by(*columns.values())
    rows = conn.execute(query.order_by(count.desc(), *columns.values()).limit(MAX_GROUPS)).mappings()
    return tuple(dict(row) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return list(value) if isinstance(value, tuple) else value
