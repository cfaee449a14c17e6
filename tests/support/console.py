"""Visitors of the console for tests: a client that behaves as a browser does on the same site."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastapi.testclient import TestClient
from httpx import Response

from tests.support.client import ApiServer
from workers.jobs.keys import SCOPES

SITE = {"Sec-Fetch-Site": "same-origin"}


def sign_in(client: TestClient, key: str, **fields: str) -> Response:
    """The answer to the form of the sign-in page."""
    return client.post("/console/sign-in", data={"key": key, **fields}, headers=SITE, follow_redirects=False)


def visitor(server: ApiServer, tenant: str = "acme", scopes: Iterable[str] = SCOPES, **changes: object) -> TestClient:
    """A client that is signed in with a fresh key of the tenant."""
    client = server.anonymous(**changes)
    answered = sign_in(client, server.key(tenant, scopes)[1])
    assert answered.status_code == 303, answered.text
    return client


def csrf_of(page: Response) -> str:
    """The token of changes in a page."""
    found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', page.text)
    assert found, page.text
    return found[1]
