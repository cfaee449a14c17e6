"""Raw HTTP over a socket: what a client library would not send, or would hide."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """The answers of one connection up to its end, and the first of them in parts."""

    raw: bytes
    closed: bool

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem document that it must be, with the id that its headers name."""
        document: dict[str, Any] = json.loads(self.body)
        assert (self.status, document["code"]) == (status, code), self.raw
        assert self.headers["content-type"] == "application/problem+json"
        assert document["instance"] == f"urn:uuid:{self.headers['x-request-id']}"
        assert self.headers["x-content-type-options"] == "nosniff"
        return document


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)


def head(address: str, *headers: str, method: str = "GET", key: str = "") -> bytes:
    """A request head with its end."""
    lines = [f"{method} {address} HTTP/1.1", "Host: presswork", *headers]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join((*lines, "", "")).encode()


def to_the_end(peer: socket.socket) -> RawAnswer:
    """Everything until the server closes; a reset raises."""
    raw = b""
    while chunk := peer.recv(65_536):
        raw += chunk
    return RawAnswer(raw, closed=True)


def one_answer(peer: socket.socket) -> RawAnswer:
    """One answer whose length is announced; the connection stays open."""
    raw = b""
    while b"\r\n\r\n" not in raw or len(RawAnswer(raw, closed=False).body) < _length(raw):
        chunk = peer.recv(65_536)
        assert chunk, raw
        raw += chunk
    return RawAnswer(raw, closed=False)


def _length(raw: bytes) -> int:
    return int(RawAnswer(raw, closed=False).headers.get("content-length", "0"))


def sent_and_read(port: int, request: bytes) -> RawAnswer:
    """The answers to these bytes, until the server closes."""
    with connect(port) as peer:
        peer.sendall(request)
        return to_the_end(peer)


def silent(peers: Iterable[socket.socket]) -> bool:
    """Nothing can be read from any of them now: no answer, no end."""
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer, selectors.EVENT_READ)
        return selector.select(timeout=0) == []
