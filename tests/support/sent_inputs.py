"""Inputs in few words: sent over HTTP as a tenant does, and looked at as the identify process does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from tests.support.client import ApiServer
from workers.identification import loop
from workers.identification.loop import IdentifyContext
from workers.intake.accept import accept_next


@dataclass(frozen=True, slots=True)
class InputTenant:
    """One tenant's client, and the process that looks at what it sends."""

    client: TestClient
    context: IdentifyContext

    @classmethod
    def of(cls, server: ApiServer, tenant: str, **changes: Any) -> InputTenant:
        return cls(server.caller(tenant), loop.make_context(server.settings_for("identify", **changes)))

    def post(self, data: bytes, name: str = "picture.bin", **fields: str) -> Response:
        return self.client.post("/v1/inputs", files={"file": (name, data)}, data=fields)

    def look(self) -> None:
        """Everything that waits is looked at."""
        while accept_next(self.context.intake):
            pass

    def sent(self, data: bytes, **fields: str) -> dict[str, Any]:
        """The input, looked at."""
        answered = self.post(data, **fields)
        assert answered.status_code == 202, answered.text
        self.look()
        return self.read(answered.json()["id"])

    def read(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/inputs/{id}").json()
        return found
