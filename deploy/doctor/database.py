"""Postgres as one role finds it: version, durability, clock, the rights of the login, and the revision."""

from __future__ import annotations

import time
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from deploy.doctor.diagnosis import Diagnoses, Diagnosis, clock, in_words, ok, unknown, warning, wrong
from workers.database import make_engine
from workers.settings import Settings

MIN_VERSION = 18  # the one that the tests run on
_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
# A superuser or a role that bypasses row-level security sees every tenant; the owner can change the ledger's triggers.
_RIGHTS = """
select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
       array(select r.rolname::text from pg_roles r where r.rolname like 'presswork\\_%' and r.rolname <> current_user
             and pg_has_role(current_user, r.oid, 'member') and not (select rolsuper from pg_roles
             where rolname = current_user)) as others,
       (select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = current_user)
        and relkind in ('r', 'p') and relnamespace in (select oid from pg_namespace
        where nspname in ('public', 'audit'))) as owned
from pg_roles where rolname = current_user
"""
_TOO_MUCH = {
    "rolsuper": "is a superuser",
    "rolbypassrls": "bypasses row-level security",
    "rolcreaterole": "may create roles",
    "rolcreatedb": "may create databases",
    "rolreplication": "may replicate",
}
# Setting -> value that loses committed work when the server dies, and what that means.
_UNSAFE = {
    "fsync": ("off", "a crash of the server loses committed work"),
    "full_page_writes": ("off", "a crash of the server can damage pages"),
    "synchronous_commit": ("off", "a crash of the server loses the last commits, and an answer was given for them"),
}


def examine_database(settings: Settings, role: str) -> Diagnoses:
    """What the login of `role` finds. One connection, read only."""
    try:
        engine = make_engine(settings.database_url.get_secret_value(), name="doctor", pool_size=1)
    except ArgumentError:
        yield wrong("Postgres", "PRESSWORK_DATABASE_URL is no URL", "write it as postgresql+psycopg://USER:...@HOST/DB")
        return
    try:
        with engine.connect() as conn:
            yield from _version(conn)
            yield from _durable(conn)
            yield _clock(conn)
            yield from _login(conn, role)
            yield from _revision(conn)
    except SQLAlchemyError as error:
        yield wrong("Postgres", in_words(error), "check PRESSWORK_DATABASE_URL, the server, and the way to it")
    finally:
        engine.dispose()


def _version(conn: Connection) -> Diagnoses:
    number = int(conn.scalar(text("show server_version_num")) or 0)
    shown = f"version {number // 10_000}.{number % 10_000}"
    encoding = conn.scalar(text("show server_encoding"))
    if number // 10_000 < MIN_VERSION:
        yield wrong("Postgres", shown, f"use Postgres {MIN_VERSION} or newer")
    elif encoding != "UTF8":
        yield wrong("Postgres", f"{shown}, encoding {encoding}", "make the database with encoding UTF8")
    else:
        yield ok("Postgres", shown)


def _durable(conn: Connection) -> Diagnoses:
    unsafe = {name: why for name, (value, why) in _UNSAFE.items() if conn.scalar(text(f"show {name}")) == value}
    for name, why in unsafe.items():
        yield wrong("Postgres durability", f"{name} is off: {why}", f"set {name} = on")
    if not unsafe:
        yield ok("Postgres durability", "commits are flushed before they are answered")


def _clock(conn: Connection) -> Diagnosis:
    before = time.time()
    theirs = float(conn.scalar(text("select extract(epoch from clock_timestamp())")) or 0)
    return clock("clock of Postgres", theirs - (before + time.time()) / 2)


def _login(conn: Connection, role: str) -> Diagnoses:
    name = str(conn.scalar(text("select current_user")))
    rights = conn.execute(text(_RIGHTS)).mappings().one()
    much = [words for right, words in _TOO_MUCH.items() if rights[right]]
    if rights["others"]:
        much.append(f"may act as {', '.join(rights['others'])}")
    if role != "owner" and rights["owned"]:
        much.append(f"owns {rights['owned']} tables")
    if much:
        remedy = f"give {role} the login presswork_{role}, with the rights that the migrations grant and no others"
        yield wrong("rights of the login", f"{name} {', '.join(much)}", remedy)
    elif name not in _LOGINS.get(role, (f"presswork_{role}",)):
        yield warning("rights of the login", f"{role} has the login {name}", f"use the login presswork_{role}")
    else:
        yield ok("rights of the login", f"{name}: no more than its own")


def _revision(conn: Connection) -> Diagnoses:
    newest = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    exists = conn.scalar(text("select to_regclass('public.alembic_version') is not null"))
    if not exists:
        yield wrong("revision", "the database has no tables", "run presswork migrate with the owner's login")
    elif not conn.scalar(text("select has_table_privilege('public.alembic_version', 'select')")):
        yield unknown("revision", "this login may not read it; the owner's may")
    elif (found := conn.scalar(text("select version_num from public.alembic_version"))) != newest:
        yield wrong("revision", f"{found}, and this version needs {newest}", "run presswork migrate")
    else:
        yield ok("revision", f"{newest}, the newest")


_LOGINS = {"planner": ("presswork_worker", "presswork_planner")}  # login names that are right for a role
