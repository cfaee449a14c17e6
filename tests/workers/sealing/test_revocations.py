"""Revocation list: what it names, who may have signed it, and when it is issued."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from policy.errors import BrokenLedger, ListTooOld, UnknownKey
from policy.events import AssetRecalled
from policy.ledger.tree.keys import SealingKeys
from policy.ledger.tree.notes import open_checkpoint
from policy.ledger.tree.revocations import issue, lines_of, open_list
from tests.support.databases import Database
from tests.support.ledger import ORIGIN, Ledger, failed, new_signer
from tests.support.revocation_lists import AT, GOOD, LINES, OF_ANOTHER_LOG, OTHERS, SIGNER, TAMPERED, digest
from workers.jobs.types import new_id
from workers.revocation_lists import PREFIX, RevocationLists
from workers.sealing.revocations import Publisher
from workers.store import ObjectStore


def recalled(*files: str, asset_id: str | None = None) -> AssetRecalled:
    digests = tuple(digest(file) for file in files)
    return AssetRecalled(new_id(), new_id(), new_id(), asset_id or new_id(), "licence", digests)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def shelf(settings_for: Any, s3: Any) -> RevocationLists:
    return RevocationLists(ObjectStore(settings_for("sealer")), ORIGIN)


def publisher(ledger: Ledger, shelf: RevocationLists, *, again_seconds: float = 3_600.0) -> Publisher:
    """As it is when its process begins."""
    return Publisher(ledger.sealer, ledger.keys, shelf, again_seconds=again_seconds)


def newest(ledger: Ledger, shelf: RevocationLists) -> Any:
    content = shelf.newest()
    assert content is not None
    return open_list(content, ledger.vkeys)


def test_a_list_names_what_the_sealed_log_recalled_and_nothing_else(ledger: Ledger, shelf: RevocationLists) -> None:
    one, other = new_id(), new_id()
    ledger.append(failed(1), recalled("a", "b", asset_id=one), failed(2), recalled("c", asset_id=other))
    sealed = ledger.seal()
    ledger.append(recalled("d"))  # not sealed yet
    assert publisher(ledger, shelf).run_once()
    found = newest(ledger, shelf)
    assert (found.origin, found.sequence, found.checkpoint) == (ORIGIN, 1, sealed.checkpoint.size)
    assert found.lines == tuple(sorted([*(f"{digest(n)} {one}" for n in "ab"), f"{digest('c')} {other}"]))
    assert (found.asset_of(digest("a")), found.asset_of(digest("c")), found.asset_of(digest("d"))) == (one, other, None)
    assert found.names(one)
    assert not found.names(new_id())
    with ledger.auditor.connect() as conn:
        assert tuple(lines_of(conn, found.checkpoint)) == found.lines, "the auditor makes the same lines from the log"


def test_a_new_list_follows_a_recall_and_none_follows_anything_else(ledger: Ledger, shelf: RevocationLists) -> None:
    sealing = publisher(ledger, shelf)
    assert not sealing.run_once(), "nothing is sealed yet"
    ledger.fill(3)
    assert sealing.run_once()
    ledger.fill(3)
    assert not sealing.run_once()
    ledger.append(recalled("a"))
    assert not sealing.run_once(), "not sealed yet"
    ledger.seal()
    assert sealing.run_once()
    assert not sealing.run_once()
    assert (newest(ledger, shelf).sequence, len(newest(ledger, shelf).lines)) == (2, 1)


def test_a_list_is_issued_again_after_a_while_so_that_a_held_back_one_shows(
    ledger: Ledger, shelf: RevocationLists
) -> None:
    ledger.fill(1)
    eager = publisher(ledger, shelf, again_seconds=0.0)
    assert eager.run_once()
    assert eager.run_once()
    assert newest(ledger, shelf).sequence == 2


def test_two_sealers_and_a_restarted_one_go_on_from_what_lies_in_the_store(
    ledger: Ledger, shelf: RevocationLists
) -> None:
    one, other = publisher(ledger, shelf), publisher(ledger, shelf)
    for n, sealing in enumerate([one, other, one, publisher(ledger, shelf), other], start=1):
        ledger.append(recalled(str(n)))
        ledger.seal()
        assert sealing.run_once()
        assert newest(ledger, shelf).sequence == n
    assert len(newest(ledger, shelf).lines) == 5


def test_another_list_of_that_number_is_never_overwritten(ledger: Ledger, shelf: RevocationLists) -> None:
    ledger.fill(1)
    slow = publisher(ledger, shelf)
    slow._look()  # before the other one issued
    quick = publisher(ledger, shelf)
    assert quick.run_once()
    kept = shelf.newest()
    slow._look = lambda: None  # type: ignore[method-assign]  # it looked a moment too early
    with capture_logs() as lines:
        assert not slow.run_once()
    assert [line["error"] for line in lines] == ["DigestMismatch"]
    assert shelf.newest() == kept


def test_a_database_restored_from_an_older_copy_issues_nothing(ledger: Ledger, shelf: RevocationLists) -> None:
    ledger.fill(2, 2)
    assert publisher(ledger, shelf).run_once()
    ledger.tamper(
        "delete from audit.checkpoints where size = 4",
        "delete from audit.sequence where index >= 2",
        "delete from audit.entries where id > 2",
    )
    with capture_logs() as lines:
        assert not publisher(ledger, shelf, again_seconds=0.0).run_once()
    assert [(line["event"], line["error"]) for line in lines] == [("revocations_not_issued", "LedgerBehind")]


def test_the_sealer_sees_ids_and_digests_and_no_body(ledger: Ledger) -> None:
    ledger.append(recalled("a"))
    ledger.seal()
    with ledger.sealer.connect() as conn:
        row = conn.exec_driver_sql("select * from audit.revoked").one()
        assert set(row._mapping) == {"index", "asset_id", "sha256"}
    for query in ("select body from audit.entries", "select * from audit.private", "select * from recalls"):
        with ledger.sealer.connect() as conn, pytest.raises(Exception, match="permission denied"):
            conn.exec_driver_sql(query)


def test_the_api_reads_lists_and_no_other_part_of_the_ledgers_place(
    ledger: Ledger, shelf: RevocationLists, s3: Any
) -> None:
    ledger.fill(1)
    publisher(ledger, shelf).run_once()
    api = s3.client("api")
    (key,) = s3.keys(f"{PREFIX}/")
    assert api.get_object(Bucket=s3.bucket, Key=key)["Body"].read().startswith(ORIGIN.encode())
    s3.client().put_object(Bucket=s3.bucket, Key="ledger/checkpoints/x", Body=b"x")
    for act in (
        lambda: api.get_object(Bucket=s3.bucket, Key="ledger/checkpoints/x"),
        lambda: api.put_object(Bucket=s3.bucket, Key=f"{key}-more", Body=b"x"),
        lambda: api.delete_object(Bucket=s3.bucket, Key=key),
    ):
        with pytest.raises(Exception, match=r"AccessDenied|403"):
            act()


def test_a_sound_list_opens_with_its_key_alone() -> None:
    found = open_list(GOOD, [SIGNER.vkey])
    assert (found.sequence, found.issued_at, found.checkpoint, list(found.lines)) == (7, AT, 40, LINES)
    assert open_list(GOOD, [new_signer().vkey, SIGNER.vkey], at_least=7) == found
    empty = issue(SIGNER, sequence=1, issued_at=AT, checkpoint=1, lines=[])
    assert open_list(empty, [SIGNER.vkey]).lines == ()


@pytest.mark.parametrize("name", TAMPERED)
def test_an_edited_or_cut_list_is_told(name: str) -> None:
    assert TAMPERED[name] != GOOD
    with pytest.raises(BrokenLedger):
        open_list(TAMPERED[name], [SIGNER.vkey])


@pytest.mark.parametrize("content", [OTHERS, OF_ANOTHER_LOG], ids=["same name", "another log"])
def test_a_list_of_an_unknown_key_is_told(content: str) -> None:
    with pytest.raises(UnknownKey):
        open_list(content, [SIGNER.vkey])


def test_a_list_of_another_log_does_not_pass_with_that_logs_key() -> None:
    signer = new_signer("another.example/log")
    forged = issue(signer, sequence=7, issued_at=AT, checkpoint=40, lines=LINES).replace(
        "another.example/log/revocations", f"{ORIGIN}/revocations", 1
    )
    with pytest.raises(BrokenLedger):
        open_list(forged, [signer.vkey])


def test_an_older_list_than_one_that_is_known_is_told() -> None:
    with pytest.raises(ListTooOld, match="list 8 is known"):
        open_list(GOOD, [SIGNER.vkey], at_least=8)


def test_a_retired_key_signs_no_list_of_a_later_checkpoint() -> None:
    assert open_list(GOOD, [replace(SIGNER.vkey, until=40)]).sequence == 7
    with pytest.raises(UnknownKey):
        open_list(GOOD, [replace(SIGNER.vkey, until=39)])


def test_a_list_is_no_checkpoint_and_a_checkpoint_no_list() -> None:
    note = GOOD[: -sum(len(line) + 1 for line in LINES) - 1]
    with pytest.raises(BrokenLedger):
        open_checkpoint(note, [SIGNER.vkey])


def test_the_key_may_be_rotated(ledger: Ledger, shelf: RevocationLists) -> None:
    ledger.append(recalled("a"))
    ledger.seal()
    old, new = ledger.signer, new_signer()
    assert publisher(ledger, shelf).run_once()
    vkeys = (replace(old.vkey, until=1), replace(new.vkey, since=2))
    rotated = Publisher(ledger.sealer, lambda: SealingKeys(new, vkeys), shelf, again_seconds=0.0)
    assert rotated.run_once()
    content = shelf.newest()
    assert content is not None
    assert open_list(content, vkeys).sequence == 2
