"""Installation behind a real server, which commands reach by address and key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import S3
from tests.support.campaigns import Sent, settled_campaign
from tests.support.client import ApiTenant


@pytest.fixture
def installed(api: ApiTenant, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sent, str]]:
    """A settled campaign behind a real server, and the environment that leads to it."""
    sent = settled_campaign(api)
    with api.server.served() as served:
        url = f"http://127.0.0.1:{served.port}"
        monkeypatch.setenv("PRESSWORK_URL", url)
        monkeypatch.setenv("PRESSWORK_KEY", sent.caller.headers["Authorization"].removeprefix("Bearer "))
        yield sent, url
