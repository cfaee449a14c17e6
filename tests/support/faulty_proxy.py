"""Proxies with faults, in front of a real service: what the network and a tired server do to requests.

`TcpProxy` passes bytes on and cuts its connections when told. `S3Proxy` reads each HTTP request and asks what goes
wrong with it. Both listen on a free port of loopback, and end with their `with` block.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PIECE = 64 * 1024
_ERROR = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_FULL = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_SKEWED = (
    b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time"
    b" is too large.</Message></Error>"
)
_CLOCK_OFF = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_SKEWED), _SKEWED)


class HttpFault(StrEnum):
    """What goes wrong with one request."""

    ERROR = "error"  # answered 503, never passed on
    NO_ANSWER = "no_answer"  # done, and the answer is lost
    CUT = "cut"  # half of the body arrives, then the connection ends
    CHANGED = "changed"  # the last byte of the body is another one
    CUT_ANSWER = "cut_answer"  # half of the answer's body arrives
    FULL = "full"  # answered 507, as by a store whose disk is full
    CLOCK_OFF = "clock_off"  # answered 403, as to a signature of an hour ago


_REFUSALS = {HttpFault.ERROR: _ERROR, HttpFault.CLOCK_OFF: _CLOCK_OFF, HttpFault.FULL: _FULL}


class TcpProxy:
    """Passes on what arrives at `port` to `upstream`, until it is cut."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.away = False  # new connections end at once
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def cut(self) -> int:
        """End every connection; how many there were."""
        with self._lock:
            found, self._open = self._open, set()
        for one in found:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        return len(found) // 2

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # closed
                return
            if self.away:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), client, socket.create_connection(self.upstream) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                self.relay(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def relay(self, client: socket.socket, server: socket.socket) -> None:
        """Both ways, until one side ends."""
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


@dataclass
class _Stream:
    """A connection from which lines and counted bytes are read."""

    connection: socket.socket
    buffer: bytes = b""

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(end)
        return head + end

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _more(self) -> None:
        if not (piece := self.connection.recv(_PIECE)):
            raise EOFError
        self.buffer += piece


@dataclass
class _Head:
    """The first lines of a request or an answer."""

    raw: bytes
    first: list[str] = field(init=False)
    fields: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        first, *lines = self.raw.decode("latin-1").split("\r\n")
        self.first = first.split(" ", 2)
        parts = (line.partition(":") for line in lines)
        self.fields = {name.strip().lower(): value.strip() for name, _, value in parts}

    def body(self, stream: _Stream) -> bytes:
        """As it was sent, with the frames of its pieces."""
        if self.fields.get("transfer-encoding", "").lower() == "chunked":
            return _pieces(stream)
        return stream.exactly(int(self.fields.get("content-length", 0)))


class S3Proxy(TcpProxy):
    """Asks `fault` about each request, by method and path. `seen` counts the faults that happened."""

    def __init__(self, endpoint_url: str, fault: Callable[[str, str], HttpFault | None]) -> None:
        address = urlsplit(endpoint_url)
        super().__init__((str(address.hostname), int(address.port or 80)))
        self.fault = fault
        self.seen: Counter[HttpFault] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def relay(self, client: socket.socket, server: socket.socket) -> None:
        asking, answering = _Stream(client), _Stream(server)
        while True:
            asked = _Head(asking.until(b"\r\n\r\n"))
            fault = self.fault(asked.first[0], asked.first[1])
            if fault is not None:
                self.seen[fault] += 1
            if fault in _REFUSALS:
                client.sendall(_REFUSALS[fault])
                return
            server.sendall(asked.raw)
            if asked.fields.get("expect", "").lower() == "100-continue":
                client.sendall(answering.until(b"\r\n\r\n"))
            body = asked.body(asking)
            if fault is HttpFault.CUT and body:
                server.sendall(body[: len(body) // 2])
                return
            server.sendall(body[:-1] + bytes([body[-1] ^ 1]) if fault is HttpFault.CHANGED and body else body)
            answer = _Head(answering.until(b"\r\n\r\n"))
            bodiless = asked.first[0] == "HEAD" or answer.first[1] in ("204", "304")
            content = b"" if bodiless else answer.body(answering)
            if fault is HttpFault.NO_ANSWER:
                return
            if fault is HttpFault.CUT_ANSWER and content:
                client.sendall(answer.raw + content[: len(content) // 2])
                return
            client.sendall(answer.raw + content)


def _pieces(stream: _Stream) -> bytes:
    whole = b""
    while True:
        line = stream.until(b"\r\n")
        whole += line
        if (size := int(line.split(b";")[0], 16)) == 0:
            return whole + stream.until(b"\r\n")
        whole += stream.exactly(size + 2)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
