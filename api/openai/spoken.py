"""Problems as clients of the OpenAI API expect them: what is wrong with a request is 400, whatever it is; a used up
budget is 429 `insufficient_quota`, which is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from api.edge.errors import problem_for
from api.edge.in_turn import InTurn
from api.edge.problems import Problem
from workers.errors import WorkerError

# Our fields -> theirs, where a model or this installation cannot make what was asked for.
THEIR_NAMES = {
    "width": "size",
    "height": "size",
    "upscale": "size",
    "num_inference_steps": "quality",
    "variants": "n",
    "renditions": "output_format",
    "channels": "output_compression",
}


_SPOKEN = (402, 422)


class OpenAIRoute(InTurn):
    """A route whose 422 is a 400, and whose 402 a 429."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        ours = super().get_route_handler()

        async def run(request: Request) -> Response:
            try:
                return await ours(request)
            except (Problem, RequestValidationError) as error:
                raise spoken(problem_for(error, request)) from error
            except WorkerError as error:
                if (problem := problem_for(error, request)).status in _SPOKEN:
                    raise spoken(problem) from error
                raise

        return run


def their_name(field: str | None) -> str | None:
    """The parameter as the client's caller wrote it: the client decides whether it is in the URL or in the body."""
    bare = (field or "").removeprefix("query.").removeprefix("body.")
    return THEIR_NAMES.get(bare, bare or field)


def spoken(problem: Problem) -> Problem:
    """The same problem, as 400 where it was 422, with the fields that the caller sent."""
    if problem.status == 402:
        return Problem("insufficient_quota", problem.detail, errors=problem.errors, more=problem.more)
    if problem.status != 422:
        return problem
    errors = [replace(error, field=their_name(error.field)) for error in problem.errors]
    return Problem("invalid_request", problem.detail, errors=errors, headers=problem.headers, more=problem.more)
