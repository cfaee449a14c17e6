"""Registration of the API's own rule set and cards before the first request is stored under them.

At the start if the database is there, else with the first submission: an API that waits for its database answers
that it waits, and nothing is decided meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from policy.errors import RulesNotApproved
from policy.ledger.documents import Document, register
from workers.jobs.rulesets.approvals import demand_approved

log = structlog.get_logger()
_ACTOR = "api"


class Registers:
    """Thread-safe. Registering twice changes nothing, so the lock saves work only."""

    def __init__(self, engine: Engine, documents: Sequence[Document], *, policy_version: str, approvals: int) -> None:
        """`approvals`: how many people must have approved the rule set of that version."""
        self._engine, self._documents = engine, documents
        self._policy_version, self._approvals = policy_version, approvals
        self._lock = threading.Lock()
        self._done = False

    def begin(self) -> None:
        """Register now; a database that is away is for `ensure` to meet again."""
        try:
            self.ensure()
        except SQLAlchemyError as error:
            log.warning("register_postponed", error=type(error).__name__)
        except RulesNotApproved as error:
            log.error("rules_not_approved", error=str(error))

    def ensure(self) -> None:
        """Everything is registered when it returns. Raises RulesNotApproved, and what the database raises."""
        if self._done:
            return
        with self._lock:
            with self._engine.begin() as conn:
                new = register(conn, self._documents, actor=_ACTOR)
                demand_approved(conn, self._policy_version, self._approvals)
            self._done = True
        log.info("registered", documents=len(self._documents), new=new)
