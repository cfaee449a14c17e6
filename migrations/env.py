"""Alembic's entry point: runs the revisions in the database whose URL it is given.

The URL comes from `config.attributes["url"]` (see migrations.upgrade), or by hand from the command line:
    alembic -x url=postgresql+psycopg://presswork_owner:...@127.0.0.1:25432/presswork upgrade head
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from workers.jobs.tables import metadata

_LOCK = 7_265_737_377  # any constant: two deployments that migrate at once take turns


def _run(url: str) -> None:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as conn:
        context.configure(connection=conn, target_metadata=metadata)
        with context.begin_transaction():
            conn.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
            context.run_migrations()


_url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
if _url is None:
    raise SystemExit("migrations: no database named. Remedy: 'presswork migrate', or alembic -x url=URL upgrade head")
_run(_url)
