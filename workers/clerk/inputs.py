"""Erased inputs, carried out: inputs whose retention period is over are erased, and the objects of erased ones go.

Each step is one transaction; the duty `removals` deletes what was given up. Killed anywhere: the rows that are left say
what is still to do.
"""

from __future__ import annotations

from workers.clerk.context import ClerkContext
from workers.jobs.privacy.inputs import expire_inputs, give_up_inputs


def run_once(context: ClerkContext) -> int:
    """One step of each; how many inputs were erased and objects given up."""
    erased = 0
    if context.settings.retention_input_days:
        with context.engine.begin() as conn:
            erased = expire_inputs(conn, context.settings.retention_input_days)
    with context.engine.begin() as conn:
        given_up = give_up_inputs(conn)
    if erased or given_up:
        context.probe("given_up", None)
    return erased + given_up
