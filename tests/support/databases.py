"""Databases for tests: migrated once, lent to one test at a time, emptied and lent again.

Making a database from the template copies 10 MB and 400 files; emptying one deletes the few rows that a test wrote.
A database whose shape a test changed (a table, a grant, a trigger, a setting) is dropped instead of lent again. Reading
the shape costs as much as all the rest, so it is read only where a row of the catalogues is another than last time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from deploy.embedded.postgres import SUPERUSER
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade

_TEMPLATE = "migrated"
_COMPILED = 2_000  # statements that an engine keeps
_OURS = "not in ('pg_catalog', 'information_schema', 'pg_toast') and nspname not like 'pg_temp%'"

# What a test may have changed besides rows. Functions of pg_catalog print names, so copies of one template agree.
_SHAPE = f"""
with ours as (select oid, nspname from pg_namespace where nspname {_OURS}),
     tables as (select c.* from pg_class c join ours on ours.oid = relnamespace),
     shape(line) as (
  select concat_ws(' ', 'schema', n.nspname, n.nspowner, n.nspacl) from pg_namespace n join ours using (oid)
  union all select concat_ws(' ', 'relation', oid::regclass, relkind, relowner, relacl, relrowsecurity,
                             relforcerowsecurity, reloptions, case relkind when 'v' then pg_get_viewdef(oid) end)
    from tables where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  union all select concat_ws(' ', 'index', indexrelid::regclass, indisvalid, pg_get_indexdef(indexrelid))
    from pg_index join tables on tables.oid = indrelid
  union all select concat_ws(' ', 'column', attrelid::regclass, attnum, attname, atttypid, attnotnull, attidentity,
                             attgenerated, attisdropped, attacl, pg_get_expr(adbin, adrelid))
    from pg_attribute join tables on tables.oid = attrelid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum where attnum > 0
  union all select concat_ws(' ', 'constraint', conrelid::regclass, conname, convalidated, pg_get_constraintdef(c.oid))
    from pg_constraint c join tables on tables.oid = conrelid
  union all select concat_ws(' ', 'trigger', tgrelid::regclass, tgname, tgenabled, tgtype, tgfoid::regprocedure)
    from pg_trigger join tables on tables.oid = tgrelid where not tgisinternal
  union all select concat_ws(' ', 'key', tgrelid::regclass, tgenabled, count(*))
    from pg_trigger join tables on tables.oid = tgrelid where tgisinternal group by tgrelid, tgenabled
  union all select concat_ws(' ', 'policy', polrelid::regclass, polname, polcmd, polroles, polpermissive,
                             pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    from pg_policy join tables on tables.oid = polrelid
  union all select concat_ws(' ', 'function', p.oid::regprocedure, md5(prosrc), proowner, proacl, prosecdef, proconfig)
    from pg_proc p join ours on ours.oid = pronamespace
  union all select concat_ws(' ', 'type', t.oid::regtype, typtype, typnotnull)
    from pg_type t join ours on ours.oid = typnamespace where typtype in ('d', 'e')
  union all select concat_ws(' ', 'extension', extname, extversion) from pg_extension
  union all select concat_ws(' ', 'setting', setrole, setconfig) from pg_db_role_setting join pg_database d
    on d.oid = setdatabase where datname = current_database()
  union all select concat_ws(' ', 'database', datdba, datacl, datconnlimit, datallowconn) from pg_database
    where datname = current_database())
select md5(string_agg(line, e'\\n' order by line)) from shape
"""
# Every change of shape writes a row of a catalogue, and with it the number of its transaction. Ours begin at 16384.
_FIRST_OID = 16384
_CATALOGUES = {
    "pg_attrdef": f"where adrelid >= {_FIRST_OID}",
    "pg_attribute": f"where attrelid >= {_FIRST_OID}",
    "pg_class": f"where oid >= {_FIRST_OID}",
    "pg_constraint": f"where oid >= {_FIRST_OID}",
    "pg_database": "where datname = current_database()",
    "pg_db_role_setting": "",
    "pg_extension": "",
    "pg_index": f"where indexrelid >= {_FIRST_OID}",
    "pg_namespace": "",
    "pg_policy": "",
    "pg_proc": f"where oid >= {_FIRST_OID}",
    "pg_rewrite": f"where ev_class >= {_FIRST_OID}",
    "pg_trigger": "",
    "pg_type": f"where oid >= {_FIRST_OID}",
}
_WRITTEN = "select concat_ws(' ', {})".format(
    ", ".join(
        f"(select concat(count(*), ':', sum(hashtext(xmin::text))) from {name} {ours})"
        for name, ours in _CATALOGUES.items()
    )
)
_TABLES = f"""
select format('%I.%I', nspname, relname) as name,
       coalesce((select array_agg(format('enable %s trigger %I', case tgenabled when 'A' then 'always' end, tgname))
                 from pg_trigger where tgrelid = c.oid and not tgisinternal and tgenabled <> 'D'), '{{}}') as triggers
from pg_class c join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname {_OURS} order by 1
"""
# Deleted rows stay in the file and the indexes of their table, and a query would read those of a hundred tests.
_VACUUMED_BYTES = 16 * 8192
_GROWN = f"""
select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind = 'r' and nspname {_OURS} and pg_relation_size(c.oid) > :bytes
"""
_HANG_UP = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
_OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
_SEQUENCES = "select setval(s.oid, seqstart, false) from pg_class s join pg_sequence on seqrelid = s.oid"


@dataclass(slots=True)
class Database:
    """A migrated database without rows. Roles: superuser, owner, api, worker, sealer, clerk, auditor."""

    name: str
    stack: Stack
    _engines: dict[str, Engine] = field(default_factory=dict)

    def url(self, role: str) -> str:
        """postgresql+psycopg://..."""
        return self.stack.postgres.url(role, database=self.name)

    def engine(self, role: str = "worker", **options: Any) -> Engine:
        """An engine whose sessions end with the test, and which outlives a Postgres that another test stopped.

        Its statements stay compiled for the tests that get this database later: compiling a hundred of them anew cost
        a test a quarter of its CPU. Listeners are this caller's alone.
        """
        asked = f"{role} {sorted(options.items())}"
        if asked not in self._engines:
            options = {"pool_pre_ping": True, "query_cache_size": _COMPILED} | options
            self._engines[asked] = create_engine(self.url(role), **options)
        return self._engines[asked].execution_options()

    def dispose(self) -> None:
        """End the sessions of every engine."""
        for engine in self._engines.values():
            engine.dispose()


class _Table(NamedTuple):
    name: str
    triggers: list[str]  # how each that is on is put on again
    seeded: bool  # the migrations put rows into it: they stay, and are compared


class Databases:
    """Lends migrated databases of one stack. Used by one thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._server = create_engine(
            stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )
        self._run(f"alter role {SUPERUSER} password '{stack.passwords['postgres.superuser']}'")  # see scram_iterations
        self._run(f"create database {_TEMPLATE} owner presswork_owner")
        upgrade(stack.postgres.url("owner", database=_TEMPLATE))
        template = create_engine(stack.postgres.url("superuser", database=_TEMPLATE), poolclass=NullPool)
        with template.begin() as conn:
            found = conn.execute(text(_TABLES)).all()
            filled = _filled(conn, [table.name for table in found])
            self._tables = [_Table(table.name, table.triggers, table.name in filled) for table in found]
            self._seeds = [
                f"select md5(string_agg(t::text, e'\\n' order by t::text)) from {table.name} t"
                for table in self._tables
                if table.seeded
            ]
            self._shape, self._seeded = _digests(conn, [_SHAPE]), _digests(conn, self._seeds)
        self._free: list[Database] = []
        self._emptying: dict[str, Engine] = {}  # one session a database: a new one would read the catalogues anew
        self._written: dict[str, str] = {}  # of each database, when it was last seen in the template's shape

    @contextmanager
    def lent(self) -> Iterator[Database]:
        """A database without rows. Afterwards every session in it is ended, whoever it is."""
        database = self._free.pop() if self._free else Database(self._make(), self._stack)
        try:
            yield database
        finally:
            database.dispose()
            if self.empty(database.name):
                self._free.append(database)
            else:
                self._emptying.pop(database.name).dispose()
                self._run(f"drop database {database.name} with (force)")

    def empty(self, name: str) -> bool:
        """Whether the database is as the template again: no rows, the same shape, nobody connected."""
        try:
            with self._emptying[name].begin() as conn:
                conn.execute(text(_HANG_UP))
                kept = conn.execute(text(_WRITTEN)).scalar_one() == self._written.pop(name, None)
                self._delete_rows(conn)
                conn.execute(text("select pg_stat_clear_snapshot()"))  # who is connected is seen once a transaction
                if conn.execute(text(_OTHERS)).scalar_one() or _digests(conn, self._seeds) != self._seeded:
                    return False
                if not kept and _digests(conn, [_SHAPE]) != self._shape:
                    return False
                self._written[name] = conn.execute(text(_WRITTEN)).scalar_one()  # emptying wrote to pg_trigger
                grown = conn.execute(text(_GROWN), {"bytes": _VACUUMED_BYTES}).scalars().all()
            if grown:
                with self._emptying[name].connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                    conn.exec_driver_sql(f"vacuum {', '.join(grown)}")
            return True
        except DBAPIError:
            return False  # a test changed what even a superuser meets; it is dropped

    def close(self) -> None:
        for engine in (self._server, *self._emptying.values()):
            engine.dispose()

    def _make(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        self._run(f"create database {name} owner presswork_owner template {_TEMPLATE} strategy file_copy")
        url = self._stack.postgres.url("superuser", database=name)
        self._emptying[name] = create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
        return name

    def _delete_rows(self, conn: Connection) -> None:
        """Foreign keys and ordinary triggers sleep for a replica; those that are on ALWAYS are put to sleep by name."""
        filled = _filled(conn, [table.name for table in self._tables])
        statements = ["set local session_replication_role = replica"]
        for table in self._tables:
            if table.name in filled and not table.seeded:
                statements += [
                    *([f"alter table {table.name} disable trigger user"] if table.triggers else []),
                    f"delete from {table.name}",
                    *(f"alter table {table.name} {again}" for again in table.triggers),
                ]
        conn.exec_driver_sql("; ".join(statements))
        conn.execute(text(_SEQUENCES))

    def _run(self, statement: str) -> None:
        with self._server.connect() as conn:
            conn.execute(text(statement))


def _digests(conn: Connection, queries: list[str]) -> list[str]:
    return [str(conn.execute(text(query)).scalar_one()) for query in queries]


def _filled(conn: Connection, tables: list[str]) -> set[str]:
    """Which of the tables hold rows."""
    asked = [f"select '{name}' where exists (select from {name})" for name in tables]
    return set(conn.exec_driver_sql(" union all ".join(asked)).scalars())
