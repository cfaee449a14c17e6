"""CORS middleware: starlette's, whose refusal of a preflight is a problem document like every other refusal."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.edge.problems import Problem


class Cors(CORSMiddleware):
    """Inside RequestContext, which gives the request its id."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code < 400 else _Refusal(answer)


class _Refusal(Response):
    """The refusal, written when the id of the request is known. The headers of a preflight stay."""

    def __init__(self, refused: Response) -> None:
        super().__init__(status_code=refused.status_code)
        self._detail = bytes(refused.body).decode()
        kept = ((name, value) for name, value in refused.headers.items() if not name.startswith("content-"))
        self._kept = dict(kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem("bad_request", f"{self._detail}.", headers=self._kept)
        await problem.response(scope["state"]["request_id"])(scope, receive, send)
