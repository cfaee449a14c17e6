"""Masks of products, painted by hand: the picture stays in the browser and goes in as an input, its mask as another."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.console.failing import PageRoute
from api.console.visits import VisitOf

router = APIRouter(route_class=PageRoute)


@router.get("/console/inputs/mask")
async def paint(visit: VisitOf) -> Response:
    """The page's script calls the API: the picture, its mask, and a request that names both."""
    visit.demand("submit")
    models = (await visit.get("/v1/models"))["data"] if visit.may("read") else []
    return visit.page("mask.html", section="inputs", models=models)
