"""Files of clients of the OpenAI API: deleted when they expire, when asked, and when text in them is erased.

The row says so before the store is asked. Killed between the store's answer and the end of the row: the next round
deletes again, which changes nothing.
"""

from __future__ import annotations

from workers.clerk.context import ClerkContext
from workers.jobs.uploads import batch_jobs, campaign_checks, files
from workers.store import file_key


def run_once(context: ClerkContext) -> int:
    """How many files, batch jobs and checks of campaigns went."""
    with context.engine.begin() as conn:
        forgotten = batch_jobs.forget(conn) + campaign_checks.forget_old(conn)
        files.dismiss(conn)
    with context.engine.begin() as conn:
        found = files.deleted(conn)
    for one in found:
        if one.has_object:
            context.store.delete(file_key(one.tenant, one.id))
    if found:
        context.probe("deleted", None)
        with context.engine.begin() as conn:
            files.gone(conn, [one.id for one in found])
    return forgotten + len(found)
