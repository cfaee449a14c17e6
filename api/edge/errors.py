"""Errors as answers: the one table from our error classes to problems, and the log line of those that are our fault."""

from __future__ import annotations

import traceback
from typing import NamedTuple

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.edge.middleware.methods import allowed
from api.edge.problems import Problem
from api.edge.validation import from_validation
from policy.errors import LedgerError, NotProvable, NotSealedYet, PolicyError, RulesNotApproved, TooMuch
from workers import errors
from workers.database import worth_another_try

log = structlog.get_logger()
_LOGGED = "It is logged under the id in 'instance'. Nothing was stored."


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
    errors.PilotFailed: Answer("pilot_failed"),
    errors.InFlight: Answer("idempotency_in_flight", retry_after_seconds=1),
    errors.IdempotencyKeyReused: Answer("idempotency_key_reused"),
    errors.BudgetExceeded: Answer("budget_exceeded"),
    errors.LimitExceeded: Answer("limit_exceeded"),
    errors.TooManyOpen: Answer("too_many_open_questions"),
    errors.TooManyInputs: Answer("too_many_open_inputs"),
    errors.TooManySecrets: Answer("too_many_secrets"),
    errors.ModelMissing: Answer("model_missing"),
    errors.StoreUnavailable: Answer("store_unavailable", "Try again later.", 5),
    NotProvable: Answer("not_found"),
    NotSealedYet: Answer("not_found", retry_after_seconds=1),
    TooMuch: Answer("limit_exceeded"),
    LedgerError: Answer("internal_error", _LOGGED),
    RulesNotApproved: Answer("policy_unavailable", retry_after_seconds=30),
    PolicyError: Answer("policy_unavailable", "Nothing was stored. Try again later.", 30),
    PoolTimeout: Answer("busy", "Try again in a moment.", 1),
}


async def answer(request: Request, error: Exception) -> Response:
    """The answer to an error, logged first if the fault is ours. An exception handler of the application."""
    problem = problem_for(error, request)
    if problem.status >= 500:
        log_failure(problem.code, error)
    return problem.response(request.scope["state"]["request_id"])


def log_failure(code: str, error: Exception) -> None:
    """Types and lines of code, never the error's own words: a database quotes rows in them, and rows hold prompts.

    The line carries `http_request_id`, the id that the problem's `instance` names, as long as RequestContext is around.
    """
    cause = getattr(error, "orig", None)
    unexpected = code in ("internal_error", "answer_cut_off")
    log.error(
        "request_failed",
        code=code,
        error=type(error).__name__,
        cause=type(cause).__name__ if cause else None,
        sqlstate=getattr(cause, "sqlstate", None),
        stack="".join(traceback.format_tb(error.__traceback__)) if unexpected else None,
    )


def problem_for(error: Exception, request: Request) -> Problem:
    """The problem that an error becomes over HTTP."""
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
    return domain_problem(error) or Problem("internal_error", _LOGGED)


def domain_problem(error: Exception) -> Problem | None:
    """The problem that an error of ours is, over HTTP or without; None for any other."""
    for base in type(error).__mro__:
        if base in ANSWERS:
            answer = ANSWERS[base]
            seconds = getattr(error, "retry_after_seconds", answer.retry_after_seconds)
            headers = {"Retry-After": str(seconds)} if seconds else {}
            return Problem(answer.code, answer.detail or f"{error}.", headers=headers)
    return error if isinstance(error, Problem) else None


def _http_problem(error: HTTPException, request: Request) -> Problem:
    """Starlette's own errors: unknown addresses and methods."""
    if error.status_code == 405:
        methods = ", ".join(allowed(request.app, request.scope["path"]))
        return Problem("method_not_allowed", f"It takes: {methods}.", headers={"Allow": methods})
    if error.status_code == 404:
        return Problem("not_found", "There is nothing at this address; /docs lists the addresses there are.")
    return Problem("bad_request", str(error.detail))
