"""The FastAPI application: routes, and what surrounds every request."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from api import openapi
from api.edge.dependencies import Parts
from api.edge.docs_page import serve_docs
from api.edge.errors import ANSWERS, problem_for
from api.edge.middleware import Observation
from api.edge.problems import Problem
from api.edge.rate_limit import RateLimitFields
from api.routes import (
    assets,
    audit,
    campaigns,
    detect,
    erasures,
    events,
    identify,
    items,
    keys,
    legal_holds,
    models,
    operations,
    proofs,
    recalls,
    requests,
    reviews,
    revocations,
    webhooks,
)
from workers.metrics import start_at_zero
from workers.settings import Settings

log = structlog.get_logger()
_BODY_UNREAD = frozenset({401, 403, 404, 405, 408, 413, 415})  # answered before the body is read to its end
_ROUTERS = (
    *(requests, campaigns, items, assets, identify, detect, reviews, recalls, revocations, webhooks),
    *(events, audit, proofs, models, keys, erasures, legal_holds, operations),
)


def create_app(settings: Settings) -> FastAPI:
    """The whole API on these settings. Raises where a process that cannot judge must not start (see Parts.build)."""
    parts = Parts.build(settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.close()

    app = FastAPI(
        title="Presswork",
        version=version("presswork"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=life,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.parts = parts
    for module in _ROUTERS:
        app.include_router(module.router)
    serve_docs(app)
    start_at_zero(settings.queue_names, _routes(app))
    openapi.install(app)
    app.add_middleware(RateLimitFields)
    app.add_middleware(Observation)
    for error in (Problem, RequestValidationError, HTTPException, DBAPIError, *ANSWERS, Exception):
        app.add_exception_handler(error, _answer)
    return app


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield from ((route.path_format, method) for method in sorted(route.methods or ()))


async def _answer(request: Request, error: Exception) -> Response:
    request_id: str = request.scope["state"]["request_id"]
    problem = problem_for(error, request)
    if problem.status >= 500:
        _log(problem, error)
    response = problem.response(request_id)
    response.headers["X-Request-ID"] = request_id
    if problem.status in _BODY_UNREAD and _announces_body(request):
        response.headers["Connection"] = "close"  # or the server would read on what nobody wants
    return response


def _log(problem: Problem, error: Exception) -> None:
    """Types and lines of code, never the error's own words: a database quotes rows in them, and rows hold prompts."""
    cause = getattr(error, "orig", None)
    stack = "".join(traceback.format_tb(error.__traceback__)) if problem.code == "internal_error" else None
    log.error(
        "request_failed",
        code=problem.code,
        error=type(error).__name__,
        cause=type(cause).__name__ if cause else None,
        sqlstate=getattr(cause, "sqlstate", None),
        stack=stack,
    )


def _announces_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
