"""Migration of held pictures from before reviews: the holds stay, and they can only be refused."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, select, text

import migrations
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from tests.support.reviews import ONE, SHA256, held_for
from workers.errors import NotReleasable
from workers.jobs.review import carry_out
from workers.jobs.review.decide import ReviewDecision, review
from workers.jobs.review.views import get_hold
from workers.jobs.tables import items
from workers.jobs.types import new_id
from workers.states import ItemState

BEFORE = "0004"

# As the tables were then; whoever writes them today writes other columns.
_HELD = """
INSERT INTO tenants (id, name, weight) VALUES ('acme', 'acme', 1);
INSERT INTO recipes (id, recipe) VALUES ('r', '{"model": "studio"}');
INSERT INTO requests (id, tenant, kind, name, template, model, priority, item_count, key_id, metadata)
  VALUES (:request_id, 'acme', 'single', '', 'a mug', 'studio', 'bulk', 1, :key_id, '{}');
INSERT INTO batches (id, queue, recipe_id, state, size, attempt, given_back, claims_allowed, lease_until, finished_at)
  VALUES (:batch_id, 'gpu', 'r', 'finished', 1, 1, 0, 2, now(), now());
INSERT INTO items (id, request_id, tenant, "row", custom_id, variant, prompt, negative_prompt, seed, recipe_id, queue,
                   priority, state, batch_id, batch_position, verdict, settled_at)
  VALUES (:item_id, :request_id, 'acme', 1, 'row-1', 0, 'a mug', '', 1, 'r', 'gpu', 'bulk', 'held', :batch_id, 0,
          CAST(:verdict AS jsonb), now());
INSERT INTO holds (item_id, tenant, key, sha256, verdict)
  VALUES (:item_id, 'acme', 'quarantine/acme/i/1.png', :sha256, CAST(:verdict AS jsonb));
"""


@pytest.fixture
def old(stack: Stack) -> Iterator[str]:
    """The name of a database at revision 0004."""
    superuser = create_engine(
        stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    name = f"old_{secrets.token_hex(6)}"
    with superuser.connect() as conn:
        conn.execute(text(f"create database {name} owner presswork_owner"))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = stack.postgres.url("owner", database=name)
    command.upgrade(config, BEFORE)
    yield name
    with superuser.connect() as conn:
        conn.execute(text(f"drop database {name} with (force)"))


def test_a_hold_from_before_survives_the_migration_and_can_only_be_refused(stack: Stack, old: str) -> None:
    item_id, key_id = new_id(), new_id()
    ids = {"item_id": item_id, "key_id": key_id, "request_id": new_id(), "batch_id": new_id()}
    values = {**ids, "sha256": SHA256, "verdict": json.dumps(held_for("brands").to_json())}
    with create_engine(stack.postgres.url("owner", database=old), poolclass=NullPool).begin() as conn:
        for statement in _HELD.strip().removesuffix(";").split(";\n"):
            conn.execute(text(statement), values)
    upgrade(stack.postgres.url("owner", database=old))

    said = {"key_id": new_id(), "rules": ONE, "policy_version": "sha256:1"}
    with create_engine(stack.postgres.url("api", database=old), poolclass=NullPool).begin() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        assert get_hold(conn, "acme", item_id).renditions == ()
        with pytest.raises(NotReleasable, match="older version"):
            review(conn, "acme", ReviewDecision(item_id, "release", SHA256, "fine"), **said)
        assert review(conn, "acme", ReviewDecision(item_id, "refuse", SHA256, "old"), **said).final
        assert conn.scalar(select(items.c.state)) == ItemState.REFUSED
    with create_engine(stack.postgres.url("clerk", database=old), poolclass=NullPool).begin() as conn:
        order = carry_out.take(conn, item_id)
    assert order is not None
    assert (order.keys, order.releasing) == (("quarantine/acme/i/1.png",), None)
