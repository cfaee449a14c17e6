"""Rendering: a template as a page, with the headers that hold the browser to it.

The policy of content (CSP) begins with nothing: scripts and styles by nonce or from us, pictures from us and from the
object store, calls to us, frames nowhere. Templates escape everything.
"""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console.browser_files import address
from api.console.wordings import LANGUAGES, Wording, wording_of
from workers.settings import Settings

THEME_COOKIE = "presswork-theme"
THEMES = ("auto", "light", "dark")


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["file"] = address
    return made


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page, or a part of one. `wording`, `nonce` and the person's theme are there in every template."""
    settings: Settings = request.app.state.parts.settings
    words: Wording = wording_of(request)
    nonce = secrets.token_urlsafe(16)
    theme = request.cookies.get(THEME_COOKIE, "")
    text = (
        _templates()
        .get_template(template)
        .render(
            t=words,
            language=words.language,
            languages=LANGUAGES,
            nonce=nonce,
            theme=theme if theme in THEMES else "auto",
            path=request.url.path,
            **{"visit": None, "section": "", **context},
        )
    )
    return HTMLResponse(text, status_code=status, headers=_headers(nonce, _picture_origins(settings)))


def _headers(nonce: str, pictures: tuple[str, ...]) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": "'self'",
        "img-src": " ".join(("'self'", "blob:", *pictures)),
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "htmx",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",  # with `no-referrer`, a form's Origin would be null
    }


def _picture_origins(settings: Settings) -> tuple[str, ...]:
    """Where presigned links lead."""
    endpoint = settings.s3_public_endpoint_url or settings.s3_endpoint_url
    if endpoint is None:
        bucket, region = settings.s3_bucket, settings.s3_region
        hosts = (f"{bucket}.s3.{region}.amazonaws.com", f"{bucket}.s3.amazonaws.com", f"s3.{region}.amazonaws.com")
        return tuple(f"https://{host}" for host in hosts)
    parts = urlsplit(endpoint)
    return (f"{parts.scheme}://{parts.netloc}",)
