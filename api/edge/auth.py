"""Authentication: the caller of a request, and what its API key may do.

Runs before the body is read, so that a caller without a key cannot make us store one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.exc import IntegrityError

from api.edge.dependencies import Parts, PartsOf
from api.edge.limits.rate_limit import admit
from api.edge.problems import Problem
from workers.errors import NotFound
from workers.jobs.keys import KEY_PREFIX, ApiKey, create_key, find_key

_KEY_NAMES = frozenset({"key", "api_key", "apikey", "api-key", "token", "access_token", "authorization"})
# What a key of the scope `agent` may do where others need `submit`: send what is bounded, pause and cancel its own.
AGENT_MAY = re.compile("/v1/campaigns|/v1/campaigns/[^/]+/cancel|/v1/requests/[^/]+/(pause|cancel)")
_bearer = HTTPBearer(
    scheme_name="api_key",
    bearerFormat="pw_...",
    description="`Authorization: Bearer pw_...`. A key belongs to one tenant and has scopes: "
    "submit, read, review, audit, admin; or agent, with read and audit.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A valid key of a tenant; or an anonymous caller, known by the networks it calls from."""

    tenant: str
    key_id: str
    person: str | None = None  # whose key it is; None: a service's
    daily_images: int | None = None  # of an agent's key
    networks: tuple[str, ...] = ()  # digests of an anonymous caller's networks, the narrowest first

    @property
    def is_agent(self) -> bool:
        return self.daily_images is not None

    @property
    def actor(self) -> str:
        """The caller's name in the ledger."""
        return f"key:{self.key_id}"


def authenticate(
    request: Request,
    parts: PartsOf,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    """The caller, or one answer for a missing, malformed, unknown, expired and revoked key alike.

    Nothing is cached: a revoked key stops working with the commit that revokes it.
    """
    refuse_key_in_query(request)
    presented = credentials.credentials if credentials else ""
    if not presented.startswith(KEY_PREFIX):
        raise _unauthorized()
    with parts.engine.begin() as conn:
        key = find_key(conn, presented)
    if key is None:
        raise _unauthorized()
    request.state.tenant, request.state.key_id = key.tenant, key.id  # for the log line
    admit(request, parts.key_limit.count(key.id))
    granted = {*key.scopes, "submit"} if key.daily_images is not None and _may_send(request) else {*key.scopes}
    missing = [scope for scope in needed.scopes if scope not in granted]
    if missing:
        challenge = f'Bearer realm="presswork", error="insufficient_scope", scope="{" ".join(needed.scopes)}"'
        detail = f"This key lacks the scope {', '.join(missing)}. Use a key that has it."
        if key.daily_images is not None:
            detail = f"This is an agent's key. A person does this, with a key of scope {', '.join(missing)}."
        raise Problem("forbidden", detail, headers={"WWW-Authenticate": challenge})
    return Caller(key.tenant, key.id, key.person, key.daily_images)


def _may_send(request: Request) -> bool:
    """Whether an agent's key may make this call, for which others need `submit` (api/edge/limits/agents.py)."""
    return request.method == "POST" and AGENT_MAY.fullmatch(request.url.path) is not None


def demand_person(caller: Submitter) -> Caller:
    """A caller whose key names its person. Services decide nothing that a person answers for."""
    if caller.person is None or caller.is_agent:
        detail = "This key belongs to no person. Use a key that an admin made with `person`."
        raise Problem("person_required", detail)
    return caller


def refuse_key_in_query(request: Request) -> None:
    """Raises Problem."""
    for name, value in request.query_params.multi_items():
        if name.casefold() in _KEY_NAMES or value.startswith(KEY_PREFIX):
            raise Problem(
                "key_in_query",
                "URLs are written into logs and histories. Send the key as 'Authorization: Bearer pw_...', "
                "and revoke this one if it was real.",
            )


def _unauthorized() -> Problem:
    return Problem(
        "unauthorized",
        "Send a valid key as 'Authorization: Bearer pw_...'.",
        headers={"WWW-Authenticate": 'Bearer realm="presswork"'},
    )


Submitter = Annotated[Caller, Security(authenticate, scopes=["submit"])]
Reader = Annotated[Caller, Security(authenticate, scopes=["read"])]
Reviewer = Annotated[Caller, Security(authenticate, scopes=["review"])]
Auditor = Annotated[Caller, Security(authenticate, scopes=["audit"])]
Admin = Annotated[Caller, Security(authenticate, scopes=["admin"])]
PersonSubmitter = Annotated[Caller, Depends(demand_person)]


def key_of_person(
    parts: Parts, person: str, tenant: str, scopes: Iterable[str], ends: datetime, *, called: str
) -> tuple[ApiKey, str]:
    """An API key for somebody who signed in elsewhere: it bears their name and ends by itself. With its event.

    `person` is who they are for four eyes, `called` what people read in the list of keys.
    Returns the stored key and the key itself. Raises NotFound for a tenant that does not exist.
    """
    name, actor = f"console of {called}"[:200], f"oidc:{person}"
    try:
        with parts.transaction(tenant) as conn:
            return create_key(conn, tenant, name=name, scopes=scopes, actor=actor, expires_at=ends, person=person)
    except IntegrityError as error:
        raise NotFound(f"no tenant {tenant!r}") from error
