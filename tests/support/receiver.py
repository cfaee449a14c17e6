"""Receiver of webhooks: a real HTTP server on loopback that answers as it is told and keeps what it got."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import select, text

from tests.support.line import Line
from tests.support.recalls import Recalling
from workers.clerk import webhooks as duty
from workers.jobs.webhooks import endpoints


@dataclass(frozen=True, slots=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver checks it: Standard Webhooks, written here once more."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = b".".join([self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body])
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


@dataclass(slots=True)
class Receiver:
    """Change `status`, `headers`, `location`, `body` or `drip_seconds` at any time."""

    port: int = 0
    status: int = 204
    body: bytes = b""  # of the answer to a GET, whose status is 200 unless another one is set
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # of the answer, besides
    drip_seconds: float = 0.0  # between two bytes of the answer's head
    got: list[Got] = field(default_factory=list)  # by POST
    asked: list[Got] = field(default_factory=list)  # by GET

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?tenant=acme"


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if receiver.drip_seconds:
                self._drip()
                return
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            receiver.asked.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
            if receiver.drip_seconds:
                self._drip()
                return
            self.send_response(200 if receiver.status == 204 else receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if receiver.status == 304:
                self.end_headers()
                return
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            with suppress(OSError):  # the caller had enough
                self.wfile.write(receiver.body)

        def _drip(self) -> None:
            try:
                for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                    self.wfile.write(bytes([letter]))
                    time.sleep(receiver.drip_seconds)
            except OSError:
                return  # the sender had enough

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listen(
    line: Line, url: str, *, tenant: str = "acme", wanted: tuple[str, ...] = ("asset.released", "asset.recalled")
) -> tuple[str, str]:
    """An address' id and secret."""
    with line.as_tenant(tenant) as conn:
        stored, secret = endpoints.create_webhook(conn, tenant, url, wanted, actor="test")
    return stored.id, secret


def deliver(recalling: Recalling, **settings: Any) -> int:
    return duty.run_once(recalling.context(**{"webhook_loopback": True, "webhook_seconds": 2.0, **settings}))


def due_now(line: Line) -> None:
    """Move the clock: whatever waits for another attempt waited long enough."""
    with line.owner.begin() as conn:
        for table in ("webhook_deliveries set next_at", "webhooks set retry_at"):
            conn.execute(text(f"update {table} = clock_timestamp() - interval '1 second'"))


def rows(line: Line, table: Any) -> list[Any]:
    with line.auditor.connect() as conn:
        return list(conn.execute(select(table).order_by(*table.primary_key.columns)))
