"""Row-level security, the second wall between tenants, and what each database role may not do."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from tests.support.line import HOLD, Line, new_request, released, rows
from workers.jobs.settle import settle
from workers.jobs.submit import submit
from workers.jobs.tables import assets, holds, idempotency_keys, items, metadata, renditions, requests
from workers.jobs.types import Held
from workers.states import ItemState

WALLED = (requests, items, assets, renditions, holds, idempotency_keys)

FORGERIES = (
    "update items set state = 'released', settled_at = now() where state = 'held'",
    "update items set state = 'planned', settled_at = null",
    "insert into items (id, request_id, tenant, row, custom_id, variant, prompt, negative_prompt, seed, recipe_id,"
    " queue, priority, state, verdict, settled_at, batch_id, batch_position) select uuidv7(), request_id, tenant,"
    " 9, 'sneaked', 0, '', '', 1, recipe_id, queue, priority, 'released', '{}', now(), batch_id, 9"
    " from items limit 1",
    "update items set state = 'refused', settled_at = now() where state = 'held'",
    "update items set state = 'refused', settled_at = now() where state = 'released'",
    "update holds set decided_at = now(), release = true",
    "update holds set decided_at = now(), release = false",
)
FORBIDDEN = {
    "api": [
        "insert into assets select * from assets",
        "update assets set state = 'recalled'",
        "update items set prompt = 'other'",
        "update items set verdict = null",
        "update requests set tenant = 'bolt'",
        "update api_keys set scopes = '{admin}'",
        "update holds set sha256 = ''",
        "update holds set asset_id = null",
        "update reviews set final = true",
        "delete from reviews",
        "select * from batches",
        "select * from audit.entries",
        "delete from items",
        "create table mine (id int)",
    ],
    "clerk": [
        "update items set seed = 1",
        "update holds set release = true",
        "update holds set sha256 = ''",
        "insert into reviews select * from reviews",
        "select * from api_keys",
        "delete from holds",
    ],
    "worker": [
        "select * from api_keys",
        "select * from idempotency_keys",
        "select * from reviews",
        "update holds set release = true",
        "update requests set priority = 'interactive'",
        "update items set prompt = 'other'",
        "update assets set provenance = '{}'",
        "update renditions set sha256 = ''",
        "delete from items",
        "delete from batches",
        "update audit.entries set tenant = 'x'",
        "delete from audit.entries",
        "create table mine (id int)",
    ],
    "sealer": [
        "select * from items",
        "select body from audit.entries",
    ],
    "auditor": [
        "update items set state = 'cancelled'",
        "select * from api_keys",
        "insert into audit.entries (tenant) values ('x')",
    ],
}


@pytest.fixture
def two_tenants(line: Line) -> Line:
    """acme and bolt each have a row in every walled table."""
    for tenant in ("acme", "bolt"):
        held = line.claim(line.dispatch(line.submit(tenant, 2)))
        one, two = held.items
        with line.worker.begin() as conn:
            quarantined = Held(two, HOLD, f"quarantine/{tenant}/{two.id}/1/original.png", "b" * 64)
            settle(conn, held, [released(held, one), quarantined])
        with line.as_tenant(tenant) as conn:
            conn.execute(
                idempotency_keys.insert().values(
                    tenant=tenant, key="k", fingerprint=b"f" * 32, status=201, body={"ok": True}
                )
            )
    return line


def refused(line: Line, role: str, statement: str, tenant: str = "acme") -> str:
    """The message with which Postgres refuses the role this statement."""
    engine = {"api": line.api, "worker": line.worker, "auditor": line.auditor}.get(role) or line.database.engine(role)
    with engine.connect() as conn:
        conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": tenant})
        try:
            conn.execute(text(statement))
        except ProgrammingError as error:
            return str(error.orig)
    return "not at all"


def test_every_table_with_a_tenant_is_walled_also_for_its_owner(line: Line):
    with line.owner.connect() as conn:
        forced = set(conn.scalars(text("select relname from pg_class where relrowsecurity and relforcerowsecurity")))
    with_tenant = {table.name for table in metadata.tables.values() if "tenant" in table.c}
    assert with_tenant - forced == {"api_keys"}, "a key is looked up before its tenant is known"


def test_a_transaction_sees_its_tenant_and_none_where_it_named_none(two_tenants: Line):
    line = two_tenants
    for table in WALLED:
        for tenant in ("acme", "bolt"):
            with line.as_tenant(tenant) as conn:
                assert set(conn.scalars(select(table.c.tenant))) == {tenant}, table.name
        with line.as_tenant("") as conn:
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0, table.name
    with line.api.begin() as conn:
        assert [conn.execute(select(func.count()).select_from(table)).scalar_one() for table in WALLED] == [0] * 6


def test_the_tenant_of_one_transaction_does_not_leak_into_the_next(two_tenants: Line):
    """One pooled connection, as the API borrows it again and again."""
    engine = two_tenants.database.engine("api", pool_size=1, max_overflow=0)
    with engine.begin() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        assert conn.execute(select(func.count()).select_from(items)).scalar_one() == 2
    with engine.begin() as conn:
        assert conn.execute(select(func.count()).select_from(items)).scalar_one() == 0


def test_nobody_inserts_for_another_tenant(two_tenants: Line):
    with pytest.raises(ProgrammingError, match="row-level security"), two_tenants.as_tenant("bolt") as conn:
        submit(conn, new_request("acme"), rows(1))


def test_another_tenants_rows_cannot_be_changed(two_tenants: Line):
    line = two_tenants
    with line.as_tenant("bolt") as conn:
        conn.execute(text("update items set state = 'cancelled', settled_at = now() where tenant = 'acme'"))
        conn.execute(text("update requests set cancelled_at = now() where tenant = 'acme'"))
    with line.auditor.connect() as conn:
        assert conn.scalars(select(requests.c.cancelled_at)).all() == [None, None]
    assert line.states() == {ItemState.RELEASED: 2, ItemState.HELD: 2}


def test_the_api_cannot_release_or_reopen_an_item(two_tenants: Line):
    for statement in FORGERIES:
        assert "row-level security" in refused(two_tenants, "api", statement), statement


def test_a_role_can_do_no_more_than_its_work(line: Line):
    allowed = [
        (role, statement)
        for role, statements in FORBIDDEN.items()
        for statement in statements
        if "permission denied" not in refused(line, role, statement)
    ]
    assert allowed == []


def test_no_working_role_bypasses_the_walls(line: Line):
    with line.owner.connect() as conn:
        strong = conn.scalars(
            text(
                "select rolname from pg_roles where rolname like 'presswork_%'"
                " and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)"
            )
        ).all()
        inherited = conn.execute(
            text("select count(*) from pg_auth_members where member::regrole::text like 'presswork_%'")
        )
        assert (strong, inherited.scalar_one()) == ([], 0)


def test_no_tenant_takes_the_name_under_which_the_ledger_keeps_batches(line: Line):
    with pytest.raises(IntegrityError):
        line.add_tenant("presswork")


def test_a_verdict_cannot_be_missing_where_something_was_decided(line: Line):
    """The CHECK bites also for the role that may write items: a JSON null would have slipped through."""
    held = line.claimed(1)
    with pytest.raises(IntegrityError, match="check"), line.worker.begin() as conn:
        conn.execute(items.update().values(state=ItemState.RELEASED, verdict=None, settled_at=func.now()))
    assert line.item(held.items[0].id).state == ItemState.PLANNED
