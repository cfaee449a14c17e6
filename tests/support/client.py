"""API clients for tests: an API server on real services, and callers with keys of their own tenants."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import func, select

from api.edge.limits.waiting import WaitingRoom
from api.server.serve import make_server
from tests.support.apps import make_app
from tests.support.line import Line
from workers.jobs.keys import SCOPES, ApiKey, create_key, create_tenant
from workers.jobs.tables import items, requests
from workers.settings import Settings

if TYPE_CHECKING:
    from tests.support.databases import Database

GOOD = "object,colour\nbackpack,red\ncar,green\n"
SPEC = {"template": "a {colour} {object} on a white background"}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its port, who waits in it, and its application."""

    port: int
    room: WaitingRoom
    app: FastAPI


@dataclass(slots=True)
class ApiServer:
    """The API on one database. `stack` closes what was opened."""

    database: Database
    settings_for: Callable[..., Settings]
    stack: ExitStack = field(default_factory=ExitStack)
    line: Line = field(init=False)
    _apps: dict[str, FastAPI] = field(default_factory=dict)
    _loop: BlockingPortal | None = None

    def __post_init__(self) -> None:
        self.line = Line.on(self.database)

    def app(self, **changes: Any) -> FastAPI:
        """The application with these settings changed; built once for each set of changes."""
        name = repr(sorted(changes.items()))
        if name not in self._apps:
            self._apps[name] = make_app(self.settings_for("api", **changes))
            self.stack.callback(self._apps[name].state.parts.close)
        return self._apps[name]

    def key(
        self,
        tenant: str = "acme",
        scopes: Iterable[str] = SCOPES,
        expires_at: datetime | None = None,
        person: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A fresh key, as stored and as shown once."""
        with self.line.owner.begin() as conn:
            create_tenant(conn, tenant, name=tenant, actor="test")
            return create_key(
                conn, tenant, name="test", scopes=scopes, actor="test", expires_at=expires_at, person=person
            )

    def caller(self, tenant: str = "acme", scopes: Iterable[str] = SCOPES, **changes: Any) -> TestClient:
        """A client with a fresh key of the tenant."""
        client = self.anonymous(**changes)
        client.headers["Authorization"] = f"Bearer {self.key(tenant, scopes)[1]}"
        return client

    def anonymous(self, **changes: Any) -> TestClient:
        """A client without a key, whose requests share one event loop, as those of a server do."""
        client = TestClient(self.app(**changes), raise_server_exceptions=False)
        if self._loop is None:
            self._loop = self.stack.enter_context(start_blocking_portal())
        client.portal = self._loop
        return client

    @contextmanager
    def served(self, **changes: Any) -> Iterator[Served]:
        """A real server as `python -m api` runs it, for what only happens on a socket."""
        settings = self.settings_for("api", **changes)
        app = make_app(settings)  # its own: the server closes it at the end
        server = make_server(app, settings)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield Served(listening.getsockname()[1], app.state.parts.room, app)
            finally:
                server.should_exit = True
                thread.join()


@dataclass(slots=True)
class ApiTenant:
    """One test's tenant at the API: its own tenant, what was logged meanwhile, what its tenant has stored."""

    server: ApiServer
    logs: list[Any]
    tenant: str = field(default_factory=lambda: f"tenant-{secrets.token_hex(6)}")

    def caller(self, scopes: Iterable[str] = SCOPES, **changes: Any) -> TestClient:
        """A client with a fresh key of this test's tenant."""
        return self.server.caller(self.tenant, scopes, **changes)

    def stored(self) -> int:
        """Requests and items of the tenant."""
        with self.server.line.auditor.connect() as conn:
            return sum(
                conn.execute(select(func.count()).where(table.c.tenant == self.tenant)).scalar_one()
                for table in (requests, items)
            )

    def items(self) -> list[Any]:
        """Rows of the tenant's items, in order."""
        with self.server.line.auditor.connect() as conn:
            return list(conn.execute(select(items).where(items.c.tenant == self.tenant).order_by(items.c.id)))

    def events(self, kind: str) -> list[Any]:
        """The tenant's lines of the ledger of that kind, oldest first."""
        return [recorded for recorded in self.server.line.events(kind) if recorded.tenant == self.tenant]


def campaign(
    client: TestClient,
    table: str | bytes = GOOD,
    spec: dict[str, Any] | str | None = None,
    headers: dict[str, str] | None = None,
    pictures: bytes | None = None,
    **more: Any,
) -> Response:
    """Submit a campaign; keywords go into the spec."""
    written = spec if isinstance(spec, str) else json.dumps({**(SPEC if spec is None else spec), **more})
    files: dict[str, tuple[str, str | bytes, str]] = {"file": ("rows.csv", table, "text/csv")}
    if pictures is not None:
        files["pictures"] = ("pictures.zip", pictures, "application/zip")
    return client.post("/v1/campaigns", data={"spec": written}, files=files, headers=headers)


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    document: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert (response.status_code, document["code"]) == (status, code), document
    assert document["type"] == f"urn:presswork:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["instance"].endswith(f":{response.headers['x-request-id']}")
    for error in document.get("errors", []):
        assert error["code"]
        assert error["message"]
        assert error["remedy"]
    return document


def places(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """(code, row, column or field) of every error."""
    return [(e["code"], e.get("row"), e.get("column") or e.get("field")) for e in document["errors"]]
