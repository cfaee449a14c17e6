"""Table of the approvals of rule sets, as SQLAlchemy Core."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Table, Text, func

from workers.jobs.tables import metadata

policy_approvals = Table(
    "policy_approvals",
    metadata,
    Column("policy_version", Text, primary_key=True),  # digest of the rule set's text
    Column("person", Text, primary_key=True),  # as `approvals.spelled` writes it
    Column("reason", Text, nullable=False),  # for people
    Column("approved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
