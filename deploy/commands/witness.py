"""`presswork witness`: a small witness for logs of others, on a machine and with a key of its own."""

from __future__ import annotations

import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from policy.ledger.tree.keys import load_vkeys
from policy.ledger.witnesses.witness import MAX_BODY_BYTES, LocalWitness, WitnessReply, make_witness

_SECONDS = 10.0  # a request must have arrived, an answer have left
_AT_ONCE = 32  # requests; more wait for a place, and their callers give up first

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder that holds the witness's key and memory.",
)


@click.group()
def witness() -> None:
    """Watch logs of others: cosign their heads, and refuse a head that does not extend the last one.

    Speaks c2sp.org/tlog-witness and signs c2sp.org/tlog-cosignature. Run it where the log's owner is not.
    """


@witness.command()
@state_option
@click.option("--name", required=True, help="What the key is called, such as witness.example.com/w1.")
def init(state: Path, name: str) -> None:
    """Make a witness: its key, and a memory that holds nothing yet. Prints its public line for the log's owner."""
    click.echo(str(make_witness(state, name)))


@witness.command()
@state_option
@click.option("--log", "logs", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True,
              required=True, help="A file with the public keys of a log to watch; repeat it for more.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8405, show_default=True, help="Its port; 0: any.")
def serve(state: Path, logs: tuple[Path, ...], host: str, port: int) -> None:
    """Answer add-checkpoint until it is told to stop.

    Plain HTTP: put a proxy with TLS in front where the network is not yours. Requests need no password, as only a
    head that the log itself signed is ever cosigned.
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
    """A witness behind HTTP/1.1, a bounded number of requests at a time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], cosigner: LocalWitness) -> None:
        self.cosigner = cosigner
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS  # of every read

    def do_POST(self) -> None:
        self._answer(self._judged())

    def do_GET(self) -> None:
        self._answer(WitnessReply(404, "POST /add-checkpoint, as c2sp.org/tlog-witness says\n"))

    def _judged(self) -> WitnessReply:
        if self.path != "/add-checkpoint":
            return WitnessReply(404, "POST /add-checkpoint, as c2sp.org/tlog-witness says\n")
        said = self.headers.get("Content-Length", "")
        if not (said.isascii() and said.isdigit()):
            return WitnessReply(411, "say Content-Length\n")
        if int(said) > MAX_BODY_BYTES:
            return WitnessReply(413, f"at most {MAX_BODY_BYTES} bytes\n")
        return self.server.cosigner.add_checkpoint(self.rfile.read(int(said)))

    def _answer(self, reply: WitnessReply) -> None:
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
        """One line a request on standard error; nothing of the request's body."""
        click.echo(f"{self.address_string()} {format % args}", err=True)
