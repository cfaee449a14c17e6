"""Approvals of rule sets: each with its event in one transaction, and whether enough different people gave one.

An approval is of one text: a changed threshold is another version, which nobody approved. It is not taken back; another
rule set takes its place. Where PRESSWORK_RULES_APPROVALS asks for some, no worker starts and nothing is submitted under
a rule set that lacks them. Two at once: both count, or the same person once.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.errors import RulesNotApproved
from policy.ledger.append import SYSTEM_TENANT, append
from workers.jobs.rulesets.tables import policy_approvals


class RulesApproval(NamedTuple):
    """What a person says of a rule set."""

    policy_version: str
    name: str
    person: str
    reason: str


def approve(conn: Connection, approval: RulesApproval, *, actor: str) -> int:
    """The number of people who approved it. A second approval of one person changes nothing and is no event."""
    person = spelled(approval.person)
    values = {"policy_version": approval.policy_version, "person": person, "reason": approval.reason}
    statement = insert(policy_approvals).values(values).on_conflict_do_nothing().returning(policy_approvals.c.person)
    if conn.execute(statement).first() is not None:
        said = events.Private(approval.person), events.Private(approval.reason)
        approved = events.PolicyApproved(approval.policy_version, approval.name, *said)
        append(conn, tenant=SYSTEM_TENANT, actor=actor, events=[approved])
    return len(approvers(conn, approval.policy_version))


def approvers(conn: Connection, policy_version: str) -> list[str]:
    """Who approved it, the first one first."""
    rows = policy_approvals.c
    query = select(rows.person).where(rows.policy_version == policy_version).order_by(rows.approved_at, rows.person)
    return list(conn.scalars(query))


def demand_approved(conn: Connection, policy_version: str, needed: int) -> None:
    """Raises RulesNotApproved where fewer people than needed approved this text."""
    if needed and (found := len(approvers(conn, policy_version))) < needed:
        raise RulesNotApproved(
            f"rule set {policy_version} has {found} of the {needed} approvals that PRESSWORK_RULES_APPROVALS asks for."
            " Remedy: another person runs `presswork policy approve`"
        )


def spelled(person: str) -> str:
    """A person's name in the one spelling by which people are counted."""
    return " ".join(unicodedata.normalize("NFKC", person).split()).casefold()
