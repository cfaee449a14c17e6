"""Ranges of files: none are served, and `Range` is ignored, as RFC 9110 (section 14.2) allows.

An evidence pack is written anew for each request, so that a part of one and a part of the next make no whole. Starlette
answers a Range that cannot be read in plain text, which is no problem document.
"""

from __future__ import annotations

from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send


class WholeFile(FileResponse):
    """A file that is sent whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["Accept-Ranges"] = "none"
        await super().__call__(_without_range(scope), receive, send)


class WholeFiles(StaticFiles):
    """A folder of files that are sent whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_range(scope), receive, send)


def _without_range(scope: Scope) -> Scope:
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
