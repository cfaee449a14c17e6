"""`presswork audit`, as a person or a script calls it: what it says, what it exits with, whose login it needs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from deploy.cli import main
from policy.events import ItemReleased, Private
from policy.ledger.tree.keys import LocalNoteSigner, load_vkeys, make_key_files
from policy.ledger.tree.notes import Checkpoint, open_checkpoint
from tests.support.ledger import ORIGIN, Ledger, refused
from workers.sealing.anchors import FolderAnchor, StoreAnchor
from workers.store import ObjectStore


class Audited(Ledger):
    """A ledger with its anchor in the object store, and an environment that describes both to the auditor."""

    def __init__(self, database, settings_for, folder):
        super().__init__(database)
        files = make_key_files(folder, origin=ORIGIN)
        self.signer = LocalNoteSigner.from_file(files.key, name=ORIGIN)
        self.vkeys = load_vkeys(files.vkeys)
        self.anchor = StoreAnchor(ObjectStore(settings_for("sealer")), ORIGIN)
        told = settings_for("auditor", ledger_vkeys=files.vkeys)
        self.environment = {
            "PRESSWORK_DATABASE_URL": told.database_url.get_secret_value(),
            "PRESSWORK_S3_ENDPOINT_URL": told.s3_endpoint_url,
            "PRESSWORK_S3_BUCKET": told.s3_bucket,
            "PRESSWORK_S3_ACCESS_KEY_ID": told.s3_access_key_id,
            "PRESSWORK_S3_SECRET_ACCESS_KEY": told.s3_secret_access_key.get_secret_value(),
            "PRESSWORK_LEDGER_VKEYS": str(files.vkeys),
        }

    def call(self, *arguments, **changed):
        return CliRunner().invoke(main, ["audit", *arguments], env={**self.environment, **changed})


@pytest.fixture
def ledger(database, s3, settings_for, tmp_path):
    ledger = Audited(database, settings_for, tmp_path / "keys")
    ledger.fill(3, 4)
    ledger.append(refused(99))
    return ledger


def test_an_intact_log_is_said_to_be_so(ledger):
    result = ledger.call("verify")
    assert result.exit_code == 0, result.output
    assert "INTACT" in result.output
    assert "8: 7 sealed, 1 waiting" in result.output
    assert "7 leaves outside the database" in result.output


def test_one_edited_row_is_named_and_the_exit_says_so(ledger):
    ledger.tamper("update audit.entries set body = convert_to(replace(convert_from(body, 'UTF8'), 'studio', 'other'), "
                  "'UTF8') where id = 4")  # fmt: skip
    row = ledger.rows("select * from audit.entries where id = 4")[0]
    result = ledger.call("verify")
    assert result.exit_code == 1
    assert "TAMPERED WITH" in result.output
    for word in ("entry_edited", str(row.event_id), row.kind, "leaf 3"):
        assert word in result.output


def test_the_report_is_json_where_a_program_reads_it(ledger):
    report = json.loads(ledger.call("verify", "--json").stdout)
    assert (report["intact"], report["sealed"], report["anchored"], report["problems"]) == (True, 7, {"store": 7}, [])
    ledger.tamper("delete from audit.entries where id = 3")
    result = ledger.call("verify", "--json")
    (problem,) = json.loads(result.stdout)["problems"]
    assert (result.exit_code, problem["flaw"], problem["entry_id"]) == (1, "entry_deleted", 3)


def test_a_kept_head_saves_the_next_run_what_was_verified(ledger, tmp_path):
    kept = tmp_path / "head"
    assert ledger.call("verify", "--kept", str(kept)).exit_code == 0
    assert open_checkpoint(kept.read_text(), ledger.vkeys).size == 7
    ledger.seal()
    ledger.fill(2)
    again = ledger.call("verify", "--kept", str(kept))
    assert "the kept head of 7 leaves" in again.output
    assert "3: 10 sealed, 0 waiting" in again.output
    assert open_checkpoint(kept.read_text(), ledger.vkeys).size == 10
    ledger.fill(1)
    ledger.tamper("update audit.entries set body = body || ' ' where id = (select max(id) from audit.entries)")
    assert ledger.call("verify", "--kept", str(kept)).exit_code == 1
    assert open_checkpoint(kept.read_text(), ledger.vkeys).size == 10, "the head that was sound stays"
    kept.write_text("nonsense")
    broken = ledger.call("verify", "--kept", str(kept))
    assert broken.exit_code == 2
    assert "Remedy" in broken.output


def test_a_cut_off_tail_is_seen_thanks_to_the_anchor_alone(ledger):
    ledger.tamper(
        "delete from audit.checkpoints where size = 7",
        "delete from audit.sequence where index >= 3",
        "delete from audit.private where event_id in (select event_id from audit.entries where id between 4 and 7)",
        "delete from audit.entries where id between 4 and 7",
    )
    result = ledger.call("verify")
    assert result.exit_code == 1
    assert "database_behind" in result.output
    unanchored = ledger.call("verify", "--no-anchor")
    assert unanchored.exit_code == 0
    assert "would go unseen" in unanchored.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PRESSWORK_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "--no-anchor"),
        ({"PRESSWORK_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/x"}, "cannot read the ledger"),
        ({"PRESSWORK_LEDGER_VKEYS": None}, "PRESSWORK_LEDGER_VKEYS"),
        ({"PRESSWORK_SEAL_SECONDS": "soon"}, "PRESSWORK_SEAL_SECONDS: Input should be a valid number"),
    ],
    ids=["anchor away", "database away", "no keys", "bad settings"],
)
def test_what_cannot_be_told_is_neither_intact_nor_tampered_with(ledger, changed, said):
    result = ledger.call("verify", **changed)
    assert result.exit_code == 2
    assert said in result.output
    assert "INTACT" not in result.output


def test_a_login_that_may_not_read_the_ledger_cannot_verify_it(ledger):
    result = ledger.call("verify", PRESSWORK_DATABASE_URL=ledger.database.url("worker"))
    assert result.exit_code == 2
    assert "permission denied" in result.output


def test_what_the_auditor_lacks_says_nothing_against_the_log(ledger, tmp_path):
    broken = tmp_path / "broken.vkeys"
    broken.write_text("presswork.example/test+deadbeef+AAAA\n")
    for arguments, changed, said in [
        (("verify",), {"PRESSWORK_LEDGER_VKEYS": str(broken)}, "not a public key line"),
        (("verify",), {"PRESSWORK_LEDGER_VKEYS": None}, "no public keys"),
        (("verify",), {"PRESSWORK_WITNESS_POLICY": str(broken)}, "witness policy"),
        (("verify", "--data", str(tmp_path)), {}, "no stack is running on"),
        (("counts",), {"PRESSWORK_DATABASE_URL": "postgresql+psycopg://a:b@127.0.0.1:1/x"}, "Connection refused"),
    ]:
        result = ledger.call(*arguments, **changed)
        assert (result.exit_code, said in result.output) == (2, True), result.output
        assert "sqlalche.me" not in result.output


def test_the_events_of_an_item_are_told_with_their_private_text(ledger):
    result = ledger.call("events", "item-99")
    assert result.exit_code == 0
    assert "item.refused" in result.output
    assert "a secret plan, number 99" in result.output
    assert "waiting" in result.output
    (event,) = [json.loads(line) for line in ledger.call("events", "item-2", "--json").stdout.splitlines()]
    assert (event["kind"], event["index"]) == ("item.failed", 2)


def test_an_unknown_id_and_another_tenants_id_get_one_answer(ledger):
    unknown = ledger.call("events", "item-1000")
    assert unknown.exit_code == 1
    assert "has no event about an item" in unknown.output
    assert ledger.call("events", "item-2", "--tenant", "rival").exit_code == 1
    assert ledger.call("events", "item-2", "--tenant", "acme").exit_code == 0


def test_the_newest_checkpoint_is_printed_as_it_was_signed(ledger):
    note = ledger.call("checkpoint").stdout
    assert open_checkpoint(note, ledger.vkeys).size == 7


def test_before_the_first_seal_there_is_no_checkpoint(database, s3, settings_for, tmp_path):
    result = Audited(database, settings_for, tmp_path).call("checkpoint")
    assert result.exit_code == 1
    assert "nothing is sealed yet" in result.output


def test_an_event_is_proven_to_somebody_without_the_database(ledger, tmp_path):
    event_id = str(ledger.value("select event_id from audit.entries where id = 5"))
    assert ledger.call("prove", event_id, "--to", str(tmp_path)).exit_code == 0
    proof, body = tmp_path / f"{event_id}.tlog-proof", tmp_path / f"{event_id}.json"
    offline = {"PRESSWORK_DATABASE_URL": None, "PRESSWORK_S3_ENDPOINT_URL": None}
    result = ledger.call("check", str(proof), str(body), **offline)
    assert result.output == f"proven: leaf 4 of the 7 leaves that {ORIGIN} signed\n"
    body.write_bytes(body.read_bytes().replace(b"acme", b"amce"))
    altered = ledger.call("check", str(proof), str(body), **offline)
    assert altered.exit_code == 1
    assert "these bytes are not leaf 4" in altered.output


def test_what_is_not_sealed_has_no_proof_yet(ledger, tmp_path):
    event_id = str(ledger.value("select event_id from audit.entries order by id desc limit 1"))
    result = ledger.call("prove", event_id, "--to", str(tmp_path))
    assert result.exit_code == 1
    assert "after the next seal" in result.output
    assert list(tmp_path.glob("*.json")) == []


def test_an_asset_is_proven_by_its_release_and_what_is_not_there_is_said(ledger, tmp_path):
    ledger.append(release("0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"))
    ledger.seal()
    told = ledger.call("prove", "--asset", "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11", "--to", str(tmp_path))
    assert (told.exit_code, "leaf 8 of 9" in told.output) == (0, True), told.output
    (body,) = tmp_path.glob("*.json")
    checked = CliRunner().invoke(main, ["audit", "check", str(body.with_suffix(".tlog-proof")), str(body), "--vkeys",
                                        ledger.environment["PRESSWORK_LEDGER_VKEYS"]])  # fmt: skip
    assert (checked.exit_code, "proven: leaf 8 of the 9" in checked.output) == (0, True), checked.output
    nobody = "0199c0de-7b1a-7c53-9d0f-000000000000"
    for arguments, code, said in [
        (["prove", "--asset", nobody], 1, f"no event released an asset {nobody}"),
        (["prove", nobody], 1, f"no event {nobody}"),
        (
            ["prove", json.loads(body.read_text())["event_id"], "--size", "3"],
            1,
            "no checkpoint of 3 leaves that covers",
        ),
        (["prove"], 2, "give either an EVENT_ID or --asset"),
        (["prove", nobody, "--asset", nobody], 2, "give either an EVENT_ID or --asset"),
        (["checkpoint", "--size", "1000000"], 1, "no checkpoint of 1000000 leaves"),
        (["consistency", "3", "1000000"], 1, "no checkpoint of 1000000 leaves"),
    ]:
        refused_call = ledger.call(*arguments)
        assert (refused_call.exit_code, said in refused_call.output) == (code, True), refused_call.output


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"c2sp.org/tlog-proof@v1\nindex 1\n\n"])
def test_a_malformed_proof_is_refused(ledger, tmp_path, content):
    (tmp_path / "proof").write_bytes(content)
    (tmp_path / "body").write_bytes(b"{}")
    checked = CliRunner().invoke(main, ["audit", "check", str(tmp_path / "proof"), str(tmp_path / "body"), "--vkeys",
                                        ledger.environment["PRESSWORK_LEDGER_VKEYS"]])  # fmt: skip
    assert checked.exit_code == 1
    assert "Error: " in checked.output


def test_every_anchor_is_asked_and_one_that_is_away_leaves_it_open(ledger, tmp_path):
    folder = FolderAnchor(tmp_path / "worm", ORIGIN)
    for size, note in ledger.rows("select size, note from audit.checkpoints"):
        folder.put(Checkpoint(ORIGIN, size, open_checkpoint(note, ledger.vkeys).root), note)
    both = ledger.call("verify", PRESSWORK_ANCHOR_FOLDER=str(tmp_path / "worm"))
    assert both.exit_code == 0, both.output
    assert "in the anchor 'store'" in both.output
    assert "in the anchor 'folder'" in both.output
    (tmp_path / "file").write_text("")
    away = ledger.call("verify", PRESSWORK_ANCHOR_FOLDER=str(tmp_path / "file"))
    assert away.exit_code == 2
    assert "the anchor 'folder' did not answer" in away.output
    assert "INTACT" not in away.output


def release(asset_id):
    return ItemReleased("r", "i", asset_id, "b", 1, Private("a mug"), Private(""), {}, "5", 1, 0, "cpu", {}, {}, ())
