"""Routes that run in turn: the work of an endpoint waits for one of its caller's places in the pool of threads.

The turn begins when the caller is known and the body has arrived, and ends when the endpoint returns: neither a slow
body nor a reply that `wait` holds back takes one. Authentication comes before it, one short query in the same pool.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.edge.auth import Caller
from api.edge.dependencies import PartsOf
from api.edge.limits.turns import Turns


class InTurn(APIRoute):
    """A route whose endpoint, where it is a plain function with a `caller`, takes a turn of that caller."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _in_turn(endpoint), **options)


async def _turns(parts: PartsOf) -> Turns:
    return parts.turns


def _in_turn(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(endpoint)
    if inspect.iscoroutinefunction(endpoint) or "caller" not in signature.parameters:
        return endpoint

    @wraps(endpoint)
    async def run(*, turns_: Turns, caller: Caller, **asked: Any) -> Any:
        # Callers without a key act as one tenant; each of their networks has turns of its own.
        name = f"network:{caller.networks[0]}" if caller.networks else f"tenant:{caller.tenant}"
        async with turns_.take(name):
            return await run_in_threadpool(endpoint, caller=caller, **asked)

    added = inspect.Parameter("turns_", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Turns, Depends(_turns)])
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), added])  # type: ignore[attr-defined]
    return run
