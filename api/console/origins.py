"""Origins of changes: a POST is carried out for our own pages only (CSRF).

Three walls, each enough alone: the cookie is SameSite=Strict; the browser's word on where the call comes from
(Sec-Fetch-Site, else Origin) must name us; a change of a signed-in person carries the token of their session.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import Request

from api.console.sessions import ConsoleSession
from api.edge.problems import Problem

CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_REMEDY = "Open the console in its own tab and try again there. Nothing was changed."


def demand_own_page(request: Request) -> None:
    """Raises Problem where the call comes from another site, or does not say where it comes from."""
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin":
        return
    origin = request.headers.get("origin", "")
    if site is None and origin and urlsplit(origin).netloc == request.headers.get("host", ""):
        return
    raise Problem("forbidden", f"This change was not sent by a page of this console. {_REMEDY}")


def demand_token(request: Request, session: ConsoleSession, form: Mapping[str, str] | None = None) -> None:
    """Raises Problem without the token of this session, in the header or in the form."""
    sent = request.headers.get(CSRF_HEADER) or (form or {}).get(CSRF_FIELD, "")
    if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise Problem("forbidden", f"The page was made for another session. {_REMEDY}")


def is_secure(request: Request) -> bool:
    """Whether the browser sees https, by its own word: a proxy may have ended TLS before us."""
    return request.url.scheme == "https" or urlsplit(request.headers.get("origin", "")).scheme == "https"
