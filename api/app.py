"""Application (FastAPI): the routes, and the middleware around every request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Event, Thread

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from api import openapi
from api.catalogues import scheduled as scheduled_runs
from api.console.rooms import serve_console
from api.edge.bodies import demand_plain_bytes
from api.edge.dependencies import Parts
from api.edge.docs_page import serve_docs
from api.edge.errors import ANSWERS, answer
from api.edge.limits.rate_limit import RateLimitFields
from api.edge.limits.turns import POOL_THREADS
from api.edge.middleware.compression import Compression
from api.edge.middleware.conditional import Conditional
from api.edge.middleware.context import RequestContext
from api.edge.middleware.cors import Cors
from api.edge.middleware.failures import Failures
from api.edge.middleware.methods import Methods
from api.edge.problems import Problem
from api.edge.urls import guard_url
from api.routes import (
    assets,
    audit,
    batches,
    budgets,
    campaign_checks,
    campaigns,
    catalogue_plans,
    catalogue_schedules,
    catalogues,
    channels,
    courses,
    detect,
    erasures,
    events,
    files,
    identify,
    images,
    inputs,
    items,
    keys,
    legal_holds,
    marks,
    models,
    operations,
    pilots,
    proofs,
    recalls,
    reproductions,
    requests,
    results,
    reviews,
    revocations,
    soft_bindings,
    sources,
    streams,
    targets,
    webhooks,
)
from api.submission.large import looks as large_campaigns
from workers.metrics import start_at_zero
from workers.settings import Settings

# Of requests and answers, what scripts of another origin may send and read where `cors_origins` lets them in.
_CORS_REQUEST = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"),
    *("X-Request-ID", "traceparent"),
)
_CORS_ANSWER = (
    *("ETag", "Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"),
    *("X-Request-ID", "traceparent"),
)
_ROUTERS = (
    *(streams, requests, campaigns, campaign_checks, courses, pilots, results, items, assets, reproductions, identify),
    *(detect, reviews, recalls, revocations, webhooks, soft_bindings, inputs, sources, marks, targets, catalogues),
    *(catalogue_plans, catalogue_schedules, images, files, batches, budgets, events, audit, proofs, models, channels),
    *(keys, erasures, legal_holds, operations),
)


def create_app(settings: Settings) -> FastAPI:
    """The whole API on these settings. Raises where a process that cannot judge must not start (see Parts.build)."""
    parts = Parts.build(settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = POOL_THREADS
        stop = Event()
        followed = [
            Thread(target=scheduled_runs.follow, args=(parts, stop), name="scheduled"),
            Thread(target=large_campaigns.follow, args=(parts, stop), name="large-campaigns"),
        ]
        for thread in followed:
            thread.start()
        yield
        stop.set()
        parts.close()
        for thread in followed:
            thread.join()

    app = FastAPI(
        title="Presswork",
        version=version("presswork"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=life,
        dependencies=[Depends(guard_url), Depends(demand_plain_bytes)],
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.parts = parts
    for module in _ROUTERS:
        app.include_router(module.router)
    serve_docs(app)
    if settings.console:
        serve_console(app)
    start_at_zero(settings.queue_names, _routes())
    openapi.install(app)
    _surround(app, settings)
    for error in (Problem, RequestValidationError, HTTPException, DBAPIError, *ANSWERS):
        app.add_exception_handler(error, answer)
    return app


def _routes() -> Iterator[tuple[str, str]]:
    """Of the routers, as FastAPI keeps an included router folded up."""
    for module in _ROUTERS:
        for route in module.router.routes:
            if isinstance(route, APIRoute):
                yield from ((route.path_format, method) for method in sorted(route.methods or ()))


def _surround(app: FastAPI, settings: Settings) -> None:
    """The middleware; the last one added is the outermost."""
    for inner in (Methods, Conditional, Compression, Failures, RateLimitFields):
        app.add_middleware(inner)
    if settings.cors_origin_names:
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origin_names,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_CORS_REQUEST,
            expose_headers=_CORS_ANSWER,
        )
    app.add_middleware(RequestContext)
