"""Routes of the console, put onto the application; none of them is in the OpenAPI document."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response

from api.console.browser_files import AT as FILES_AT
from api.console.browser_files import send_file
from api.console.failing import PageRoute
from api.console.forwarding import AT as FORWARDED_AT
from api.console.forwarding import forward
from api.console.pages import (
    assets,
    campaigns,
    catalogues,
    entrance,
    identify,
    masks,
    openid,
    registers,
    review,
    settings,
    sheets,
    start,
    submission,
)
from api.edge.problems import Problem

_PAGES = (
    assets,
    campaigns,
    catalogues,
    entrance,
    identify,
    masks,
    openid,
    registers,
    review,
    settings,
    sheets,
    start,
    submission,
)
ROUTERS = (entrance.links, *(page.router for page in _PAGES))


def serve_console(app: FastAPI) -> None:
    """Every page below /console, and what pages load."""
    app.add_api_route(f"{FILES_AT}/{{digest}}/{{name}}", send_file, include_in_schema=False)
    app.add_api_route(f"{FORWARDED_AT}/{{path:path}}", forward, methods=["GET", "POST"], include_in_schema=False)
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    last = APIRouter(route_class=PageRoute)
    last.add_api_route("/console/{path:path}", _nothing, include_in_schema=False)
    app.include_router(last)


async def _nothing(request: Request) -> Response:
    raise Problem("not_found", "The console has no such page.")
