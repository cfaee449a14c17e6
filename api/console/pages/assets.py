"""Assets: one released picture with its files, its lineage, what screened it and what vouches for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response

from api.console.failing import PageRoute
from api.console.visits import CallRefused, Visit, VisitOf

router = APIRouter(route_class=PageRoute)


@router.get("/console/assets/{asset_id}")
async def show(visit: VisitOf, asset_id: str) -> Response:
    """What the key may see: files with `read`, lineage and proofs with `audit`. A recalled asset shows its recall."""
    id = quote(asset_id, safe="")
    asset, recalled = await _asset(visit, id)
    item = await visit.get(f"/v1/items/{asset['item_id']}") if asset else None
    lineage = await _known(visit, f"/v1/audit/assets/{id}") if visit.may("audit") else None
    proof = await _known(visit, f"/v1/audit/proofs/assets/{id}") if visit.may("audit") else None
    return visit.page(
        "asset.html",
        section="campaigns",
        id=asset_id,
        asset=asset,
        recalled=recalled,
        item=item,
        lineage=lineage,
        proof=proof,
    )


async def _asset(visit: Visit, id: str) -> tuple[Any, Any]:
    """The asset, or the problem that says why it is not handed out any more."""
    try:
        return await visit.get(f"/v1/assets/{id}"), None
    except CallRefused as refused:
        if refused.status != 410:
            raise
        return None, refused.problem


async def _known(visit: Visit, address: str) -> Any:
    """None while the ledger does not have it: an event is sealed about a second after it happened."""
    try:
        return await visit.get(address)
    except CallRefused as refused:
        if refused.status not in (404, 501):
            raise
        return None
