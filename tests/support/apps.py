"""Applications for tests: each is the API's own, and takes over the routes that the first of this process resolved.

FastAPI resolves the routes of an application at its first request, which takes a quarter of a second of CPU, and they
are the same for all settings.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import _IncludedRouter

from api.app import create_app
from workers.settings import Settings

_resolved: dict[int, _IncludedRouter] = {}  # by router; those of the API live as long as its modules


def make_app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    for included in app.router.routes:
        if not isinstance(included, _IncludedRouter):
            continue
        first = _resolved.setdefault(id(included.original_router), included)
        if first is not included:
            included._effective_candidates = first.effective_candidates()
            included._effective_candidates_version = first._effective_candidates_version
    return app
