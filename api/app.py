"""The FastAPI application: routes, the one table from errors to problems, and what surrounds every request."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api import openapi
from api.complaints import from_validation
from api.docs_page import serve_docs
from api.observation import Observation
from api.parts import Parts
from api.problems import Problem
from api.routes import (
    assets,
    audit,
    campaigns,
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
from policy.errors import NotProvable, PolicyError, TooMuch
from workers import errors
from workers.database import worth_another_try
from workers.settings import Settings

log = structlog.get_logger()


class Answer(NamedTuple):
    """How an error class is answered. `detail` replaces the error's own words where those are for the log only."""

    code: str
    detail: str = ""
    retry_after_seconds: int | None = None


# The one place where domain errors meet HTTP. The nearest base class of an error decides.
ANSWERS: dict[type[Exception], Answer] = {
    errors.NotFound: Answer("not_found", "There is no such thing for this key."),
    errors.Conflict: Answer("conflict"),
    errors.UnderLegalHold: Answer("legal_hold"),
    errors.Stale: Answer("stale"),
    errors.NotReleasable: Answer("not_releasable"),
    errors.OwnCampaign: Answer("own_campaign"),
    errors.InFlight: Answer("idempotency_in_flight", retry_after_seconds=1),
    errors.IdempotencyKeyReused: Answer("idempotency_key_reused"),
    errors.LimitExceeded: Answer("limit_exceeded"),
    errors.ModelMissing: Answer("model_missing"),
    errors.StoreUnavailable: Answer("store_unavailable", "Try again later.", 5),
    NotProvable: Answer("not_found"),
    TooMuch: Answer("limit_exceeded"),
    PolicyError: Answer("policy_unavailable", "Nothing was stored. Try again later.", 30),
    PoolTimeout: Answer("busy", "Try again in a moment.", 1),
}
_BODY_UNREAD = frozenset({401, 403, 404, 405, 408, 413, 415})  # answered before the body is read to its end
_ROUTERS = (
    *(requests, campaigns, items, assets, identify, reviews, recalls, revocations, webhooks),
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
    openapi.install(app)
    app.add_middleware(Observation)
    for error in (Problem, RequestValidationError, HTTPException, DBAPIError, *ANSWERS, Exception):
        app.add_exception_handler(error, _answer)
    return app


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


def problem_for(error: Exception, request: Request) -> Problem:
    """What an error means to somebody who speaks HTTP."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            complaints = from_validation(error.errors())
            detail = "; ".join(f"{complaint.field}: {complaint.message}" for complaint in complaints[:3])
            return Problem("invalid_parameters", f"{detail}.", errors=complaints)
        case HTTPException():
            return _http_problem(error, request)
        case DBAPIError() if worth_another_try(error):
            return Problem("database_unavailable", "Try again in a moment.", headers={"Retry-After": "2"})
    for base in type(error).__mro__:
        if base in ANSWERS:
            answer = ANSWERS[base]
            headers = {"Retry-After": str(answer.retry_after_seconds)} if answer.retry_after_seconds else {}
            return Problem(answer.code, answer.detail or f"{error}.", headers=headers)
    return Problem("internal_error", "It is logged under the id in 'instance'. Nothing was stored.")


def _http_problem(error: HTTPException, request: Request) -> Problem:
    """Starlette's own errors: unknown addresses and methods."""
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        return Problem("method_not_allowed", f"It takes: {allowed}.", headers={"Allow": allowed})
    if error.status_code == 404:
        return Problem("not_found", "There is nothing at this address; /docs lists the addresses there are.")
    return Problem("bad_request", str(error.detail))


def _methods(request: Request) -> list[str]:
    """Every method of the address. Starlette's own answer names those of the first route that matches."""
    operations = [
        operation
        for template, operation in request.app.openapi()["paths"].items()
        if compile_path(template)[0].match(request.url.path)
    ]
    return sorted({method.upper() for operation in operations for method in operation}) or ["GET", "HEAD"]
