"""Clones of a sample: its rows again and again with other ids and times, by COPY, and the ledger's tree over them.

A clone is the sample as it would have been a while later: each uuid and each time stamp is moved on, each watermark
code and content key is another one, in columns and in the bytes of the entries alike. So keys stay unique, indexes grow
where they would, and each entry verifies. Private texts keep their salts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg

from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.merkle import MerkleTree
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint

# What grows with images. Tenants, keys, recipes, documents and workers do not.
TABLES = (
    *("requests", "batches", "items", "assets", "renditions", "drawings", "holds", "idempotency_keys"),
    *("fingerprints", "unindexed", "webhook_deliveries", "webhook_attempts", "audit.entries", "audit.private"),
)
_TREE = ("audit.pending", "audit.sequence", "audit.nodes", "audit.checkpoints")
_ALWAYS = "select quote_ident(tgname) from pg_trigger where tgrelid = %s::regclass and tgenabled = 'A'"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DIGIT = r"(?:3\d|6[1-6])"  # a hexadecimal digit, in hexadecimal
_UUID_IN_BYTES = "2d".join(f"{_DIGIT}{{{length}}}" for length in (8, 4, 4, 4, 12))
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00"
_TIME_IN_BYTES = r"(?:3\d){4}2d3\d3\d2d3\d3\d54(?:3\d){2}3a(?:3\d){2}3a(?:3\d){2}2e(?:3\d){6}5a"
_TOKEN = re.compile(
    f"({_UUID}|{_UUID_IN_BYTES}|{_TIME}|{_TIME_IN_BYTES}|\\b[0-9a-f]{{48}}\\b|\\b\\d{{9,15}}\\b|(?:3\\d){{9,15}})"
)
_SHAPES = {
    "iso": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "time": re.compile(_TIME), "uuid": re.compile(_UUID)
}  # fmt: skip
_Again = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class _Template:
    """Rows of one table: the parts that stay, and between them what is another in each clone."""

    copy: str
    parts: tuple[str, ...]
    again: tuple[_Again, ...]

    def clone(self, number: int) -> str:
        made = [self.parts[0]]
        for token, part in zip(self.again, self.parts[1:], strict=True):
            made += [token(number), part]
        return "".join(made)


class Clones:
    """Copies of what is in the database of `dsn`, a superuser's, which nobody else uses."""

    def __init__(self, dsn: str, step: timedelta) -> None:
        """`step`: how much later each clone is than the one before."""
        self._dsn, self._step = dsn, step
        self.conn = psycopg.connect(dsn, autocommit=True)
        self.conn.execute("set session_replication_role = replica")  # neither foreign keys nor triggers
        self.conn.execute("set timezone = 'UTC'")
        kept = "select id::text from api_keys union select id::text from webhooks"
        self._kept = {row[0] for row in self.conn.execute(kept)}
        self._codes = {str(row[0]) for row in self.conn.execute("select watermark_id from assets")}
        self._contents = {row[0] for row in self.conn.execute("select content_key from items") if row[0]}

    def make(self, count: int, report: Callable[[str], None]) -> None:
        """`count` clones. Indexes that no constraint needs are made again at the end."""
        templates = {table: self._template(table) for table in TABLES}
        indexes = self._drop_indexes()
        for table, template in templates.items():
            if template is None:
                continue
            for begin in range(1, count + 1, 50):
                with self.conn.cursor().copy(template.copy) as copy:
                    for number in range(begin, min(begin + 50, count + 1)):
                        copy.write(template.clone(number))
            report(f"copied {table}")
        for statement in indexes:
            self.conn.execute(statement)
        report("indexed")

    def sign(self, signer: LocalNoteSigner, kept: int) -> None:
        """The tree over every entry, with a head `kept` leaves before its end and one at its end."""
        tree, hashes = MerkleTree(), list[tuple[int, int, bytes]]()
        for table in _TREE:  # of the sample
            always = self.conn.execute(_ALWAYS, [table]).fetchall()
            self.conn.execute(f"alter table {table} disable trigger user; delete from {table}")
            for (name,) in always:
                self.conn.execute(f"alter table {table} enable always trigger {name}")
        self.conn.execute(
            "insert into audit.sequence select row_number() over (order by id) - 1, id, event_id, leaf"
            " from audit.entries"
        )
        (size,) = self.conn.execute("select count(*) from audit.sequence").fetchone() or (0,)
        for leaf in self._leaves():
            hashes += [(node.level, node.index, node.hash) for node in tree.add(leaf)]
            if tree.size in (size - kept, size):
                note = sign_checkpoint(Checkpoint(signer.vkey.name, tree.size, tree.root()), signer)
                row = (tree.size, tree.root(), note)
                self.conn.execute("insert into audit.checkpoints (size, root, note) values (%s, %s, %s)", row)
        with self.conn.cursor().copy("copy audit.nodes (level, index, hash) from stdin") as copy:
            for node in hashes:
                copy.write_row(node)

    def _leaves(self) -> Iterator[bytes]:
        with psycopg.connect(self._dsn) as reading, reading.cursor(name="leaves") as leaves:
            leaves.itersize = 10_000
            for row in leaves.execute("select leaf from audit.sequence order by index"):
                yield row[0]

    def _template(self, table: str) -> _Template | None:
        columns = ", ".join(
            row[0]
            for row in self.conn.execute(
                "select quote_ident(attname) from pg_attribute where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped and attgenerated = '' and attidentity = '' order by attnum",
                [table],
            )
        )
        order = " order by id" if table == "audit.entries" else ""
        with self.conn.cursor().copy(f"copy (select {columns} from {table}{order}) to stdout") as copy:
            text = b"".join(bytes(block) for block in copy).decode()
        if not text:
            return None
        parts, again = [""], list[_Again]()
        for place, part in enumerate(_TOKEN.split(text)):
            token = self._again(part) if place % 2 else None
            if token is None:
                parts[-1] += part
            else:
                again.append(token)
                parts.append("")
        return _Template(f"copy {table} ({columns}) from stdin", tuple(parts), tuple(again))

    def _again(self, found: str) -> _Again | None:
        """What stands in its place in each clone; None: it stays."""
        if (one := self._plain(found)) is not None:
            return one
        try:
            written = bytes.fromhex(found).decode("ascii")
        except ValueError:
            return None
        plain = self._plain(written)
        return None if plain is None else lambda number: plain(number).encode().hex()

    def _plain(self, found: str) -> _Again | None:
        step = self._step
        if found in self._kept:
            return None
        if found in self._codes:
            return lambda number: str((int(found) + number * 0x9E3779B97F) % (1 << 48))
        if found in self._contents:
            return lambda number: hashlib.sha256(f"{found}{number}".encode()).hexdigest()[:48]
        if _SHAPES["uuid"].fullmatch(found):
            digits, later = int(found.replace("-", ""), 16), int(step / timedelta(milliseconds=1)) << 80
            return lambda number: _uuid(digits + number * later)
        if _SHAPES["time"].fullmatch(found):
            at = datetime.fromisoformat(found)
            return lambda number: (at + number * step).isoformat(" ")
        if _SHAPES["iso"].fullmatch(found):
            at = datetime.fromisoformat(found)
            return lambda number: (at + number * step).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return None

    def _drop_indexes(self) -> list[str]:
        """Drops what no constraint needs; the statements that make it again."""
        found = self.conn.execute(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index i where indrelid ="
            " any (%s::regclass[]) and not exists (select from pg_constraint where conindid = i.indexrelid)",
            [list(TABLES)],
        ).fetchall()
        for name, _ in found:
            self.conn.execute(f"drop index {name}")
        return [definition for _, definition in found]


def _uuid(digits: int) -> str:
    written = f"{digits:032x}"
    return "-".join(written[begin:end] for begin, end in pairwise((0, 8, 12, 16, 20, 32)))


def one(conn: psycopg.Connection[Any], query: str) -> Any:
    """The first value."""
    row = conn.execute(query).fetchone()
    return row[0] if row else None
