"""Registers: what decides is kept under its digest before it decides, once, whoever comes first."""

from __future__ import annotations

import hashlib
import threading

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from api.edge.startup import Registers
from policy.errors import LedgerError, RulesInvalid
from policy.ledger.documents import MAX_BYTES, model, register, rule_set, texts
from policy.ledger.flaws import Flaw
from policy.rules import Rules
from tests.support.ledger import Ledger
from workers.__main__ import register_all
from workers.documents import documents_of
from workers.jobs.rulesets.approvals import RulesApproval, approve
from workers.sampling.cards.registry import Registry

RULES = b"name: the rules"
LISTING = b"ab" * 32 + b"  unet.safetensors\n"
REVISION = f"sha256:{hashlib.sha256(LISTING).hexdigest()}"


@pytest.fixture
def ledger(database):
    return Ledger(database)


def keep(ledger, *documents):
    with ledger.worker.begin() as conn:
        return register(conn, documents, actor="worker:test")


def kinds(ledger):
    return [row.kind for row in ledger.rows("select kind from audit.entries order by id")]


def test_a_text_is_kept_once_with_one_event(ledger):
    found = (rule_set("house", RULES), *model("m", revision=REVISION, licence="MIT", listing=LISTING, card=b"a card"))
    assert [keep(ledger, *found), keep(ledger, *found)] == [3, 0]
    assert kinds(ledger) == ["policy.registered", "model.registered"]
    with ledger.auditor.connect() as conn:
        kept = texts(conn, [document.sha256 for document in found])
    assert kept == {document.sha256: (document.kind, document.body) for document in found}


def test_another_card_of_the_same_files_is_registered_beside_the_first(ledger):
    for card in (b"a card", b"a better card", b"a card"):
        keep(ledger, *model("m", revision=REVISION, licence="MIT", listing=LISTING, card=card))
    assert kinds(ledger) == ["model.registered"] * 2


def test_files_that_do_not_make_the_revision_are_refused():
    with pytest.raises(LedgerError, match="the files listed for m make sha256:"):
        model("m", revision="sha256:" + "0" * 64, licence="MIT", listing=LISTING, card=b"")


def test_what_cannot_be_kept_is_refused_before_anything_is_written(ledger):
    for body in (b"", b"x" * (MAX_BYTES + 1)):
        with pytest.raises(LedgerError, match="Remedy: split it"):
            keep(ledger, rule_set("house", body))
    assert kinds(ledger) == []


def test_text_and_event_come_together_or_not_at_all(ledger):
    with ledger.worker.connect() as conn:
        assert register(conn, [rule_set("house", RULES)], actor="worker:test") == 1
        conn.rollback()  # what a death before the commit leaves
    assert (kinds(ledger), ledger.value("select count(*) from audit.documents")) == ([], 0)


def test_many_that_start_at_once_register_once(ledger):
    barrier, new = threading.Barrier(6), []

    def start():
        barrier.wait()
        new.append(keep(ledger, rule_set("house", RULES)))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [0] * 5 + [1]
    assert kinds(ledger) == ["policy.registered"]


def test_a_text_that_was_reworded_or_taken_away_is_named(ledger):
    keep(ledger, rule_set("house", RULES), *model("m", revision=REVISION, licence="MIT", listing=LISTING, card=b"card"))
    ledger.seal()
    assert ledger.verify().intact
    with ledger.superuser.begin() as conn:
        conn.exec_driver_sql("alter table audit.documents disable trigger all")
        conn.exec_driver_sql("update audit.documents set body = 'milder rules' where kind = 'policy'")
        conn.exec_driver_sql("delete from audit.documents where kind = 'files'")
    lost = [problem for problem in ledger.verify().problems if problem.flaw is Flaw.DOCUMENT_LOST]
    assert [(problem.kind, problem.index) for problem in lost] == [("policy.registered", 0), ("model.registered", 1)]


def test_the_api_and_a_worker_register_what_they_load(own_api, settings_for):
    own_api.app()
    settings = settings_for("worker")
    rules, registry = Rules.load(settings.policy_rules), Registry.load(settings.models_dir)
    documents = documents_of(rules, settings.policy_rules, registry)
    with own_api.line.auditor.connect() as conn:
        kept = texts(conn, [document.sha256 for document in documents])
    assert len(kept) == len({document.sha256 for document in documents}) >= 3
    cards = len(registry.cards) + len(registry.upscalers) + len(registry.adapters) + bool(registry.mask_network)
    assert own_api.line.kinds() == ["policy.registered", *["model.registered"] * cards, "verifier.registered"]
    own_api.app(log_level="DEBUG")  # another process
    assert len(own_api.line.kinds()) == 2 + cards
    assert f"sha256:{documents[0].sha256}" == rules.version


def test_a_worker_registers_before_it_takes_a_batch(line, settings_for, s3):
    from tests.support.worker import Works  # noqa: PLC0415 - loads the model libraries

    executor = Works(line, settings_for, s3).executor()
    register_all(executor.settings, executor, Registry.load(executor.settings.models_dir))
    assert line.kinds()[0] == "policy.registered"
    assert line.events("policy.registered")[0].actor == "worker:worker-1"


def test_a_worker_ends_before_its_first_batch_under_rules_that_too_few_approved(line, settings_for, s3):
    from tests.support.worker import Works  # noqa: PLC0415

    executor = Works(line, settings_for, s3).executor(rules_approvals=1)
    registry = Registry.load(executor.settings.models_dir)
    with pytest.raises(SystemExit, match=r"0 of the 1 approvals.*Remedy: another person"):
        register_all(executor.settings, executor, registry)
    approval = RulesApproval(executor.finisher.rules.version, "house", "Ada", "")
    with line.database.engine("clerk").begin() as conn:
        approve(conn, approval, actor="test")
    register_all(executor.settings, executor, registry)


def test_rules_that_change_while_a_process_starts_are_refused(settings_for, tmp_path):
    settings = settings_for("worker")
    changed = tmp_path / "rules.yaml"
    changed.write_bytes(settings.policy_rules.read_bytes())
    rules = Rules.load(changed)
    changed.write_bytes(changed.read_bytes() + b"# another\n")
    with pytest.raises(RulesInvalid, match="was changed while this process started"):
        documents_of(rules, changed, Registry.load(settings.models_dir))


def test_a_database_that_is_away_postpones_and_is_met_again(ledger):
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none", connect_args={"connect_timeout": 1})
    waiting = Registers(away, [rule_set("house", RULES)], policy_version="", approvals=0)
    waiting.begin()
    with pytest.raises(SQLAlchemyError):
        waiting.ensure()
    later = Registers(ledger.database.engine("api"), [rule_set("house", RULES)], policy_version="", approvals=0)
    later.begin()
    later.ensure()
    assert kinds(ledger) == ["policy.registered"]
