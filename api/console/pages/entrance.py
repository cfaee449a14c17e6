"""Sign-in: an API key, or a link that works once, becomes a session; signing out ends it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.console.failing import SIGN_IN, PageRoute
from api.console.origins import is_secure
from api.console.rendering import THEME_COOKIE, THEMES, render
from api.console.sessions import begin_session, end_session, give_cookie, key_of_link, take_cookie
from api.console.visits import ChangeOf, FormOf, SignInNeeded, VisitOf, call_api
from api.console.wordings import COOKIE, LANGUAGES
from api.edge.auth import Caller, authenticate
from api.edge.dependencies import Parts, PartsOf

HOME = "/console"
_YEAR_SECONDS = 365 * 24 * 3600
router = APIRouter(route_class=PageRoute)
links = APIRouter()
Keyholder = Annotated[Caller, Security(authenticate, scopes=[])]


@router.get(SIGN_IN)
async def ask_for_key(request: Request, parts: PartsOf, next: str = HOME) -> Response:
    return _sign_in_page(request, parts, own_page(next))


@router.post(SIGN_IN)
async def sign_in(request: Request, parts: PartsOf, form: FormOf) -> Response:
    """A session, and on to the page that was wanted. A wrong key is told as the API tells it: by no detail."""
    key, wanted = form.get("key", "").strip(), own_page(form.get("next", HOME))
    try:
        return await _signed_in(request, parts, key, wanted)
    except (SignInNeeded, UnicodeEncodeError):
        return _sign_in_page(request, parts, wanted, status=401, wrong=True)


@router.get("/console/enter")
async def ask_to_enter(request: Request) -> Response:
    """The link's secret stands behind `#`, which no browser sends: the page's script posts it.

    From another site's page nobody is signed in without a click, as the link may be somebody else's.
    """
    direct = request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return render(request, "enter.html", used=False, direct=direct)


@router.post("/console/enter")
async def enter(request: Request, parts: PartsOf, form: FormOf) -> Response:
    key = await run_in_threadpool(key_of_link, parts, form.get("link", ""))
    try:
        if key:
            return await _signed_in(request, parts, key, HOME)
    except SignInNeeded:
        pass
    return render(request, "enter.html", status=401, used=True, direct=False)


@router.post("/console/sign-out")
async def sign_out(visit: VisitOf, parts: PartsOf, form: ChangeOf) -> Response:
    await run_in_threadpool(end_session, parts, visit.session)
    response = RedirectResponse(SIGN_IN, 303)
    take_cookie(response)
    return response


@router.post("/console/preferences")
async def prefer(request: Request, form: FormOf) -> Response:
    """Language and theme, kept in the browser. It needs no session: the page to sign in has them too."""
    response = RedirectResponse(own_page(form.get("next", HOME)), 303)
    for cookie, value, allowed in (
        (COOKIE, form.get("language", ""), LANGUAGES),
        (THEME_COOKIE, form.get("theme", ""), THEMES),
    ):
        if value in allowed:
            response.set_cookie(cookie, value, max_age=_YEAR_SECONDS, path=HOME, httponly=True, samesite="strict")
    return response


@links.post("/console/links", include_in_schema=False, status_code=201)
def make_link(request: Request, caller: Keyholder, parts: PartsOf) -> Response:
    """A link that opens the console with this API key, once, within ten minutes. Called with the key, as the API is."""
    key = request.headers["authorization"].split(" ", 1)[1].strip()
    token, ends = begin_session(parts, caller.key_id, key, "link")
    return JSONResponse({"path": f"/console/enter#{token}", "expires_at": ends.isoformat()}, 201)


def _sign_in_page(request: Request, parts: Parts, wanted: str, *, status: int = 200, wrong: bool = False) -> Response:
    oidc = bool(parts.settings.oidc_issuer)
    return render(request, "sign_in.html", status=status, next=wanted, wrong=wrong, oidc=oidc)


async def _signed_in(request: Request, parts: Parts, key: str, wanted: str) -> Response:
    own = (await call_api(request, key, "GET", "/v1/keys/own")).json()
    token, _ = await run_in_threadpool(begin_session, parts, own["id"], key, "session")
    response = RedirectResponse(wanted, 303)
    give_cookie(response, token, secure=is_secure(request))
    return response


def own_page(address: str) -> str:
    """A page of the console, whatever was asked for: no redirect leads elsewhere."""
    is_own = address == HOME or address.startswith(f"{HOME}/")
    return quote(address, safe="/-_.~") if is_own and ".." not in address and "//" not in address else HOME
