"""Fixtures of the clerk's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.shop import BUCKET, Shop
from workers.clerk.context import ClerkContext
from workers.store import ObjectStore


@pytest.fixture
def shop(api: ApiTenant, s3: S3) -> Iterator[Shop]:
    client = s3.client()
    client.create_bucket(Bucket=BUCKET)
    server = api.server
    settings = server.settings_for("clerk", webhook_loopback=True, delivery_seconds=5)
    context = ClerkContext(server.database.engine("clerk"), ObjectStore(settings), settings)
    yield Shop(api, s3, api.caller(webhook_loopback=True), context)
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    client.delete_bucket(Bucket=BUCKET)
