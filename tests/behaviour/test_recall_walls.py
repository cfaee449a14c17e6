"""Database roles and recalls and webhooks: what each may and may not do, tried as each of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.support.line import Line
from tests.support.recalls import Recalling
from workers.jobs.recall.criteria import Criteria
from workers.jobs.recall.tables import recall_assets, recalls
from workers.jobs.webhooks import endpoints
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_secrets
from workers.jobs.webhooks.tables import webhooks as addresses

WALLED = (recalls, recall_assets, addresses, webhook_secrets, webhook_deliveries, webhook_attempts)
DENIED = "permission denied"
WALL = "row-level security"
FORBIDDEN = {
    "api": [
        ("update recalls set finished_at = now()", DENIED),
        ("update recall_assets set state = 'moved'", DENIED),
        ("delete from recall_assets", DENIED),
        ("delete from webhooks", DENIED),
        ("update webhooks set tenant = 'bolt'", DENIED),
        ("insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state)"
         " select id, tenant, 'msg_x', 'asset.recalled', '{}', 'pending' from webhooks", WALL),
        ("update webhook_deliveries set body = '{}'", DENIED),
        ("insert into recalls (id, tenant, criteria, reason_code, reason, ordered_by, assets, finished_at)"
         " values (uuidv7(), 'acme', '{\"a\": 1}', 'other', '', 'x', 1, now())", WALL),
        ("insert into recalls (id, tenant, criteria, reason_code, reason, ordered_by, assets)"
         " values (uuidv7(), 'bolt', '{\"a\": 1}', 'other', '', 'x', 1)", WALL),
        ("insert into recall_assets (asset_id, recall_id, tenant, state, recalled_at, moved_at)"
         " select id, uuidv7(), tenant, 'moved', now(), now() from assets", WALL),
    ],
    "worker": [
        ("select * from recalls", DENIED),
        ("insert into recall_assets select * from recall_assets", DENIED),
        ("update assets set state = 'recalled'", DENIED),
        ("select * from webhook_deliveries", DENIED),
        ("insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state, settled_at)"
         " select id, tenant, 'msg_x', 'asset.recalled', '{}', 'delivered', now() from webhooks", DENIED),
    ],
    "clerk": [
        ("update assets set policy_version = 'x'", DENIED),
        ("update recalls set assets = 1", DENIED),
        ("delete from recalls", DENIED),
        ("delete from recall_assets", DENIED),
        ("update renditions set key = 'released/x'", DENIED),
        ("insert into webhooks (id, tenant, url, events) values (uuidv7(), 'acme', 'x', '{asset.recalled}')", DENIED),
        ("update webhook_secrets set secret = 'x'", DENIED),
    ],
    "auditor": [
        ("update recalls set reason = ''", DENIED),
        ("select secret from webhook_secrets", DENIED),
    ],
    "sealer": [("select * from recall_assets", DENIED), ("select * from webhooks", DENIED)],
}  # fmt: skip


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    """Each tenant has a webhook and a recall, in every walled table a row of its own."""
    made = Recalling(line, settings_for, s3)
    for tenant in ("acme", "bolt"):
        line.add_tenant(tenant)
        with line.as_tenant(tenant) as conn:
            endpoints.create_webhook(conn, tenant, "https://example.com/", endpoints.EVENTS, actor="test")
        made.release(1, tenant=tenant, stored=False)
        made.order(Criteria(model="studio"), tenant=tenant)
    with line.owner.begin() as conn:
        conn.execute(
            text(
                "insert into webhook_attempts (delivery_id, number, tenant, milliseconds)"
                " select id, 1, tenant, 5 from webhook_deliveries"
            )
        )
    return made


def test_a_tenant_sees_its_own_rows_and_none_where_it_named_none(recalling: Recalling) -> None:
    for table in WALLED:
        for tenant in ("acme", "bolt"):
            with recalling.line.as_tenant(tenant) as conn:
                assert set(conn.scalars(select(table.c.tenant))) == {tenant}, table.name
        with recalling.line.as_tenant("") as conn:
            assert conn.execute(select(func.count(table.c.tenant))).scalar_one() == 0, table.name


@pytest.mark.parametrize(("role", "statement", "words"), [(r, *f) for r, each in FORBIDDEN.items() for f in each])
def test_a_role_can_do_no_more_than_its_work(recalling: Recalling, role: str, statement: str, words: str) -> None:
    with recalling.line.database.engine(role).connect() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        with pytest.raises(Exception, match=words):
            conn.execute(text(statement))


def test_the_clerk_can_make_of_an_asset_a_recalled_one_and_nothing_else(recalling: Recalling) -> None:
    clerk = recalling.line.database.engine("clerk")
    with clerk.begin() as conn:
        assert conn.execute(text("update assets set state = 'recalled' where tenant = 'acme'")).rowcount == 1
    with clerk.begin() as conn:
        assert conn.execute(text("update assets set state = 'released' where tenant = 'acme'")).rowcount == 0
    with clerk.connect() as conn, pytest.raises(Exception, match=WALL):
        conn.execute(text("update assets set state = 'released' where tenant = 'bolt'"))
