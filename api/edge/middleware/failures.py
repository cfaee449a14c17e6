"""Failures: an error that no handler expected is logged under the request's id and answered as a problem.

Starlette's own last resort stands outside every middleware, where the id is forgotten, and raises on, after which the
server closes the connection unannounced. Here the connection stays usable. An answer that has begun cannot be taken
back: the error goes on to the server, which cuts the connection, so the caller sees that the answer is not whole.
"""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.errors import answer, log_failure


class Failures:
    """Inside RequestContext, outside everything that may fail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun:
                log_failure("answer_cut_off", error)
                raise
            response = await answer(Request(scope), error)
            await response(scope, receive, send)
