"""Contract: Go's reference implementation (golang.org/x/mod/sumdb) accepts our checkpoints and proofs, none altered.

The verifier is tests/contract/go_verifier, built from Debian's golang-go and golang-golang-x-mod-dev.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from policy.ledger.tree.proofs import prove, prove_extension
from tests.support.ledger import Ledger, new_signer

pytestmark = pytest.mark.processes

SOURCE = Path(__file__).parent / "go_verifier"
GOPATH = Path("/usr/share/gocode")  # where Debian puts the sources of Go packages


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    """Gives cases to the Go program, and its verdicts: "" or what is wrong."""
    if shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("Go is not here: apt-get install golang-go golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    told = {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    program = folder / "go_verifier"
    subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, env={**os.environ, **told}, check=True)

    def ask(*cases):
        ran = subprocess.run([program], input=json.dumps(cases), capture_output=True, text=True, check=True)
        return json.loads(ran.stdout)

    return ask


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(1, 6, 249, 44)  # 300 leaves: a full tile and a rest
    return ledger


def included(ledger, proof, body, vkey=None):
    return {"Vkey": str(vkey or ledger.vkeys[0]), "Proof": str(proof), "Body": base64.b64encode(body).decode()}


def extended(ledger, proof, old, vkey=None):
    return {"Vkey": str(vkey or ledger.vkeys[0]), "Proof": str(proof), "Old": old}


def proven(ledger, *indices):
    rows = ledger.rows(
        "select e.event_id::text, e.body from audit.sequence s join audit.entries e on e.id = s.entry_id "
        "where s.index = any(:indices) order by s.index", indices=list(indices))  # fmt: skip
    with ledger.auditor.connect() as conn:
        return [(prove(conn, event_id), bytes(body)) for event_id, body in rows]


def test_go_accepts_every_kind_of_inclusion_proof(ledger, verify):
    cases = [included(ledger, *one) for one in proven(ledger, *range(0, 300, 13), 255, 256, 299)]
    assert len(cases) > 20
    assert verify(*cases) == [""] * len(cases)


def test_go_accepts_the_extension_of_every_checkpoint_by_every_later_one(ledger, verify):
    notes = dict(ledger.rows("select size, note from audit.checkpoints"))
    with ledger.auditor.connect() as conn:
        cases = [
            extended(ledger, prove_extension(conn, old, new, ledger.vkeys), notes[old])
            for new in notes
            for old in notes
            if old <= new
        ]
    assert verify(*cases) == [""] * 10


def test_go_refuses_what_was_altered(ledger, verify):
    (proof, body), (other, _) = proven(ledger, 7, 8)
    notes = dict(ledger.rows("select size, note from audit.checkpoints"))
    with ledger.auditor.connect() as conn:
        extension = str(prove_extension(conn, 256, 300, ledger.vkeys))
    foreign = new_signer().vkey
    written = str(proof)
    first_hash = written.split("\n")[2]
    refused = {
        "the event": included(ledger, proof, body.replace(b"acme", b"amce")),
        "another's proof": included(ledger, other, body),
        "the index": included(ledger, written.replace("index 7\n", "index 6\n"), body),
        "a hash": included(ledger, written.replace(first_hash, base64.b64encode(bytes(32)).decode()), body),
        "a hash left out": included(ledger, written.replace(f"{first_hash}\n", ""), body),
        "the size in the checkpoint": included(ledger, written.replace("\n300\n", "\n301\n"), body),
        "the name of the log": included(ledger, written.replace("presswork.example", "presswurk.example"), body),
        "an unknown key": included(ledger, proof, body, foreign),
        "another old checkpoint": extended(ledger, extension, notes[7]),
        "the old size": extended(ledger, extension.replace("old 256", "old 255"), notes[256]),
        "an old checkpoint that was edited": extended(ledger, extension, notes[256].replace("\n256\n", "\n257\n")),
        "an extension, by an unknown key": extended(ledger, extension, notes[256], foreign),
    }
    verdicts = dict(zip(refused, verify(*refused.values()), strict=True))
    assert [what for what, said in verdicts.items() if not said] == []
