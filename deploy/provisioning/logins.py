"""Logins of Postgres: one role for each kind of process, without a right of its own, and a database of the owner's.

The rights of the roles come with the migrations. No login may create roles or databases, replicate, or bypass row-level
security. Everything here can be repeated: a role that is there keeps its rights and is given the stored password again.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from deploy.embedded.passwords import DATABASE_ROLES
from deploy.errors import ComponentFailed
from deploy.provisioning.secrets import Secrets

DATABASE = "presswork"
_PLAIN = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
_MIN_VERSION = 180_000


def login(role: str) -> str:
    """The name of a role's login."""
    return f"presswork_{role}"


def statements(database: str = DATABASE) -> Iterator[str]:
    """The SQL, without passwords, for a person to review and to run in psql as an administrator."""
    yield "-- Run as an administrator of the server. Set each password afterwards: \\password presswork_api"
    for role in DATABASE_ROLES:
        yield f"create role {login(role)} {_PLAIN};"
    owner = login("owner")
    yield "-- Managed servers demand that the administrator is a member of the owner of a new database."
    yield f"grant {owner} to current_user;"
    yield f"create database {_name(database)} owner {owner} encoding 'UTF8' template template0;"
    yield f"revoke {owner} from current_user;"
    yield f"revoke connect, temporary on database {_name(database)} from public;"
    names = ", ".join(login(role) for role in DATABASE_ROLES)
    yield f"grant connect on database {_name(database)} to {names};"


def create(admin_url: str, secrets: Secrets, database: str = DATABASE) -> list[str]:
    """Make what is missing. What was done, in words; the URL of each role is in the secrets folder afterwards.

    Raises ComponentFailed in words of the server, or where it is too old. `admin_url` is a URL of SQLAlchemy or psycopg
    with the login of an administrator; its database is where the administrator logs in.
    """
    url = make_url(admin_url)
    try:
        with psycopg.connect(_dsn(url), connect_timeout=10, autocommit=True) as conn:
            if conn.info.server_version < _MIN_VERSION:
                raise ComponentFailed(f"the server is Postgres {conn.info.server_version // 10_000}; 18 is needed")
            done = [_ensure_login(conn, role, secrets.password(role)) for role in DATABASE_ROLES]
            done += _ensure_database(conn, database)
    except psycopg.Error as error:
        raise ComponentFailed(
            f"Postgres: {' '.join(str(error).split())}. Run the command again after mending it"
        ) from error
    for role in DATABASE_ROLES:
        own = url.set(drivername="postgresql+psycopg", username=login(role), password=secrets.password(role))
        secrets.write(role, "url", own.set(database=database).render_as_string(hide_password=False))
    return done


def _ensure_login(conn: psycopg.Connection, role: str, password: str) -> str:
    name = login(role)
    known = conn.execute("select from pg_roles where rolname = %s", [name]).fetchone() is not None
    verb = "alter role" if known else "create role"
    # On managed servers only a superuser may say NOSUPERUSER of a role that is there; so the rights are read instead.
    rights = "login" if known else _PLAIN
    conn.execute(
        sql.SQL("{} {} {} password {}").format(
            sql.SQL(verb), sql.Identifier(name), sql.SQL(rights), sql.Literal(password)
        )
    )
    much = conn.execute(
        "select from pg_roles where rolname = %s"
        " and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)",
        [name],
    ).fetchone()
    if much is not None:
        without = _PLAIN.removeprefix("login ")
        raise ComponentFailed(f"{name} has rights of an administrator. Remedy: alter role {name} {without}")
    return f"{'kept' if known else 'made'} the login {name}"


def _ensure_database(conn: psycopg.Connection, database: str) -> list[str]:
    owner, name = sql.Identifier(login("owner")), sql.Identifier(database)
    found = conn.execute(
        "select pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database where datname = %s", [database]
    ).fetchone()
    if found and found != (login("owner"), "UTF8"):
        raise ComponentFailed(
            f"the database {database} is there, of {found[0]} in {found[1]}. Remedy: name another with --database,"
            f" or: alter database {database} owner to {login('owner')}"
        )
    if found is None:
        member = conn.execute("select pg_has_role(current_user, %s, 'set')", [login("owner")]).fetchone() == (True,)
        if not member:
            conn.execute(sql.SQL("grant {} to current_user").format(owner))
        conn.execute(sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(name, owner))
        if not member:
            conn.execute(sql.SQL("revoke {} from current_user").format(owner))
    conn.execute(sql.SQL("revoke connect, temporary on database {} from public").format(name))
    every = sql.SQL(", ").join(sql.Identifier(login(role)) for role in DATABASE_ROLES)
    conn.execute(sql.SQL("grant connect on database {} to {}").format(name, every))
    return [f"{'kept' if found else 'made'} the database {database}"]


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _name(database: str) -> str:
    return '"' + database.replace('"', '""') + '"'
