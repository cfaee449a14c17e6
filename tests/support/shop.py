"""Shop: a tenant with a bucket of its own on a real object store, and the clerk that delivers there."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.conftest import S3
from tests.support.campaigns import Sent
from tests.support.client import ApiTenant
from workers.clerk import deliveries
from workers.clerk.context import ClerkContext

BUCKET = "acme-shop"


@dataclass(slots=True)
class Shop:
    """A tenant with a bucket of its own, and the clerk that delivers there."""

    api: ApiTenant
    s3: S3
    admin: TestClient
    context: ClerkContext

    def register(self, name: str = "shop", **changes: Any) -> dict[str, Any]:
        identity = self.s3.identity("admin")
        body = {
            "name": name,
            "endpoint": self.s3.endpoint_url,
            "bucket": BUCKET,
            "prefix": name,
            "access_key_id": identity.access_key,
            "secret_access_key": identity.secret_key,
            **changes,
        }
        answered = self.admin.post("/v1/targets", json=body)
        assert answered.status_code == 201, answered.text
        assert body["secret_access_key"] not in answered.text
        deliveries.run_once(self.context)
        found: dict[str, Any] = self.admin.get(f"/v1/targets/{answered.json()['id']}").json()
        return found

    def names(self, prefix: str = "shop/") -> list[str]:
        pages = self.s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return sorted(entry["Key"].removeprefix(prefix) for entry in pages.get("Contents", []))

    def manifest(self, prefix: str = "shop/") -> list[dict[str, str]]:
        body = self.s3.client().get_object(Bucket=BUCKET, Key=f"{prefix}manifest.csv")["Body"].read()
        return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))

    def deliver(self, sent: Sent) -> dict[str, Any]:
        """A round as soon as the delivery is due."""
        self.due(sent)
        deliveries.run_once(self.context)
        found: dict[str, Any] = self.admin.get(f"/v1/requests/{sent.id}/delivery").json()
        return found

    def due(self, sent: Sent) -> None:
        with self.api.server.line.owner.begin() as conn:
            conn.execute(text("update file_deliveries set due_at = now() where request_id = :id"), {"id": sent.id})

    def events(self, kind: str) -> list[Any]:
        return self.api.events(kind)
