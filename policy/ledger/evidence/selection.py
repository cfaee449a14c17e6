"""Selection of leaves for a pack, with the events that those depend on: registrations and erasures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, func, select, text

from policy.errors import LedgerError, NotProvable, NotSealedYet, TooMuch
from policy.ledger.append import timestamp
from policy.ledger.reading.erasures import erased_texts
from policy.ledger.tables import entries, sequence

MAX_EVENTS = 100_000  # of one pack: two files an event, within what the verifier opens
_CHUNK = 1_000  # events of one question

# Lines about a thing: what names it, and what is recorded of the requests and batches it was in. A batch may
# hold several tenants' items, so its events are in no tenant's pack.
_ABOUT = text(
    """
    WITH own AS (
      SELECT unnest(subjects) AS name FROM audit.entries
      WHERE subjects && :names AND kind NOT LIKE 'batch.%' AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
    ), mine AS (
      SELECT array_agg(DISTINCT name) AS names FROM own
      WHERE name = ANY(:names) OR name LIKE 'item:%' OR name LIKE 'asset:%'
    ), around AS (
      SELECT array_agg(DISTINCT name) AS names FROM audit.entries, unnest(subjects) AS name
      WHERE subjects && (SELECT names FROM mine) AND (name LIKE 'request:%' OR name LIKE 'batch:%')
    )
    SELECT s.index FROM audit.entries e JOIN audit.sequence s ON s.entry_id = e.id
    WHERE (e.subjects && (SELECT names FROM mine)
           OR e.subjects && (SELECT names FROM around) AND (e.kind LIKE 'request.%' OR e.kind LIKE 'batch.%'))
      AND (CAST(:tenant AS text) IS NULL OR e.tenant = :tenant)
    ORDER BY s.index
    """
)
# The registrations of every rule set and model revision that these leaves name, and of every verifier. Bodies are
# canonical JSON, so the spelling is fixed; "escape" reads the bytes of a tampered one, too.
_REGISTRATIONS = text(
    """
    WITH named AS (
      SELECT DISTINCT CASE found[1] WHEN 'policy_version' THEN 'policy:' ELSE 'revision:' END || found[2] AS subject
      FROM audit.sequence s JOIN audit.entries e ON e.id = s.entry_id,
           regexp_matches(encode(e.body, 'escape'), '"(policy_version|model_revision)":"(sha256:[0-9a-f]{64})"', 'g')
           AS found
      WHERE s.index = ANY(:indices)
    )
    SELECT s.index FROM audit.entries e JOIN audit.sequence s ON s.entry_id = e.id
    WHERE (e.subjects && (SELECT array_agg(subject) FROM named) AND e.kind IN ('policy.registered', 'model.registered'))
       OR e.kind = 'verifier.registered'
    """
)
_ALL_REGISTRATIONS = text(
    """
    SELECT s.index FROM audit.entries e JOIN audit.sequence s ON s.entry_id = e.id
    WHERE e.kind IN ('policy.registered', 'model.registered', 'verifier.registered') AND s.index < :end
    """
)


@dataclass(frozen=True, slots=True)
class Selection:
    """The subject of a pack: one asset or item, one request, or a range of time. Nothing given is the whole log.

    `tenant` restricts a pack of an asset or a request to that tenant's events.
    """

    asset_id: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    tenant: str | None = None

    def to_json(self) -> dict[str, str]:
        named = {"asset": self.asset_id, "request": self.request_id, "tenant": self.tenant}
        instants = {"from": self.since, "to": self.until}
        return {
            **{name: thing for name, thing in named.items() if thing},
            **{name: timestamp(at) for name, at in instants.items() if at},
        }


@dataclass(frozen=True, slots=True)
class Chosen:
    """Leaves in order. `whole` is the range [first, end) among them that has no gap, if there is one."""

    indices: Sequence[int]
    whole: tuple[int, int] | None


def choose(conn: Connection, selection: Selection, size: int, *, beyond: bool, limit: int = MAX_EVENTS) -> Chosen:
    """The leaves of a selection under a head of `size` leaves, with the registrations and erasures that they depend on.

    `beyond` includes leaves after the head: what was put there unsigned is for the verifier to name. Raises NotProvable
    for what does not exist or is not sealed, TooMuch for more than a pack holds.
    """
    if selection.tenant and not (selection.asset_id or selection.request_id):
        raise LedgerError("a tenant's pack is of an asset or of a request: a range of time holds other tenants' events")
    chosen = _about(conn, selection) if selection.asset_id or selection.request_id else _range(conn, selection, size)
    indices = [index for index in chosen.indices if beyond or index < size]
    if not indices:
        raise NotProvable("what was asked for is sealed, but no head that may be shown covers it yet; ask again later")
    if len(indices) > limit:
        raise TooMuch(f"{len(indices):,} events are more than a pack holds ({limit:,}). Remedy: ask for less")
    if chosen.whole is None:
        registered = conn.scalars(_REGISTRATIONS, {"indices": indices})
    else:
        registered = conn.scalars(_ALL_REGISTRATIONS, {"end": chosen.whole[1]})
    beside = (
        [] if chosen.whole is None else [place for place in (chosen.whole[0] - 1, chosen.whole[1]) if 0 <= place < size]
    )
    leaning = {*registered, *beside, *_erasures(conn, [*indices, *beside])}
    return Chosen(sorted({*indices, *(index for index in leaning if beyond or index < size)}), chosen.whole)


def _erasures(conn: Connection, indices: Sequence[int]) -> set[int]:
    """The events that erased private text of these: a pack says why text is missing.

    Raises LedgerError while such an event is not sealed yet.
    """
    found: set[int] = set()
    for begin in range(0, len(indices), _CHUNK):
        part = select(sequence.c.event_id).where(sequence.c.index.in_(indices[begin : begin + _CHUNK]))
        for fields in erased_texts(conn, list(conn.scalars(part))).values():
            for erasure in fields.values():
                if erasure.leaf_index is None:
                    raise NotProvable(f"event {erasure.event_id}, which erased text, is not sealed yet; try again")
                found.add(erasure.leaf_index)
    return found


def _about(conn: Connection, selection: Selection) -> Chosen:
    noun, thing_id = _subject(selection)
    indices = list(conn.scalars(_ABOUT, {"names": _names(noun, thing_id), "tenant": selection.tenant}))
    if not indices:
        demand_none_unsealed(conn, selection)
        raise NotProvable(f"no sealed event is about {noun} {thing_id}; what is new is sealed seconds later")
    return Chosen(indices, None)


def demand_none_unsealed(conn: Connection, selection: Selection) -> None:
    """Raises NotSealedYet if an event about the asset or the request is recorded and waits for its seal."""
    noun, thing_id = _subject(selection)
    about = entries.c.subjects.overlap(_names(noun, thing_id))
    own = (entries.c.tenant == selection.tenant,) if selection.tenant else ()
    unsealed = ~exists().where(sequence.c.entry_id == entries.c.id)
    if thing_id and conn.execute(select(entries.c.id).where(about, unsealed, *own).limit(1)).first():
        raise NotSealedYet(f"what is about {noun} {thing_id} is not sealed yet; it can be proven seconds later")


def _subject(selection: Selection) -> tuple[str, str | None]:
    return ("asset", selection.asset_id) if selection.asset_id else ("request", selection.request_id)


def _names(noun: str, thing_id: str | None) -> list[str]:
    return [f"{one}:{thing_id}" for one in (("asset", "item") if noun == "asset" else ("request",))]


def _range(conn: Connection, selection: Selection, size: int) -> Chosen:
    place = select(func.min(sequence.c.index), func.max(sequence.c.index)).join(
        entries, entries.c.id == sequence.c.entry_id
    )
    if selection.since:
        place = place.where(entries.c.recorded_at >= selection.since)
    if selection.until:
        place = place.where(entries.c.recorded_at < selection.until)
    first, last = conn.execute(place).one()
    if first is None:
        raise NotProvable("no sealed event lies in that range of time")
    whole = (first, last + 1) if selection.since or selection.until else (0, size)
    if whole[1] - whole[0] > 2 * MAX_EVENTS:  # not worth making a list of
        raise TooMuch(f"{whole[1] - whole[0]:,} events are more than a pack holds. Remedy: ask for less")
    return Chosen(range(whole[0], max(whole[1], last + 1)), whole)
