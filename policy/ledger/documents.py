"""Documents in the ledger: rule sets, model cards and verifiers, kept for years under the digest that events name.

An event says `policy_version: sha256:...`. That is evidence only for a reader who has the text. So the process that
loads a rule set or a card registers it before it decides anything by it: it stores the text as a document, and for a
new text also an event that binds it into the tree. Both are one transaction, so a process killed anywhere leaves
neither or both. Any number of processes may register at once: the key of a document is the digest of its bytes, and the
later one waits for the earlier one and adds nothing. Nobody can store a text under another text's digest, because the
database computes the digest. The role that registers cannot read what is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, text

from policy.errors import LedgerError
from policy.events import Event, ModelRegistered, PolicyRegistered, VerifierRegistered
from policy.ledger.append import SYSTEM_TENANT, append
from policy.ledger.flaws import Flaw, LedgerProblem
from policy.ledger.tables import documents

MAX_BYTES = 4 << 20  # of one document; the table holds to it too

# Neither a conflict target nor RETURNING: both would need the right to read.
_KEEP = text("INSERT INTO audit.documents (kind, name, body) VALUES (:kind, :name, :body) ON CONFLICT DO NOTHING")

# What the signed bytes of registrations promise to be kept; those that cannot be read are named elsewhere.
_LOST = text(
    """
    WITH promised AS (
      SELECT e.id, CAST(e.event_id AS text) AS event_id, e.kind, s.index AS leaf_index, found[2] AS sha256
      FROM audit.entries e LEFT JOIN audit.sequence s ON s.entry_id = e.id,
           regexp_matches(encode(e.body, 'escape'),
             '"(policy_version|model_revision|card_sha256|verifier_sha256)":"(?:sha256:)?([0-9a-f]{64})"', 'g') AS found
      WHERE e.kind IN ('policy.registered', 'model.registered', 'verifier.registered')
    )
    SELECT * FROM promised p WHERE NOT EXISTS (SELECT FROM audit.documents d WHERE d.sha256 = p.sha256) ORDER BY p.id
    """
)


@dataclass(frozen=True, slots=True)
class Document:
    """A text that events name by its digest, and the event that registers it.

    The file list of a model needs no event.
    """

    kind: str  # policy | card | files | verifier
    name: str
    body: bytes
    event: Event | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def rule_set(name: str, body: bytes) -> Document:
    """A rule set, as the bytes of its file."""
    return Document("policy", name, body, PolicyRegistered(f"sha256:{hashlib.sha256(body).hexdigest()}", name))


def model(name: str, *, revision: str, licence: str, listing: bytes, card: bytes) -> tuple[Document, Document]:
    """A model: the list of its files, whose digest is its revision, and its card.

    Raises LedgerError if they do not match.
    """
    files = Document("files", name, listing)
    if f"sha256:{files.sha256}" != revision:
        raise LedgerError(f"the files listed for {name} make sha256:{files.sha256}, its revision is {revision}")
    return files, Document(
        "card", name, card, ModelRegistered(name, revision, licence, hashlib.sha256(card).hexdigest())
    )


def verifier(body: bytes, form: str) -> Document:
    """The program that checks evidence packs of this format, as the bytes of its one file."""
    event = VerifierRegistered(hashlib.sha256(body).hexdigest(), form)
    return Document("verifier", "verify.py", body, event)


def register(conn: Connection, found: Iterable[Document], *, actor: str) -> int:
    """The number of these documents that were new.

    Runs in the caller's transaction and needs only INSERT on documents and entries. Raises LedgerError for a document
    that is empty or too large.
    """
    added = 0
    for document in found:
        if not 0 < len(document.body) <= MAX_BYTES:
            raise LedgerError(
                f"the {document.kind} of {document.name} has {len(document.body):,} bytes; "
                f"a register keeps 1 to {MAX_BYTES:,}. Remedy: split it"
            )
        new = conn.execute(_KEEP, {"kind": document.kind, "name": document.name, "body": document.body}).rowcount
        if new and document.event is not None:
            append(conn, tenant=SYSTEM_TENANT, actor=actor, events=[document.event])
        added += new
    return added


def texts(conn: Connection, digests: Collection[str]) -> Mapping[str, tuple[str, bytes]]:
    """Kind and bytes of the stored documents with these digests (hex). Needs SELECT."""
    query = select(documents.c.sha256, documents.c.kind, documents.c.body).where(documents.c.sha256.in_(digests))
    return {sha256: (kind, bytes(body)) for sha256, kind, body in conn.execute(query)}


def lost(conn: Connection) -> Iterator[LedgerProblem]:
    """Texts that a registration promises and that are missing. An edited one is missing too: its key is its digest."""
    for row in conn.execute(_LOST):
        said = f"the text sha256:{row.sha256}, which {row.kind} event {row.event_id} registers, is not kept any more"
        yield LedgerProblem(Flaw.DOCUMENT_LOST, said, row.leaf_index, row.id, row.event_id, row.kind)
