"""Failures of pages: an error as a page, or as a notice where only a part of a page was asked for.

The same table as for the API decides (api/edge/errors.py); what a person sees is its words, and the id of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from api.console.rendering import render
from api.console.visits import CallRefused, SignInNeeded
from api.edge.errors import ANSWERS, log_failure, problem_for
from api.edge.problems import Problem

SIGN_IN = "/console/sign-in"
_PLACED: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException, DBAPIError, *ANSWERS)


class PageRoute(APIRoute):
    """A route that answers errors with pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        run = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await run(request)
            except SignInNeeded:
                return _to_sign_in(request)
            except CallRefused as refused:
                return _failed(request, refused.status, refused.problem)
            except _PLACED as error:
                problem = problem_for(error, request)
                if problem.status >= 500:
                    log_failure(problem.code, error)
                told = {"code": problem.code, "detail": problem.detail}
                return _failed(request, problem.status, told)

        return shown


def is_part(request: Request) -> bool:
    """Whether htmx asks, which puts the answer into a page."""
    return request.headers.get("hx-request") == "true"


def _to_sign_in(request: Request) -> Response:
    if is_part(request):
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    again = request.url.path if request.method == "GET" else "/console"
    return RedirectResponse(f"{SIGN_IN}?next={quote(again)}", 303)


def _failed(request: Request, status: int, problem: Mapping[str, Any]) -> Response:
    kind = {403: "forbidden", 404: "missing"}.get(status, "failed")
    template = "parts/notice.html" if is_part(request) else "error.html"
    return render(request, template, status=status, kind=kind, problem=problem, id=request.state.request_id)
