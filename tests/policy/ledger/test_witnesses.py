"""Witnesses end to end: a real one in a process of its own, asked by the sealer's side, counted by a policy."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
import threading
import zipfile

import httpx
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from policy.errors import LedgerError
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.flaws import Flaw
from policy.ledger.tree.cosignatures import cosigned_note
from policy.ledger.tree.keys import write_key
from policy.ledger.tree.notes import COSIGNATURE, Checkpoint, Vkey, sign_checkpoint
from policy.ledger.tree.proofs import ConsistencyProof
from policy.ledger.verification.verify import verify
from policy.ledger.witnesses.witness import make_witness
from policy.ledger.witnesses.witness_policy import WitnessPolicy, newest_witnessed
from tests.policy.ledger.test_pack import altered
from tests.support.ledger import ORIGIN, Ledger, failed
from tests.support.line import eventually
from workers.sealing import loop as sealing_loop
from workers.sealing.cosign import Witnessing

HOUR = 3_600.0


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(3, 4, 300)
    return ledger


class Running:
    """`presswork witness serve`, as a process."""

    def __init__(self, folder, ledger, name):
        self.folder, self.vkeys = folder / name, folder / f"{name}.vkeys"
        self.vkeys.write_text(f"{ledger.vkeys[0]}\n")
        self.vkey = make_witness(self.folder, f"witness.example/{name}")
        self.name, self.port = name, 0
        self.start()

    def start(self):
        arguments = ["witness", "serve", "--state", self.folder, "--log", self.vkeys, "--port", str(self.port)]
        self.process = subprocess.Popen([sys.executable, "-m", "deploy.cli", *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        line = self.process.stdout.readline()
        self.port = int(re.search(r"listens on http://127\.0\.0\.1:(\d+)$", line.strip()).group(1))

    def stop(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    @property
    def line(self):
        return f"witness {self.name} {self.vkey} http://127.0.0.1:{self.port}"


@pytest.fixture
def two(ledger, tmp_path):
    running = [Running(tmp_path, ledger, name) for name in ("north", "south")]
    yield running
    for one in running:
        if one.process.poll() is None:
            one.stop()


def policy_of(*running, enough="all"):
    lines = [one.line for one in running]
    return WitnessPolicy.parse(
        "\n".join([*lines, f"group all {enough} {' '.join(one.name for one in running)}", "quorum all"])
    )


def asking(ledger, policy):
    return Witnessing(ledger.sealer, lambda: ledger.vkeys, policy, seconds=5, pause_seconds=0)


def checked(ledger, policy, patience=HOUR):
    with ledger.auditor.connect() as conn:
        return verify(conn, ledger.vkeys, witnesses=policy, witness_patience_seconds=patience)


def witnessed(ledger, policy):
    with ledger.auditor.connect() as conn:
        return newest_witnessed(conn, policy)


def test_two_witnesses_cosign_head_after_head_and_survive_a_kill(ledger, two):
    policy = policy_of(*two)
    witnessing = asking(ledger, policy)
    assert witnessing.run_once() == 2
    assert witnessing.run_once() == 0, "once a head"
    assert witnessed(ledger, policy) == 307
    two[0].stop()
    two[0].start()
    ledger.fill(5)
    assert witnessing.run_once() == 2
    assert witnessed(ledger, policy) == 312
    report = checked(ledger, policy, patience=0)
    assert (report.intact, report.witnessed) == (True, 312)
    assert REGISTRY.get_sample_value("presswork_witnessed_leaves") == 312
    assert two[1].stop(signal.SIGTERM) == 0


def test_a_witness_that_is_away_is_an_alarm_and_the_quorum_may_do_without(ledger, two):
    any_of, both = policy_of(*two, enough="1"), policy_of(*two)
    two[1].stop()
    before = REGISTRY.get_sample_value("presswork_witness_failures_total")
    with capture_logs() as lines:
        assert asking(ledger, both).run_once() == 1
    assert [line["event"] for line in lines] == ["cosigned", "witness_did_not_cosign"]
    assert REGISTRY.get_sample_value("presswork_witness_failures_total") == before + 1
    assert (witnessed(ledger, any_of), witnessed(ledger, both)) == (307, 0)
    assert checked(ledger, both).intact, "within its time"
    (problem,) = checked(ledger, both, patience=0).problems
    assert problem.flaw is Flaw.UNWITNESSED
    assert "3 heads above 0 leaves have no quorum" in problem.message


def test_a_database_restored_from_yesterday_is_refused_by_its_witness(ledger, two):
    policy = policy_of(*two)
    asking(ledger, policy).run_once()
    ledger.tamper("delete from audit.entries where id > 7", "delete from audit.sequence where index > 6",
                  "delete from audit.nodes", "delete from audit.checkpoints where size > 7")  # fmt: skip
    with ledger.superuser.begin() as conn:
        conn.exec_driver_sql("alter table audit.cosignatures disable trigger all")
        conn.exec_driver_sql("delete from audit.cosignatures")
    ledger.append(failed(1))
    ledger.seal()
    with capture_logs() as lines:
        assert asking(ledger, policy).run_once() == 0
    assert "it has cosigned 307 leaves, this database has 8" in lines[0]["reason"]


def test_a_second_history_is_never_cosigned_and_kept_as_evidence(ledger, two):
    asking(ledger, policy_of(*two)).run_once()
    url = f"http://127.0.0.1:{two[0].port}/add-checkpoint"
    forked = sign_checkpoint(Checkpoint(ORIGIN, 307, b"\1" * 32), ledger.signer)
    longer = sign_checkpoint(Checkpoint(ORIGIN, 400, b"\1" * 32), ledger.signer)
    one, other = (httpx.post(url, content=str(ConsistencyProof(307, (), note))) for note in (forked, longer))
    assert (one.status_code, one.text, one.headers["content-type"]) == (409, "307\n", "text/x.tlog.size")
    assert other.status_code == 422
    evidence = sorted(path.read_text() for path in two[0].folder.glob("evidence/*/*"))
    assert evidence == sorted([forked, longer])


def test_a_forged_cosignature_is_named_and_counts_for_nothing(ledger, two):
    policy = policy_of(*two)
    asking(ledger, policy).run_once()
    with ledger.superuser.begin() as conn:
        conn.exec_driver_sql("alter table audit.cosignatures disable trigger all")
        north = "witness = 'witness.example/north'"
        line = f"(select line from audit.cosignatures where {north})"
        conn.exec_driver_sql(f"update audit.cosignatures set line = {line} where not {north}")
        conn.exec_driver_sql(f"update audit.cosignatures set size = 3 where {north}")
    report = checked(ledger, policy, patience=0)
    assert {problem.flaw for problem in report.problems} == {Flaw.COSIGNATURE_FORGED, Flaw.UNWITNESSED}


def test_the_http_face_bounds_what_it_reads(two):
    url = f"http://127.0.0.1:{two[0].port}"
    assert httpx.get(f"{url}/add-checkpoint").status_code == 404
    assert httpx.post(f"{url}/elsewhere", content=b"x").status_code == 404
    assert httpx.post(f"{url}/add-checkpoint", content=b"x" * 70_000).status_code == 413
    assert httpx.post(f"{url}/add-checkpoint", content=iter([b"x"])).status_code == 411
    assert httpx.post(f"{url}/add-checkpoint", content=b"x").status_code == 400


def test_a_cosigned_note_is_the_note_with_its_cosignatures(ledger, two):
    asking(ledger, policy_of(*two)).run_once()
    with ledger.auditor.connect() as conn:
        note = cosigned_note(conn, 307, ledger.value("select note from audit.checkpoints where size = 307"))
    assert [line.split()[1] for line in note.splitlines() if line.startswith("\u2014")] == [
        ORIGIN, "witness.example/north", "witness.example/south"]  # fmt: skip


def test_a_pack_ends_at_the_newest_head_that_a_quorum_saw(ledger, two, tmp_path):
    policy, path = policy_of(*two), tmp_path / "p.zip"
    with ledger.auditor.connect() as conn, pytest.raises(LedgerError, match="no head has the quorum"):
        write_pack(conn, path, Selection(), vkeys=ledger.vkeys, witnesses=policy)
    asking(ledger, policy).run_once()
    ledger.fill(5)
    with ledger.auditor.connect() as conn:
        assert write_pack(conn, path, Selection(), vkeys=ledger.vkeys, witnesses=policy).size == 307
    found = offline_verifier.verify(path, [str(ledger.vkeys[0])], witnesses=policy.text)
    assert found.problems == []
    assert "cosigned by north, south of the policy; quorum 'all'" in found.facts
    unseen = Vkey("w.example/x", bytes(32), kind=COSIGNATURE)
    more = policy.text.replace("group all all north south", f"witness x {unseen}\ngroup all all north south x")
    (problem,) = offline_verifier.verify(path, [str(ledger.vkeys[0])], witnesses=more).problems
    assert "cosigned by north, south, which is not the quorum 'all'" in problem
    with pytest.raises(offline_verifier.Inconclusive, match="names no quorum"):
        offline_verifier.verify(path, [], witnesses=f"witness x {unseen}\n")


def test_a_cosignature_in_a_pack_cannot_be_altered_or_taken_out(ledger, two, tmp_path):
    policy, path = policy_of(*two), tmp_path / "p.zip"
    asking(ledger, policy).run_once()
    with ledger.auditor.connect() as conn:
        write_pack(conn, path, Selection(asset_id="item-2"), vkeys=ledger.vkeys, witnesses=policy)
    with zipfile.ZipFile(path) as pack:
        note = pack.read("checkpoints/307").decode()
        under = [name for name in pack.namelist() if name.startswith(("checkpoints/", "proofs/", "consistency/"))]
    *kept, last = note.splitlines(keepends=True)
    raw = bytearray(base64.b64decode(last.split()[2]))
    raw[-1] ^= 1
    flipped = note.replace(last.split()[2], base64.b64encode(raw).decode())
    for changed, said in {"".join(kept): "which is not the quorum", flipped: "does not fit its text: edited"}.items():
        changes = {name: lambda raw, new=changed: raw.replace(note.encode(), new.encode()) for name in under}
        forged = altered(path, changes)
        problems = offline_verifier.verify(forged, [str(ledger.vkeys[0])], witnesses=policy.text).problems
        assert any(said in problem for problem in problems), problems


def test_the_sealers_process_asks_by_itself(ledger, two, settings_for, tmp_path):
    policy = policy_of(*two)
    (tmp_path / "policy").write_text(policy.text)
    write_key(tmp_path / "ledger.key", ledger.signer.private_key)
    told = {"ledger_key": tmp_path / "ledger.key", "ledger_vkeys": two[0].vkeys, "witness_policy": tmp_path / "policy"}
    settings = settings_for("sealer", ledger_origin=ORIGIN, seal_seconds=0.05, **told)
    stop = threading.Event()
    sealing = threading.Thread(target=sealing_loop.serve, args=(settings, stop))
    sealing.start()
    try:
        eventually(lambda: witnessed(ledger, policy) == 307, seconds=60)
    finally:
        stop.set()
        sealing.join()
