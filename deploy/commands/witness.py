"""`presswork witness`: a witness for other logs, on its own machine and with its own key."""

from __future__ import annotations

import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from policy.ledger.tree.keys import load_vkeys
from policy.ledger.witnesses.witness import MAX_BODY_BYTES, LocalWitness, WitnessReply, make_witness

_SECONDS = 10.0  # timeout of every read and write
_MAX_REQUESTS = 32  # at the same time; more wait, and their callers give up first
_USAGE = "the only address is POST /add-checkpoint; see c2sp.org/tlog-witness\n"

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    required=True,
    help="Folder with the key and the state of the witness.",
)


@click.group()
def witness() -> None:
    """Run a witness that cosigns the heads of other logs.

    A witness refuses a head that does not extend the last head that it saw. It implements c2sp.org/tlog-witness and
    c2sp.org/tlog-cosignature. Run it on a machine that the owner of the log does not control.
    """


@witness.command()
@state_option
@click.option("--name", metavar="NAME", required=True, help="Name of the key, such as witness.example.com/w1.")
def init(state: Path, name: str) -> None:
    """Create a witness and print its public key.

    The printed line goes into the witness policy of the log's owner.
    """
    click.echo(str(make_witness(state, name)))


@witness.command()
@state_option
@click.option("--log", "logs", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True,
              metavar="FILE", required=True, help="File with the public keys of a log. Repeatable.")  # fmt: skip
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), default=8405, show_default=True,
              help="Port to listen on. 0: any free port.")  # fmt: skip
def serve(state: Path, logs: tuple[Path, ...], host: str, port: int) -> None:
    """Serve add-checkpoint until SIGTERM or Ctrl-C.

    The protocol is plain HTTP: put a proxy with TLS in front on a network that you do not trust. Requests need no
    password, because the witness only cosigns heads that the log itself signed.
    """
    cosigner = LocalWitness(state, [vkey for path in logs for vkey in load_vkeys(path)])
    try:
        server = WitnessServer((host, port), cosigner)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    click.echo(f"{cosigner.signer.vkey} listens on http://{host}:{server.server_port}")
    server.serve_forever()
    server.server_close()
    cosigner.close()


class WitnessServer(ThreadingHTTPServer):
    """An HTTP/1.1 server around a witness, with a bounded number of requests at the same time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], cosigner: LocalWitness) -> None:
        self.cosigner = cosigner
        self._slots = threading.BoundedSemaphore(_MAX_REQUESTS)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._slots.acquire()
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS  # of every read

    def do_POST(self) -> None:
        self._send(self._reply())

    def do_GET(self) -> None:
        self._send(WitnessReply(404, _USAGE))

    def _reply(self) -> WitnessReply:
        if self.path != "/add-checkpoint":
            return WitnessReply(404, _USAGE)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return WitnessReply(411, "Content-Length is required\n")
        if int(length) > MAX_BODY_BYTES:
            return WitnessReply(413, f"the body may have at most {MAX_BODY_BYTES} bytes\n")
        return self.server.cosigner.add_checkpoint(self.rfile.read(int(length)))

    def _send(self, reply: WitnessReply) -> None:
        body = reply.text.encode(errors="replace")
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(body)))
        if reply.status in (404, 411, 413):  # the body was not read
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """One line per request on standard error, without the body."""
        click.echo(f"{self.address_string()} {format % args}", err=True)
