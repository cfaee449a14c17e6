"""/healthz, /readyz, /metrics: for probes and scrapers, without a key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.edge.dependencies import PartsOf
from api.edge.problems import Problem
from api.schemas.base import NoQuery
from api.schemas.operations import HealthReply, ReadinessReply

router = APIRouter(tags=["Operations"])
_ANSWER_SECONDS = 2.0  # a part that takes longer is not ready


@router.get("/healthz", summary="Is the process alive?")
async def healthz(query: Annotated[NoQuery, Query()]) -> HealthReply:
    """Asks nobody else: a process must not be restarted because its database is."""
    return HealthReply(status="alive")


@router.get("/readyz", summary="Can it do its work?")
async def readyz(parts: PartsOf, query: Annotated[NoQuery, Query()]) -> ReadinessReply:
    """Asks Postgres, Redis and the object store at once. 503 names the parts that do not answer."""
    silent = await parts.probes.silent(_ANSWER_SECONDS)
    if silent:
        raise Problem("not_ready", f"No answer from: {', '.join(silent)}.", more={"silent": silent})
    return ReadinessReply(status="ready")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(query: Annotated[NoQuery, Query()]) -> Response:
    """Text exposition format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
