"""Migrated database against the tables that the code believes in, and the rights that the docs promise."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, UniqueConstraint, inspect, text
from sqlalchemy.exc import ProgrammingError

from migrations.upgrade import upgrade
from policy.ledger.tables import metadata as ledger_metadata
from tests.support.databases import Database
from workers.jobs.tables import metadata as job_metadata

REPOSITORY = Path(__file__).parents[2]
for declaring in (REPOSITORY / "workers" / "jobs").glob("*/tables.py"):  # each adds its tables to the metadata
    import_module(f"workers.jobs.{declaring.parent.name}.tables")


@pytest.mark.parametrize(("schema", "metadata"), [(None, job_metadata), ("audit", ledger_metadata)])
def test_the_migrated_tables_are_those_the_code_declares(
    database: Database, schema: str | None, metadata: MetaData
) -> None:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "schema" or name == schema

    with database.engine("owner").connect() as conn:
        options = {"compare_type": True, "include_schemas": True, "include_name": ours}
        differences = compare_metadata(MigrationContext.configure(conn, opts=options), metadata)
    # Indexes and the alembic_version table are the migrations' own: the code never names them.
    named = [d for d in differences if not isinstance(d, tuple) or d[0] not in ("remove_index", "remove_table")]
    assert named == []


@pytest.mark.parametrize(("schema", "metadata"), [(None, job_metadata), ("audit", ledger_metadata)])
def test_columns_keys_and_uniques_are_equal_one_by_one(
    database: Database, schema: str | None, metadata: MetaData
) -> None:
    with database.engine("owner").connect() as conn:
        seen = inspect(conn)
        for table in metadata.sorted_tables:
            columns = {c["name"]: bool(c["nullable"]) for c in seen.get_columns(table.name, schema)}
            assert columns == {c.name: bool(c.nullable) for c in table.columns}, table.name
            assert seen.get_pk_constraint(table.name, schema)["constrained_columns"] == list(
                table.primary_key.columns.keys()
            )
            unique = {tuple(u["column_names"]) for u in seen.get_unique_constraints(table.name, schema)}
            declared = {tuple(u.columns.keys()) for u in table.constraints if isinstance(u, UniqueConstraint)}
            assert unique == declared, table.name
            foreign = {tuple(k["constrained_columns"]) for k in seen.get_foreign_keys(table.name, schema)}
            assert foreign == {tuple(k.column_keys) for k in table.foreign_key_constraints}, table.name


def test_no_table_is_there_that_the_code_does_not_declare(database: Database) -> None:
    with database.engine("owner").connect() as conn:
        seen = inspect(conn)
        assert set(seen.get_table_names()) == {t.name for t in job_metadata.sorted_tables} | {"alembic_version"}
        assert set(seen.get_table_names("audit")) == {t.name for t in ledger_metadata.sorted_tables}


def test_migrating_a_migrated_database_changes_nothing(database: Database) -> None:
    upgrade(database.url("owner"))
    with database.engine("owner").connect() as conn:
        newest = max(path.name[:4] for path in (REPOSITORY / "migrations" / "versions").glob("[0-9]*.py"))
        assert conn.scalar(text("select version_num from alembic_version")) == newest


def test_every_role_may_do_what_the_security_page_says_and_nothing_else(database: Database) -> None:
    with database.engine("superuser").connect() as conn:
        assert _granted(conn) == _documented()


def _granted(conn: Connection) -> set[tuple[str, str, str]]:
    """(role, table, right), a right on some columns as "UPDATE (a, b)"."""
    rights = conn.execute(
        text(
            """
            SELECT grantee, table_schema, table_name, privilege_type, NULL AS columns
            FROM information_schema.role_table_grants
            WHERE grantee IN ('presswork_api', 'presswork_worker', 'presswork_sealer',
                                'presswork_clerk', 'presswork_identify', 'presswork_auditor')
            UNION ALL
            SELECT c.grantee, c.table_schema, c.table_name, c.privilege_type,
                   string_agg(c.column_name, ', ' ORDER BY c.column_name)
            FROM information_schema.column_privileges c
            WHERE c.grantee IN ('presswork_api', 'presswork_worker', 'presswork_sealer',
                                'presswork_clerk', 'presswork_identify', 'presswork_auditor')
              AND NOT EXISTS (
                SELECT FROM information_schema.role_table_grants t
                WHERE (t.grantee, t.table_schema, t.table_name, t.privilege_type)
                    = (c.grantee, c.table_schema, c.table_name, c.privilege_type))
            GROUP BY 1, 2, 3, 4
            """
        )
    )
    return {
        (
            row.grantee.removeprefix("presswork_"),
            row.table_name if row.table_schema == "public" else f"{row.table_schema}.{row.table_name}",
            row.privilege_type + (f" ({row.columns})" if row.columns else ""),
        )
        for row in rights
    }


def _documented() -> set[tuple[str, str, str]]:
    """The tables under "Rights in Postgres" of docs/security.md: one of five roles, one of identify."""
    page = (REPOSITORY / "docs" / "security.md").read_text("utf-8")
    section = page.partition("\n## Rights in Postgres\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `([\w.]+)` \|(.*)\|$", section, re.MULTILINE)
    roles = ("api", "worker", "sealer", "clerk", "auditor")
    return {
        (role, table, right)
        for table, cells in lines
        for role, cell in zip(roles if "|" in cells else ("identify",), cells.split("|"), strict=True)
        for right in re.findall(r"[A-Z]+(?: \([^)]*\))?", cell)
    }


@pytest.mark.parametrize("role", ["api", "worker", "sealer", "clerk", "identify", "auditor"])
def test_no_working_role_can_change_the_schema(database: Database, role: str) -> None:
    with (
        database.engine(role).connect() as conn,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
    ):
        conn.execute(text("create table public.mine (id int)"))
