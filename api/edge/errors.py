"""The one table from errors to problems: what an error of ours means to somebody who speaks HTTP."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.edge.problems import Problem
from api.edge.validation import from_validation
from policy.errors import NotProvable, PolicyError, TooMuch
from workers import errors
from workers.database import worth_another_try


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
    errors.TooManyOpen: Answer("too_many_open_questions", retry_after_seconds=5),
    errors.ModelMissing: Answer("model_missing"),
    errors.StoreUnavailable: Answer("store_unavailable", "Try again later.", 5),
    NotProvable: Answer("not_found"),
    TooMuch: Answer("limit_exceeded"),
    PolicyError: Answer("policy_unavailable", "Nothing was stored. Try again later.", 30),
    PoolTimeout: Answer("busy", "Try again in a moment.", 1),
}


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
