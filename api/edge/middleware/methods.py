"""Methods of an address: what OPTIONS answers, and what a 405 allows."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

_POSSIBLE = ("DELETE", "GET", "PATCH", "POST", "PUT")


def allowed(app: FastAPI, path: str) -> list[str]:
    """Every method of the address, sorted; empty where there is nothing. GET brings HEAD, and each address OPTIONS.

    Starlette's own 405 names the methods of the first route that matches.
    """
    if path == "*":  # the server as a whole (RFC 9110 section 9.3.7)
        return sorted((*_POSSIBLE, "HEAD", "OPTIONS"))
    found = {method for method in _POSSIBLE if any(_takes(route, method, path) for route in app.router.routes)}
    if "GET" in found:
        found.add("HEAD")
    return sorted({*found, "OPTIONS"}) if found else []


def _takes(route: object, method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": [], "path_params": {}}
    match, _ = route.matches(scope)  # type: ignore[attr-defined]  # of every BaseRoute
    return match is Match.FULL and (method == "GET" or not isinstance(route, Mount))  # mounted: files, which are read


class Methods:
    """OPTIONS: 204 with what the address allows. It needs no key, as /openapi.json says the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and (found := allowed(scope["app"], scope["path"])):
            await Response(status_code=204, headers={"Allow": ", ".join(found)})(scope, receive, send)
            return
        await self._app(scope, receive, send)
