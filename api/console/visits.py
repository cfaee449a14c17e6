"""Visits: a request of a signed-in person, and the calls of the API that its page is made of.

A page has no other source: what it shows is what the person's key is answered by the API, called in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

import httpx
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from api.console.origins import demand_own_page, demand_token
from api.console.rendering import render
from api.console.sections import SECTIONS, ConsoleSection
from api.console.sessions import ConsoleSession, session_of
from api.edge.bodies import demand_media_type, limited
from api.edge.dependencies import PartsOf
from api.edge.problems import Problem

MAX_FORM_BYTES, MAX_FIELDS = 256 * 1024, 4_096  # the largest form is the sheet of a pilot
_INSIDE = "http://presswork.internal"  # no name is looked up: the application itself answers


class SignInNeeded(Exception):
    """The request has no session, or one whose key works no more."""


class CallRefused(Exception):
    """A call of the API was answered with a problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("code", status)))
        self.status, self.problem = status, problem


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is signed in, and their key as GET /v1/keys/own describes it."""

    request: Request
    session: ConsoleSession
    key: Mapping[str, Any]

    @property
    def csrf(self) -> str:
        return self.session.csrf

    @property
    def sections(self) -> list[ConsoleSection]:
        return [section for section in SECTIONS if not section.scope or self.may(section.scope)]

    def may(self, scope: str) -> bool:
        return scope in self.key["scopes"]

    def demand(self, scope: str) -> None:
        """Raises CallRefused as the API would, for a page that has nothing to ask it first."""
        if not self.may(scope):
            raise CallRefused(403, {"code": "forbidden", "detail": f"This key lacks the scope {scope}."})

    async def get(self, path: str, /, **query: Any) -> Any:
        """The answer of a GET as JSON. Raises CallRefused, and SignInNeeded where the key works no more."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return (await self.call("GET", path, params=asked)).json()

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a change as JSON; None for an empty one. Raises as `get`."""
        answered = await self.call(method, path, **({} if body is None else {"json": body}))
        return answered.json() if answered.content else None

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await call_api(self.request, self.session.key, method, path, **options)

    def page(self, template: str, *, status: int = 200, section: str = "", **context: Any) -> HTMLResponse:
        return render(self.request, template, status=status, visit=self, section=section, **context)


async def call_api(request: Request, key: str, method: str, path: str, **options: Any) -> httpx.Response:
    """One call of this application's own API. Raises CallRefused and SignInNeeded."""
    client = request.client
    transport = httpx.ASGITransport(app=request.app, client=(client.host, client.port) if client else ("", 0))
    headers = {"Authorization": f"Bearer {key}", "X-Request-ID": request.state.request_id, **options.pop("headers", {})}
    async with httpx.AsyncClient(transport=transport, base_url=_INSIDE, trust_env=False) as inside:
        answered = await inside.request(method, path, headers=headers, **options)
    if answered.status_code == 401:
        raise SignInNeeded
    if answered.is_error:
        raise CallRefused(answered.status_code, answered.json())
    return answered


async def _visit(request: Request, parts: PartsOf) -> Visit:
    session = await run_in_threadpool(session_of, parts, request)
    if session is None:
        raise SignInNeeded
    answered = await call_api(request, session.key, "GET", "/v1/keys/own")
    return Visit(request, session, answered.json())


async def form_of(request: Request, parts: PartsOf) -> dict[str, str]:
    """A dependency: the fields of a small form of one of our own pages. Raises Problem."""
    demand_own_page(request)
    demand_media_type(request, "application/x-www-form-urlencoded")
    body = b"".join([chunk async for chunk in limited(request, MAX_FORM_BYTES, parts.settings.body_seconds)])
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except ValueError as error:
        raise Problem("invalid_body", "The form cannot be read.") from error


VisitOf = Annotated[Visit, Depends(_visit)]
FormOf = Annotated[dict[str, str], Depends(form_of)]


async def _change(visit: VisitOf, form: FormOf) -> dict[str, str]:
    demand_token(visit.request, visit.session, form)
    return form


ChangeOf = Annotated[dict[str, str], Depends(_change)]  # the form of a change, with the token of the session


def whole_number(text: str) -> int:
    """What a field of a form says. Raises Problem."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Problem("invalid_body", "The form asks for a whole number.")
    return int(text)
