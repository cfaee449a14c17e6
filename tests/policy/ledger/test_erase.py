"""Erased text in the ledger: only the clerk erases, an event explains it, proofs hold, and nobody can pretend."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from policy.errors import LedgerError
from policy.ledger.erase import EVENTS_NAMED, Why, erase
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import Selection, write_pack
from policy.ledger.flaws import Flaw
from policy.ledger.reading.erasures import erased_texts
from policy.ledger.reading.events import events_about
from policy.ledger.tree import proofs
from tests.support.ledger import Ledger, failed, refused

WHY = Why("order-1", "request", "request")
OTHERS = ("api", "worker", "sealer", "auditor", "owner", "superuser")


@pytest.fixture
def ledger(database) -> Ledger:
    """Eight events, four with private text, sealed."""
    ledger = Ledger(database)
    ledger.fill(4, 4)
    return ledger


def event_id(ledger: Ledger, number: int) -> str:
    """Of entry `number`; the even ones have private text."""
    return str(ledger.value("select event_id from audit.entries where id = :n", n=number))


def erase_as_clerk(ledger: Ledger, *ids: str, tenant: str = "acme", **more) -> int:
    with ledger.database.engine("clerk").begin() as conn:
        return erase(conn, ids, tenant=tenant, actor="clerk", why=WHY, **more)


def packed(ledger: Ledger, path, **chosen):
    with ledger.auditor.connect() as conn:
        write_pack(conn, path, Selection(**chosen), vkeys=ledger.vkeys)
    return offline_verifier.verify(path, [str(vkey) for vkey in ledger.vkeys])


def test_after_an_erasure_everything_is_as_it_was_signed(ledger: Ledger):
    erased = event_id(ledger, 2)
    assert erase_as_clerk(ledger, erased) == 2
    assert ledger.verify().intact, "while the erasure waits for the sealer"
    ledger.seal()
    report = ledger.verify()
    assert (report.intact, report.entries) == (True, 9)
    assert ledger.rows("select * from audit.private where event_id = :e", e=erased) == []
    assert ledger.value("select count(*) from audit.private") == 6


def test_an_erased_event_is_still_proven_by_its_bytes(ledger: Ledger):
    erased = event_id(ledger, 2)
    with ledger.auditor.connect() as conn:
        before = proofs.prove(conn, erased)
    erase_as_clerk(ledger, erased)
    ledger.seal()
    with ledger.auditor.connect() as conn:
        body, after = proofs.proven_event(conn, erased).body, proofs.prove(conn, erased)
    assert proofs.check(before, body, ledger.vkeys).size == 8
    assert proofs.check(after, body, ledger.vkeys).size == 9


def test_without_its_salt_a_digest_fits_no_guess(ledger: Ledger):
    erased = event_id(ledger, 2)
    body = json.loads(ledger.value("select convert_from(body, 'UTF8') from audit.entries where id = 2"))
    salt, said = ledger.rows(
        "select salt, value from audit.private where event_id = :e and field = 'prompt'", e=erased
    )[0]
    digest = body["event"]["prompt"]["commitment"]
    assert digest == f"sha256:{hashlib.sha256(bytes(salt) + said.encode()).hexdigest()}"
    erase_as_clerk(ledger, erased)
    everything = str(ledger.rows("select to_jsonb(e), to_jsonb(p) from audit.entries e, audit.private p"))
    assert bytes(salt).hex() not in everything
    assert digest != f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def test_a_repeat_erases_nothing_and_says_nothing(ledger: Ledger):
    erased = event_id(ledger, 2)
    assert [erase_as_clerk(ledger, erased) for _ in range(2)] == [2, 0]
    assert ledger.value("select count(*) from audit.entries where kind = 'text.erased'") == 1


def test_only_fields_that_are_not_kept_go_and_only_of_the_tenant(ledger: Ledger):
    erased = event_id(ledger, 2)
    assert erase_as_clerk(ledger, erased, tenant="bolt") == 0
    assert erase_as_clerk(ledger, erased, kept=("negative_prompt",)) == 1
    assert ledger.value("select field from audit.private where event_id = :e", e=erased) == "negative_prompt"
    assert ledger.verify().intact


def test_many_events_go_in_bounded_words(ledger: Ledger):
    ledger.append(*(refused(number) for number in range(EVENTS_NAMED + 5)))
    ids = [str(row.event_id) for row in ledger.rows("select event_id from audit.entries where kind = 'item.refused'")]
    assert erase_as_clerk(ledger, *ids) == 2 * len(ids)
    named = ledger.rows(
        "select jsonb_array_length(audit.said(body) #> '{event,event_ids}') as n, length(body) as size"
        " from audit.entries where kind = 'text.erased' order by id"
    )
    assert [row.n for row in named] == [EVENTS_NAMED, len(ids) - EVENTS_NAMED]
    assert max(row.size for row in named) < 20_000
    ledger.seal()
    assert ledger.verify().intact


@pytest.mark.parametrize("role", OTHERS)
def test_nobody_but_the_clerk_deletes_private_text(ledger: Ledger, role: str):
    with (
        ledger.database.engine(role).connect() as conn,
        pytest.raises(DBAPIError, match=r"permission denied|only the clerk erases"),
    ):
        conn.execute(text("delete from audit.private"))
    assert ledger.value("select count(*) from audit.private") == 8


def test_a_replica_session_meets_the_trigger_too(ledger: Ledger):
    with ledger.superuser.connect() as conn:
        conn.execute(text("set session_replication_role = replica"))
        with pytest.raises(DBAPIError, match="only the clerk erases"):
            conn.execute(text("delete from audit.private"))


@pytest.mark.parametrize(
    "statement",
    [
        "update audit.private set value = 'x'",
        "truncate audit.private",
        "select salt from audit.private",
        "select body from audit.entries",
        "delete from audit.entries",
        "update audit.entries set tenant = 'x'",
        "update items set verdict = null",
        "select fingerprint from idempotency_keys",
    ],
)
def test_the_clerk_deletes_private_text_and_does_nothing_else_to_it(ledger: Ledger, statement: str):
    with ledger.database.engine("clerk").connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
        conn.execute(text(statement))


TAMPERED = {
    "text deleted without a word": (
        ["delete from audit.private where event_id = '{other}'"], Flaw.PRIVATE_MISSING, "{other}"),
    "one more text deleted than was said": (
        ["delete from audit.private where event_id = '{other}' and field = 'prompt'"], Flaw.PRIVATE_MISSING, "{other}"),
    "the column of an erasure stretched over another event": (
        ["delete from audit.private where event_id = '{other}'",
         "update audit.entries set subjects = array_append(subjects, 'event:{other}') where kind = 'text.erased'"],
        Flaw.PRIVATE_MISSING, "{other}"),
    "an erasure's bytes stretched over another event": (
        ["delete from audit.private where event_id = '{other}'",
         "update audit.entries set subjects = array_append(subjects, 'event:{other}'), body = convert_to(replace("
         "convert_from(body, 'UTF8'), '{erased}', '{other}'), 'UTF8') where kind = 'text.erased'"],
        Flaw.ENTRY_EDITED, "{eraser}"),
    "erased text put back as it was": (
        ["insert into audit.private select event_id, field, salt, value from kept"], Flaw.PRIVATE_RETURNED, "{erased}"),
    "erased text reworded": (
        ["insert into audit.private values ('{erased}', 'prompt', '0123456789abcdef', 'a harmless plan')"],
        Flaw.PRIVATE_EDITED, "{erased}"),
    "the erasure itself deleted": (
        ["delete from audit.entries where kind = 'text.erased'"], Flaw.ENTRY_DELETED, "{eraser}"),
    "an erasure written past the triggers": (
        ["delete from audit.private where event_id = '{other}'",
         "insert into audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body) select uuidv7(), "
         "tenant, kind, actor, array['event:{other}'], recorded_at, convert_to(replace(convert_from(body, 'UTF8'), "
         "'{erased}', '{other}'), 'UTF8') from audit.entries where kind = 'text.erased'"], Flaw.ENTRY_UNTRACKED, None),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_nobody_can_pretend_that_text_was_erased_or_bring_it_back(ledger: Ledger, what: str):
    statements, flaw, guilty = TAMPERED[what]
    erased, other = event_id(ledger, 2), event_id(ledger, 4)
    ledger.tamper("create table kept as select * from audit.private where event_id = :e", e=erased)
    erase_as_clerk(ledger, erased)
    ledger.seal()
    eraser = str(ledger.value("select event_id from audit.entries where kind = 'text.erased'"))
    names = {"erased": erased, "other": other, "eraser": eraser}
    ledger.tamper(*(statement.format(**names) for statement in statements))
    report = ledger.verify()
    found = [problem for problem in report.problems if problem.flaw == flaw]
    assert found, report.problems
    if guilty:
        assert guilty.format(**names) in {problem.event_id for problem in found}


def test_a_pack_says_which_event_erased_a_text(ledger: Ledger, tmp_path):
    erased = event_id(ledger, 2)
    erase_as_clerk(ledger, erased)
    with pytest.raises(LedgerError, match="not sealed yet"):
        packed(ledger, tmp_path / "early.zip", asset_id="item-1")
    ledger.seal()
    eraser = ledger.value("select event_id from audit.entries where kind = 'text.erased'")
    for chosen in ({"asset_id": "item-1"}, {}):
        found = packed(ledger, tmp_path / "p.zip", **chosen)
        assert found.problems == []
        (said,) = [fact for fact in found.facts if "erased" in fact]
        assert said.startswith(f"2 private texts were erased, by event {eraser} of ")
        assert said.endswith("(request, request)")


def test_a_pack_shows_text_that_somebody_took_away_or_put_back(ledger: Ledger, tmp_path):
    erased, other = event_id(ledger, 2), event_id(ledger, 4)
    ledger.tamper("create table kept as select * from audit.private where event_id = :e", e=erased)
    erase_as_clerk(ledger, erased)
    ledger.seal()
    ledger.tamper("delete from audit.private where event_id = :e and field = 'prompt'", e=other)
    (said,) = packed(ledger, tmp_path / "p.zip").problems
    assert f"event {other}: the private text of prompt is not here, and no event says it was erased: deleted" in said
    ledger.tamper("insert into audit.private select * from kept")
    said = packed(ledger, tmp_path / "p.zip").problems
    assert any(f"prompt of event {erased} is here, although event " in one for one in said)


def test_whoever_reads_an_erased_event_sees_what_erased_it(ledger: Ledger):
    erased = event_id(ledger, 2)
    erase_as_clerk(ledger, erased)
    with ledger.auditor.connect() as conn:
        (recorded,) = events_about(conn, "item-1", tenant="acme")
        by = erased_texts(conn, [erased])[erased]["prompt"]
        shown = recorded.to_json()["event"]["prompt"]
        assert (shown["erased"]["by"], shown["erased"]["basis"]) == (by.event_id, "request")
        assert shown["commitment"].startswith("sha256:")
        view = conn.execute(text("select event from audit.events where event_id = :e"), {"e": erased}).scalar_one()
        assert view["prompt"]["erased"]["by"] == by.event_id
        row = conn.execute(text("select * from audit.refusals where event_id = :e"), {"e": erased}).one()
        assert (row.prompt, row.prompt_erased["by"]) == (None, by.event_id)
        gone = conn.execute(text("select event_id, field, erased_by::text from audit.erased order by field")).all()
        assert gone == [(erased, "negative_prompt", by.event_id), (erased, "prompt", by.event_id)]


def test_a_text_that_was_not_erased_is_shown_as_it_is(ledger: Ledger):
    ledger.append(failed(99))
    erase_as_clerk(ledger, event_id(ledger, 2))
    with ledger.auditor.connect() as conn:
        row = conn.execute(text("select event from audit.events where entry_id = 4")).scalar_one()
    assert row["prompt"] == "a secret plan, number 3"
