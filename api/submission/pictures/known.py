"""Known inputs: those of the tenant that a request names, as they are now. Another tenant's is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from api.edge.problems import Complaint, Problem
from policy.verdict import Verdict
from workers.jobs.inputs.tables import inputs
from workers.states import InputState

_GONE = {
    InputState.FAILED: ("input_failed", "cannot be read", "GET /v1/inputs/{id} says why; send another picture."),
    InputState.ERASED: ("input_erased", "was erased", "Send it again with POST /v1/inputs."),
    InputState.RECALLED: ("input_recalled", "was recalled with what was made from it", "Use another picture."),
}


class KnownInput(NamedTuple):
    """An input that may be named. Its size is None until it is known."""

    id: str
    state: str
    width: int | None
    height: int | None
    verdict: Verdict | None
    name: str = ""
    consented: bool = False

    @property
    def shown(self) -> str:
        """As people know it."""
        return self.name or self.id


def known_inputs(conn: Connection, tenant: str, ids: Iterable[str]) -> dict[str, KnownInput]:
    """Those of these ids that are inputs of the tenant, in whatever state."""
    wanted = select(inputs).where(inputs.c.tenant == tenant, inputs.c.id.in_(list(ids)))
    return {
        row.id: KnownInput(
            row.id,
            row.state,
            row.width,
            row.height,
            Verdict.from_json(row.verdict) if row.verdict else None,
            row.name,
            bool(row.consent),
        )
        for row in conn.execute(wanted)
    }


def demand_known(named: Mapping[str, str], found: Mapping[str, KnownInput]) -> dict[str, KnownInput]:
    """The inputs by role. Raises Problem: 404 where there is none of that id for this key."""
    missing = [(role, id) for role, id in named.items() if id not in found]
    if missing:
        errors = [
            Complaint("input_unknown", f"there is no input {id}", "Send it with POST /v1/inputs.", field=role)
            for role, id in missing
        ]
        raise Problem("not_found", f"There is no input {missing[0][1]} for this key.", errors=errors)
    return {role: found[id] for role, id in named.items()}


def unusable(role: str, known: KnownInput) -> Complaint | None:
    """Why nothing can be made from it any more; None: it can, or policy refuses it, which is an answer."""
    if known.state not in _GONE:
        return None
    code, why, remedy = _GONE[InputState(known.state)]
    return Complaint(code, f"input {known.id} {why}", remedy.replace("{id}", known.id), field=role)
