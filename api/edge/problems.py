"""Problem details (RFC 9457): every answer that is not a success has this one shape and a stable code.

A problem says what is wrong; its complaints say where (row, column or field) and what to do about it.
The codes of CATALOGUE and of complaints are part of the interface: docs/api.md lists them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"

# code: (status, title). One code means one thing, for ever.
CATALOGUE: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "invalid_request": (400, "The request is not valid"),
    "moderation_blocked": (400, "Policy does not release these images"),
    "key_in_query": (400, "API keys are not allowed in URLs"),
    "unauthorized": (401, "A valid API key is required"),
    "budget_exceeded": (402, "The budget has too little left"),
    "forbidden": (403, "The API key lacks a scope"),
    "own_campaign": (403, "Another person must decide about your own request"),
    "person_required": (403, "Only a person's API key may do this"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "This address does not support this method"),
    "head_too_slow": (408, "The request head did not arrive in time"),
    "body_too_slow": (408, "The body did not arrive in time"),
    "conflict": (409, "Not allowed in the item's current state"),
    "legal_hold": (409, "A legal hold covers this"),
    "idempotency_in_flight": (409, "The first call with this Idempotency-Key is still running"),
    "stale": (409, "The item changed since you read it"),
    "pilot_failed": (409, "Too many images of the pilot are bad"),
    "not_releasable": (409, "Nobody may release this image; it can only be refused"),
    "recalled": (410, "The asset was recalled"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The media type of the body is not supported"),
    "invalid_body": (422, "The body is not valid"),
    "invalid_parameters": (422, "A parameter is not valid"),
    "invalid_campaign": (422, "The campaign has errors; nothing was stored"),
    "model_missing": (422, "The model is not installed"),
    "limit_exceeded": (422, "The request exceeds a limit"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used for another call"),
    "insufficient_quota": (429, "The quota has too little left"),
    "rate_limited": (429, "Too many requests"),
    "too_many_open_items": (429, "Too many images of this tenant are waiting"),
    "too_many_open_inputs": (429, "Too many inputs of this tenant are waiting"),
    "too_many_open_questions": (429, "Too many images of this tenant are waiting to be identified"),
    "too_many_running": (429, "Too many requests of this tenant are running"),
    "too_many_secrets": (429, "Too many secrets of this webhook are valid"),
    "too_many_uploads": (429, "Too many request bodies of this tenant are arriving"),
    "too_many_waits": (429, "Too many replies to this tenant are held back"),
    "head_too_large": (431, "The request head is too large"),
    "internal_error": (500, "Internal error"),
    "generation_failed": (500, "The images could not be made"),
    "images_not_ready": (504, "The images were not made in time"),
    "edits_not_supported": (501, "Images cannot be edited here yet"),
    "audit_not_configured": (501, "The API has no access to the ledger"),
    "export_not_installed": (501, "Parquet support is not installed"),
    "unknown_transfer_coding": (501, "The Transfer-Encoding is not supported"),
    "unsupported_http_version": (505, "The HTTP version is not supported"),
    "too_many_connections": (503, "All connections are in use"),
    "busy": (503, "All database connections are in use"),
    "database_unavailable": (503, "The database does not answer"),
    "store_unavailable": (503, "The object store does not answer"),
    "policy_unavailable": (503, "The policy cannot be applied"),
    "not_ready": (503, "A required service does not answer"),
}
# Passing faults, and the seconds that Retry-After says where the fault itself does not. Every 429 and 503 is one; a
# caller's mistake and a lack that an operator must mend never are; nor is a used up budget, 429 to OpenAI clients.
PASSING: dict[str, int] = {
    "idempotency_in_flight": 1,
    "rate_limited": 60,
    "too_many_open_items": 60,
    "too_many_open_inputs": 30,
    "too_many_open_questions": 5,
    "too_many_running": 2,
    "too_many_secrets": 3600,
    "too_many_uploads": 5,
    "too_many_waits": 5,
    "too_many_connections": 5,
    "busy": 1,
    "database_unavailable": 2,
    "store_unavailable": 5,
    "policy_unavailable": 30,
    "not_ready": 5,
}
# Of clients that repeat by status alone (408, 409, 429, 500 and above): what a repetition cannot mend.
_NEVER_REPEATED = ("generation_failed", "images_not_ready", "insufficient_quota")
_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing to put right: a stable code, what is wrong, what to do, and the place.

    A spreadsheet has `row` (1-based data row), `line` (1-based physical line) and `column`; a JSON body
    or a URL has `field`, dotted. A cause that concerns several rows is one complaint: `row` is the first of them.
    """

    code: str
    message: str
    remedy: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    field: str | None = None
    rows: tuple[int, ...] | None = None  # where one cause concerns several: the first of them
    count: int | None = None  # and how many there are

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class Problem(Exception):
    """The answer is a problem. `more` are further members of the document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Complaint] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors = code, detail, tuple(errors)
        self.headers, self.more = dict(headers or {}), dict(more or {})
        if code in PASSING:
            self.headers.setdefault("Retry-After", str(PASSING[code]))
            self.headers.setdefault("X-Should-Retry", "true")
        elif self.status in (409, 501, 505) or code in _NEVER_REPEATED:
            self.headers.setdefault("X-Should-Retry", "false")

    @property
    def status(self) -> int:
        return CATALOGUE[self.code][0]

    def document(self, instance: str) -> dict[str, Any]:
        """RFC 9457 section 3.1, plus `code` and `errors`; `instance` is the id under which we logged it.

        `error` says the same to clients of the OpenAI API.
        """
        status, title = CATALOGUE[self.code]
        return {
            "type": f"urn:presswork:problem:{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": self.code,
            "instance": _urn(instance),
            "error": {
                "message": self.detail,
                "type": self._error_type(),
                "param": next((error.field or error.column for error in self.errors), None),
                "code": self.code,
            },
            **({"errors": [error.to_json() for error in self.errors]} if self.errors else {}),
            **self.more,
        }

    def _error_type(self) -> str:
        if self.code == "insufficient_quota":
            return self.code  # as the OpenAI API has it
        return _ERROR_TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")

    def response(self, instance: str) -> JSONResponse:
        return JSONResponse(self.document(instance), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def _urn(request_id: str) -> str:
    """The id as a URI: urn:uuid (RFC 9562) for a UUID, our own namespace for an id that a caller chose.

    The URI ends in the id letter for letter, so that it is found in the log: 32 digits without dashes are no UUID here.
    """
    try:
        if str(uuid.UUID(request_id)) == request_id:
            return f"urn:uuid:{request_id}"
    except ValueError:
        pass
    return f"urn:presswork:request:{request_id}"


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """ " Did you mean 'colour'?" if one of `known` is close, else nothing."""
    by_lower = {name.casefold(): name for name in known}
    close = get_close_matches(wrong.casefold(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ""


def quoted(text: str, longest: int = 40) -> str:
    """What the user wrote, in quotes, cut and with invisible characters shown."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut) + "'"
