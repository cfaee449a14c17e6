"""Sign-in by OpenID Connect: to the identity provider, and back with a session.

The session has an API key of its own, made for it with the person's name and ending with it; nobody sees it. Killed
between key and session: the key is known to nobody and ends by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.console.failing import PageRoute
from api.console.openid import OpenIdAttempt, OpenIdPerson, OpenIdProvider, OpenIdRefused
from api.console.pages.entrance import HOME, own_page
from api.console.rendering import render
from api.console.sessions import begin_session, give_cookie
from api.edge.auth import key_of_person
from api.edge.dependencies import Parts, PartsOf
from api.edge.problems import Problem
from workers.errors import NotFound
from workers.settings import Settings

log = structlog.get_logger()
router = APIRouter(route_class=PageRoute)
AT = "/console/oidc"
_COOKIE = "presswork-oidc"
_ATTEMPT_SECONDS = 600


@router.get(f"{AT}/start")
async def start(request: Request, parts: PartsOf, next: str = HOME) -> Response:
    """To the provider. What begins here lies in the browser; from another site's page it begins as from our own."""
    provider, attempt = _provider(parts), OpenIdAttempt.begin(own_page(next))
    try:
        address = await run_in_threadpool(provider.address, attempt)
    except OpenIdRefused as refused:
        return _refused(request, refused)
    response = RedirectResponse(address, 303)
    is_secure = parts.settings.oidc_redirect_url.startswith("https:")
    response.set_cookie(
        _COOKIE, attempt.written(), max_age=_ATTEMPT_SECONDS, path=AT, secure=is_secure, httponly=True, samesite="lax"
    )
    return response


@router.get(f"{AT}/callback")
async def come_back(request: Request, parts: PartsOf, state: str = "", code: str = "", error: str = "") -> Response:
    """A session, and a page that goes on by itself: a redirect of another site's would carry no strict cookie."""
    provider = _provider(parts)
    attempt = OpenIdAttempt.read(request.cookies.get(_COOKIE, ""))
    try:
        if attempt is None:
            raise OpenIdRefused("state", "this browser began no sign-in, or its ten minutes are over")
        if error or not code:
            raise OpenIdRefused("provider", f"the provider answers {error or 'nothing'!r:.100}")
        person = await run_in_threadpool(provider.person, attempt, state, code)
        token = await run_in_threadpool(_session, parts, person)
    except OpenIdRefused as refused:
        response = _refused(request, refused)
    else:
        response = render(request, "entered.html", wanted=own_page(attempt.wanted))
        give_cookie(response, token, secure=parts.settings.oidc_redirect_url.startswith("https:"))
    response.delete_cookie(_COOKIE, path=AT)
    return response


def _session(parts: Parts, person: OpenIdPerson) -> str:
    ends = datetime.now(UTC) + timedelta(hours=parts.settings.console_session_hours)
    try:
        stored, key = key_of_person(parts, person.name, person.tenant, person.scopes, ends, called=person.called)
    except NotFound as error:
        raise OpenIdRefused("role", f"a role names the tenant {person.tenant!r}, which does not exist") from error
    token, _ = begin_session(parts, stored.id, key, "session")
    return token


def _refused(request: Request, refused: OpenIdRefused) -> Response:
    log.warning("sign_in_refused", code=refused.code, reason=str(refused))
    status = 502 if refused.code == "provider" else 403
    return render(request, "refused_sign_in.html", status=status, code=refused.code)


def _provider(parts: Parts) -> OpenIdProvider:
    if not parts.settings.oidc_issuer:
        raise Problem("not_found", "No identity provider is set up here.")
    return _made(parts.settings)


@lru_cache(maxsize=4)
def _made(settings: Settings) -> OpenIdProvider:
    """One for the settings, since it keeps the provider's keys."""
    return OpenIdProvider(settings)
