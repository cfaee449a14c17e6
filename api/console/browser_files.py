"""Files of the browser: scripts and styles, read once and named by their digest, so that a browser may keep them.

PINNED are the works of others (NOTICE); a test compares their digests with the files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Response

from api.edge.problems import Problem

AT = "/console/files"
PINNED = {  # of the npm package htmx.org 4.0.1
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-csp.min.js": "a7e1e6711ae6c3e50ad300fba7936cbe8d07599cdae313414a179ddd6b26e143",
}
FOLDER = Path(__file__).parent / "files"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_KEEP = "public, max-age=31536000, immutable"  # another content has another address


@dataclass(frozen=True, slots=True)
class BrowserFile:
    """One file."""

    content: bytes
    media_type: str
    digest: str


@cache
def browser_files() -> dict[str, BrowserFile]:
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            found[path.name] = BrowserFile(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest())
    return found


def address(name: str) -> str:
    """Where a page finds the file. Raises KeyError."""
    return f"{AT}/{browser_files()[name].digest[:16]}/{name}"


async def send_file(digest: str, name: str) -> Response:
    """The file, under its present digest only: an old page gets no new script."""
    found = browser_files().get(name)
    if found is None or found.digest[:16] != digest:
        raise Problem("not_found", "There is no such file. Load the page again.")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _KEEP})
