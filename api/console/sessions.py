"""Sessions of the console: a random token in a cookie, and a row with the API key encrypted under it.

The browser has the token and no key; the database has the key and no token. Every call of a page authenticates with the
key, so that a session ends with its key. Signing out deletes the row: a cookie that was copied is then worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastapi import Request, Response

from api.edge.dependencies import Parts
from api.edge.problems import Problem
from api.edge.sealing import open_sealed, seal
from workers.jobs.console.sessions import SessionKind, close_session, open_session, sealed_key_of, take_link

LINK_LIFE = timedelta(minutes=10)  # of a link that signs in once: long enough to find it in a terminal
_BOUND = {"session": "presswork: session of the console, 1", "link": "presswork: link of the console, 1"}
_COOKIE, _SECURE_COOKIE = "presswork-console", "__Host-presswork-console"
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A person who is signed in. `key` goes to the API and into no page."""

    token: bytes = field(repr=False)
    key: str = field(repr=False)

    @property
    def csrf(self) -> str:
        """What a change must carry. It follows from the token and does not give it away."""
        return hmac.new(self.token, b"presswork: changes of the console, 1", hashlib.sha256).hexdigest()


def begin_session(parts: Parts, key_id: str, key: str, kind: SessionKind) -> tuple[str, datetime]:
    """A token for the cookie or the link, and when it ends."""
    token = secrets.token_bytes(_TOKEN_BYTES)
    life = LINK_LIFE if kind == "link" else timedelta(hours=parts.settings.console_session_hours)
    sealed = seal(token, {"key": key}, bound_to=_BOUND[kind])
    with parts.engine.begin() as conn:
        ends = open_session(conn, token, kind, key_id=key_id, sealed_key=sealed, life=life)
    return _written(token), ends


def session_of(parts: Parts, request: Request) -> ConsoleSession | None:
    """The open session that the cookie names."""
    token = _read(request.cookies.get(_SECURE_COOKIE) or request.cookies.get(_COOKIE) or "")
    if token is None:
        return None
    with parts.engine.begin() as conn:
        sealed = sealed_key_of(conn, token)
    return ConsoleSession(token, _opened(token, sealed, "session")) if sealed else None


def key_of_link(parts: Parts, written: str) -> str | None:
    """The API key of a link, which is used up with this; None for one that is unknown, used or over."""
    token = _read(written)
    if token is None:
        return None
    with parts.engine.begin() as conn:
        sealed = take_link(conn, token)
    return _opened(token, sealed, "link") if sealed else None


def end_session(parts: Parts, session: ConsoleSession) -> None:
    with parts.engine.begin() as conn:
        close_session(conn, session.token)


def give_cookie(response: Response, written: str, *, secure: bool) -> None:
    """Without a date: the browser forgets it when it closes, the row when its hours are over."""
    name = _SECURE_COOKIE if secure else _COOKIE
    response.set_cookie(name, written, path="/", secure=secure, httponly=True, samesite="strict")


def take_cookie(response: Response) -> None:
    response.delete_cookie(_SECURE_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    response.delete_cookie(_COOKIE, path="/", httponly=True, samesite="strict")


def _opened(token: bytes, sealed: str, kind: SessionKind) -> str:
    try:
        key: str = open_sealed(token, sealed, bound_to=_BOUND[kind])["key"]
    except Problem as problem:
        raise RuntimeError("a session's row was not written by us") from problem
    return key


def _written(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read(written: str) -> bytes | None:
    if not written.isascii() or len(written) != 43:
        return None
    try:
        token = base64.b64decode(written + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return token if len(token) == _TOKEN_BYTES else None
