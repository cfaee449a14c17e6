"""Daily budget of an agent's key: how many images may be sent with it in a day of UTC, whatever becomes of them.

The requests of the key are the record: nothing is counted beside them, so nothing can leak. Two submissions of one key
at the same moment take turns, so that both cannot fit into what is left for one.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from workers.errors import BudgetExceeded, NotFound
from workers.jobs.tables import requests


def demand_daily(conn: Connection, tenant: str, key_id: str, *, images: int, most: int) -> None:
    """Returns if so many images more fit into today. Holds the key's turn to the end of the transaction.

    Raises BudgetExceeded.
    """
    conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"daily:{key_id}", 0))))
    today = requests.c.created_at >= func.date_trunc("day", func.now(), "UTC")
    ours = (requests.c.key_id == key_id, requests.c.tenant == tenant)
    sent: int = conn.execute(select(func.coalesce(func.sum(requests.c.item_count), 0)).where(*ours, today)).scalar_one()
    if sent + images > most:
        left = max(0, most - sent)
        raise BudgetExceeded(
            f"the key may send {most:,} images a day, {left:,} are left today (UTC), and the request has {images:,}"
        )


def demand_own(conn: Connection, tenant: str, key_id: str, request_id: str) -> None:
    """Returns if the request was sent with this key. Raises NotFound: another one is unknown to it."""
    ours = select(requests.c.id).where(
        requests.c.id == request_id, requests.c.tenant == tenant, requests.c.key_id == key_id
    )
    if conn.execute(ours).first() is None:
        raise NotFound(f"no request {request_id}")
