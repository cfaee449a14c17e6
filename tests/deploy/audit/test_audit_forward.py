"""`presswork audit forward` and `export --from-leaf`: CloudEvents in the order of leaves, resumed without a gap."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from deploy.cli import main
from deploy.commands.audit import forward
from policy.events import Private
from tests.policy.ledger.test_questions import POLICY, judged, released
from tests.support.ledger import Ledger, failed, refused


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.append(judged(refused(1), POLICY, prompt=Private("a bee")), released(2))
    ledger.append(failed(3), tenant="rival")
    ledger.seal()
    ledger.append(released(4))  # not sealed
    return ledger


@pytest.fixture
def call(database):
    def call(*words):
        return CliRunner().invoke(main, ["audit", *words], env={"PRESSWORK_DATABASE_URL": database.url("auditor")})

    return call


@pytest.fixture
def sink():
    """An HTTP receiver: `taken` holds every batch, `status` is what it answers."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.server.status == 200:
                self.server.taken.append((dict(self.headers), json.loads(body)))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.taken, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_grows_by_what_was_sealed_since(ledger, call, tmp_path, monkeypatch):
    monkeypatch.setattr(forward, "PAGE", 2)
    target, position = tmp_path / "siem.jsonl", tmp_path / "position.json"
    words = ("forward", "--to", str(target), "--position", str(position))
    assert call(*words).output == "sent 3 events; next leaf 3\n"
    assert call(*words).output == "sent 0 events; next leaf 3\n"
    ledger.seal()
    assert call(*words).output == "sent 1 events; next leaf 4\n"
    told = [json.loads(line) for line in target.read_text().splitlines()]
    assert [one["leafindex"] for one in told] == [0, 1, 2, 3]
    first = told[0]
    assert (first["specversion"], first["type"], first["tenant"]) == ("1.0", "presswork.item.refused", "acme")
    assert first["data"]["event"]["prompt"] == "a bee"
    assert len({one["id"] for one in told}) == 4


def test_an_http_target_that_refuses_a_page_gets_it_again(ledger, call, sink, tmp_path, monkeypatch):
    monkeypatch.setattr(forward, "PAGE", 2)
    (token := tmp_path / "token").write_text("secret\n")
    words = ("forward", "--to", f"http://127.0.0.1:{sink.server_port}/events", "--position", str(tmp_path / "p.json"),
             "--token-file", str(token))  # fmt: skip
    sink.status = 503
    refusal = call(*words)
    assert refusal.exit_code == 1
    assert "answered 503" in refusal.output
    assert not (tmp_path / "p.json").exists()
    sink.status = 200
    assert call(*words).output == "sent 3 events; next leaf 3\n"
    assert [[one["leafindex"] for one in body] for _, body in sink.taken] == [[0, 1], [2]]
    headers, _ = sink.taken[0]
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("target", "said"),
    [("http://siem.example/", "https"), ("ftp://siem.example/", "no kind of target"), ("s3:///x", "name a bucket")],
)
def test_a_target_that_is_none_is_wrong_usage(ledger, call, tmp_path, target, said):
    answer = call("forward", "--to", target, "--position", str(tmp_path / "p.json"))
    assert (answer.exit_code, said in answer.output) == (2, True), answer.output


def test_a_position_file_of_something_else_is_not_guessed_at(ledger, call, tmp_path):
    (tmp_path / "p.json").write_text("[]")
    answer = call("forward", "--to", str(tmp_path / "siem.jsonl"), "--position", str(tmp_path / "p.json"))
    assert (answer.exit_code, "--from-leaf" in answer.output) == (2, True)


def test_an_export_goes_on_from_a_leaf(ledger, call):
    lines = call("export", "--from-leaf", "1", "-o", "-").stdout.splitlines()
    assert [json.loads(line)["index"] for line in lines] == [1, 2]
    lines = call("export", "--from-leaf", "0", "--tenant", "rival", "--format", "cloudevents", "-o", "-").stdout
    assert [json.loads(line)["leafindex"] for line in lines.splitlines()] == [2]
    assert call("export", "--from-leaf", "1", "--from", "2026-01-01", "-o", "-").exit_code == 2
