"""Witness policy: whose cosignatures count, and how many of them are enough.

A witness is a third party that keeps the newest head of a log it has seen, checks that the next one extends it, and
signs that it did, with the time. With a quorum of witnesses, nobody can be shown another history of the log than
everybody else. Formats: c2sp.org/tlog-cosignature (Ed25519) and c2sp.org/tlog-policy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from policy.errors import BrokenLedger, UnknownKey
from policy.ledger.flaws import Flaw, LedgerProblem
from policy.ledger.tables import checkpoints, cosignatures
from policy.ledger.tree.cosignatures import check_cosignature, cosigned_note
from policy.ledger.tree.notes import COSIGNATURE, KEY_ID_BYTES, Vkey, split_note

MAX_LINES = 200  # of a policy: 32 logs, witnesses and groups are what readers must take


class Witness(NamedTuple):
    """A party whose cosignature counts. `url` is where to ask for it, if we ask."""

    name: str  # in the policy; its key has a name of its own
    vkey: Vkey
    url: str | None


class _Group(NamedTuple):
    enough: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """The witnesses, and the quorum."""

    logs: tuple[Vkey, ...]
    witnesses: tuple[Witness, ...]
    quorum: str  # name of a witness or a group, or "none"
    text: str  # as it was read: packs carry it
    _groups: Mapping[str, _Group] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> WitnessPolicy:
        """Reads a file. Raises BrokenLedger naming the line, UnknownKey if the file cannot be read."""
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UnknownKey(f"cannot read the witness policy {path}: {error}") from error
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> WitnessPolicy:
        """Reads `log`, `witness`, `group` and `quorum` lines. Raises BrokenLedger naming the line."""
        reading = _Reading()
        lines = text.split("\n")
        if len(lines) > MAX_LINES:
            raise BrokenLedger(f"a witness policy of {len(lines)} lines; at most {MAX_LINES} are read")
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                reading.take(words)
            except (BrokenLedger, ValueError) as error:
                raise BrokenLedger(f"the witness policy, line {number}: {error}") from error
        if reading.quorum is None:
            raise BrokenLedger("the witness policy has no line 'quorum NAME'; 'quorum none' asks for no cosignature")
        return cls(tuple(reading.logs), tuple(reading.witnesses), reading.quorum, text, reading.groups)

    def satisfied_by(self, cosigned: Collection[str]) -> bool:
        """Whether these witnesses, by their names in the policy, are enough."""
        return self.quorum == "none" or self._holds(self.quorum, cosigned)

    def cosigners(self, note: str) -> dict[str, int]:
        """The witnesses that cosigned this head, by their names in the policy, and when they say they did (POSIX).

        Signatures of others are ignored. Raises BrokenLedger for a wrong one under a witness's own name.
        """
        text, lines = split_note(note)
        found = {}
        for witness in self.witnesses:
            for name, raw in lines:
                if (name, raw[:KEY_ID_BYTES]) == (witness.vkey.name, witness.vkey.id):
                    found[witness.name] = check_cosignature(text, raw[KEY_ID_BYTES:], witness.vkey)
        return found

    def _holds(self, name: str, cosigned: Collection[str]) -> bool:
        group = self._groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._holds(member, cosigned) for member in group.members) >= group.enough


class _Reading:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self.logs: list[Vkey] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[str, _Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, words: Sequence[str]) -> None:
        """One line. Raises BrokenLedger or ValueError."""
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._new_key(Vkey.parse(vkey), self.logs))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._name(name)
                known = [witness.vkey for witness in self.witnesses]
                key = self._new_key(Vkey.parse(vkey, kind=COSIGNATURE), known)
                self.witnesses.append(Witness(name, key, url[0].rstrip("/") if url else None))
            case ["group", name, enough, *members] if members:
                self._name(name)
                self.groups[name] = _Group(self._enough(enough, len(members)), tuple(map(self._member, members)))
            case ["quorum", name]:
                if self.quorum is not None:
                    raise BrokenLedger("a second quorum")
                if name != "none" and not self._known(name):
                    raise BrokenLedger(f"the quorum {name!r} is no witness or group of a line above")
                self.quorum = name
            case _:
                raise BrokenLedger(f"{' '.join(words)[:80]!r} is no line of c2sp.org/tlog-policy")

    def _new_key(self, key: Vkey, known: Iterable[Vkey]) -> Vkey:
        if any(key.public_key == other.public_key for other in known):
            raise BrokenLedger(f"the key of {key.name} is listed twice")
        return key

    def _name(self, name: str) -> None:
        if name == "none" or self._known(name):
            raise BrokenLedger(f"the name {name!r} is taken")

    def _known(self, name: str) -> bool:
        return name in self.groups or any(witness.name == name for witness in self.witnesses)

    def _member(self, name: str) -> str:
        if not self._known(name):
            raise BrokenLedger(f"{name!r} is no witness or group of a line above")
        if name in self._members:
            raise BrokenLedger(f"{name!r} is a member of two groups, or twice of one")
        self._members.add(name)
        return name

    def _enough(self, said: str, members: int) -> int:
        enough = {"any": 1, "all": members}.get(said) or int(said)
        if not 1 <= enough <= members:
            raise BrokenLedger(f"{enough} of {members} members cannot cosign")
        return enough


def keep_cosignature(conn: Connection, size: int, witness: Witness, line: str) -> None:
    """Keep a checked cosignature; the first of a witness under a head stays."""
    conn.execute(insert(cosignatures).values(size=size, witness=witness.vkey.name, line=line).on_conflict_do_nothing())


def newest_cosigned(conn: Connection, witness: Witness) -> int:
    """Leaves under the largest head of which we keep this witness's cosignature, 0 if none."""
    query = select(func.max(cosignatures.c.size)).where(cosignatures.c.witness == witness.vkey.name)
    return conn.execute(query).scalar_one() or 0


def newest_witnessed(conn: Connection, policy: WitnessPolicy) -> int:
    """Leaves under the largest head with a quorum, 0 if there is none. A wrong cosignature counts for nothing."""
    query = select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size.desc())
    if policy.quorum != "none":
        query = query.where(checkpoints.c.size.in_(select(cosignatures.c.size)))
    for size, note in conn.execute(query.execution_options(yield_per=100)):
        try:
            if policy.satisfied_by(policy.cosigners(cosigned_note(conn, size, note))):
                return int(size)
        except BrokenLedger:
            continue
    return 0


def unwitnessed(conn: Connection, policy: WitnessPolicy, *, patience_seconds: float) -> Iterator[LedgerProblem]:
    """Kept cosignatures that are wrong, and heads that have waited for a quorum for longer than `patience_seconds`."""
    kept = select(checkpoints.c.size, checkpoints.c.note, cosignatures.c.witness, cosignatures.c.line).join_from(
        cosignatures, checkpoints, checkpoints.c.size == cosignatures.c.size, isouter=True
    )
    for size, note, witness, line in conn.execute(kept.order_by(cosignatures.c.size)):
        try:
            if note is None:
                raise BrokenLedger("the head it cosigned is gone")
            policy.cosigners(note + line)
        except BrokenLedger as error:
            yield LedgerProblem(Flaw.COSIGNATURE_FORGED, f"a cosignature kept of {witness}: {error}", size)
    witnessed = newest_witnessed(conn, policy)
    age = func.extract("epoch", func.now() - func.min(checkpoints.c.sealed_at))
    waiting, seconds = conn.execute(select(func.count(), age).where(checkpoints.c.size > witnessed)).one()
    if waiting and float(seconds) > patience_seconds:
        said = (
            f"{waiting} heads above {witnessed} leaves have no quorum of witnesses ('{policy.quorum}'), the oldest for "
            f"{float(seconds):.0f} s: others may have been shown another history"
        )
        yield LedgerProblem(Flaw.UNWITNESSED, said, witnessed)
