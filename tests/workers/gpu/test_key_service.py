"""Key service: a real HTTPS server that has the key, and a worker that has not."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from policy.errors import SigningUnavailable
from policy.marks.inspect import inspect
from tests.support.authority import Authority, make_authority
from tests.support.line import Line
from tests.support.worker import Works
from workers.gpu.key_service import KeyService, signer_of
from workers.settings import Settings
from workers.states import ItemState
from workers.store import ObjectStore


class Vault:
    """The service. Change `status`, `answer` or `key` at any time."""

    def __init__(self, key: Path, authority: Authority) -> None:
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self.key, self.status, self.answer, self.asked = loaded, 200, None, 0
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                vault.asked += 1
                allowed = self.headers["Authorization"] == "Bearer open sesame"
                body = vault.answer or json.dumps({"signature": vault.sign(asked)}).encode()
                self.send_response(vault.status if allowed else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = authority.server().wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/sign"

    def sign(self, asked: dict[str, str]) -> str:
        assert asked["algorithm"] == "ES256"
        digest = base64.b64decode(asked["digest"])
        return base64.b64encode(self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))).decode()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
    return made


@pytest.fixture
def vault(authority: Authority, signing_files: Any) -> Iterator[Vault]:
    made = Vault(signing_files.key, authority)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def service(vault: Vault, signing_files: Any, token: str = "open sesame") -> KeyService:
    return KeyService(vault.url, token, signing_files.certificate)


def test_a_worker_without_the_key_releases_what_the_service_signed(
    vault: Vault, signing_files: Any, line: Line, settings_for: Callable[..., Settings], s3: Any
) -> None:
    works = Works(line, settings_for, s3)
    settings = settings_for("worker", signing_key=None, signing_url=vault.url, signing_token="open sesame")
    signer = signer_of(settings)
    assert isinstance(signer, KeyService)
    works.executor(signer=signer).run(works.batch(1))
    works.assert_settled_once(1)
    (key,) = s3.keys()
    found = inspect(ObjectStore(settings).get(key), signing_files.anchors.read_text())
    assert found.manifest.state in ("Trusted", "Valid")
    assert vault.asked >= 2, "the trial and the file"


def test_a_service_that_is_away_makes_the_worker_wait_and_nothing_leaves(
    vault: Vault, signing_files: Any, line: Line, settings_for: Callable[..., Settings], s3: Any
) -> None:
    works = Works(line, settings_for, s3)
    worker = works.executor(signer=service(vault, signing_files))
    vault.status = 503
    worker.run(works.batch(1))
    assert worker.standing.reason == "signing_unavailable"
    assert works.line.states() == {ItemState.PLANNED: 1}
    assert [event.event["reason"] for event in works.line.events("batch.returned")] == ["signing_unavailable"]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda vault: setattr(vault, "status", 503), "answers 503"),
        (lambda vault: setattr(vault, "answer", b"hello"), "answers no signature"),
        (lambda vault: setattr(vault, "answer", b'{"signature": "!"}'), "answers no signature"),
        (lambda vault: setattr(vault, "answer", b"[]"), "answers no signature"),
        (lambda vault: setattr(vault, "answer", b'{"signature": "QUFB"}'), "signs with another key"),
        (lambda vault: setattr(vault, "key", ec.generate_private_key(ec.SECP256R1())), "signs with another key"),
    ],
)
def test_what_is_wrong_with_the_service_is_said(
    vault: Vault, signing_files: Any, break_it: Callable[[Vault], None], said: str
) -> None:
    signer = service(vault, signing_files)
    break_it(vault)
    with pytest.raises(SigningUnavailable, match=said):
        signer.sign(b"a manifest")


def test_a_wrong_token_and_a_service_of_another_authority_are_refused(
    vault: Vault, signing_files: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SigningUnavailable, match="PRESSWORK_SIGNING_TOKEN"):
        service(vault, signing_files, token="guess")
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(make_authority(tmp_path / "other").ca))
    with pytest.raises(SigningUnavailable, match="does not answer: ConnectError"):
        service(vault, signing_files)


def test_a_key_service_is_asked_over_tls_or_on_loopback_only(settings_for: Callable[..., Settings]) -> None:
    for url in ("https://keys.example/sign", "http://127.0.0.1:9/sign", "http://localhost/sign", ""):
        assert settings_for("worker", signing_url=url).signing_url == url
    for url in ("http://keys.example/sign", "http://127.0.0.1.example/sign", "ftp://x", "https://"):
        with pytest.raises(ValueError, match="signing_url"):
            settings_for("worker", signing_url=url)
