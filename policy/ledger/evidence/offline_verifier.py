"""Verifier of evidence packs, offline: python verify.py PACK.zip --vkeys FILE [--checkpoint FILE] [--witnesses FILE]

This one file needs Python 3.11 and the package `cryptography`, and nothing else: no network, no database, no other
code of Presswork. It trusts the public keys it is given, and of the pack only what a signed tree head covers.
Keys that come from the pack alone prove nothing: without --vkey or --vkeys the best result is that it cannot tell.
Run your own copy of this file, never the one in a pack. `sha256sum verify.py` is to give the digest that
docs/evidence.md of your release names, and that the log's own events name (verifier.registered).
Whatever is in a pack and is neither signed nor one of the files of a pack is named or refused.
Standards: RFC 6962 (trees), c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof,
c2sp.org/tlog-cosignature, c2sp.org/tlog-policy. docs/evidence.md says what a pack holds.

Exit 0: all of it is as it was signed. 1: something is not, and is named. 2: could not be told.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "presswork-evidence-pack/2"
MAX_FILES, MAX_FILE_BYTES, MAX_BYTES = 300_000, 256 << 20, 2 << 30  # more is refused unread
_COLUMNS = ("event_id", "tenant", "kind", "actor", "at", "subjects")
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")  # of one length, so that text order is order of time
_SETTLED = frozenset(f"item.{outcome}" for outcome in ("released", "refused", "failed", "cancelled"))
_NAMED = ("policy_version", "model_revision", "card_sha256", "verifier_sha256")
_SHOWN = 50  # problems that are printed
# Every file that a pack may hold; a name that is none of these is a file that nobody signed.
_FILES = re.compile(
    r"manifest\.json|index\.jsonl|private\.jsonl|vkeys|witnesses|verify\.py|README\.txt|events/[0-9]{12}\.json"
    r"|proofs/[0-9]{12}\.tlog-proof|(?:checkpoints|consistency)/[1-9][0-9]{0,18}|(?:policy|cards)/[0-9a-f]{64}\.yaml"
    r"|models/[0-9a-f]{64}\.sha256|verifiers/[0-9a-f]{64}\.py"
)
_MANIFEST = {"format", "origin", "selection", "range", "size", "private", "files"}
_PROMISES = ("policy/", "cards/", "models/", "verifiers/")  # folders whose files are named by their digest
README = """An evidence pack of the audit log {origin}.

    python verify.py THIS.zip --vkeys FILE --checkpoint KEPT

FILE holds the log's public keys as they were given to you, KEPT is a checkpoint that you kept. verify.py needs Python
3.11 and the package cryptography. Use your own copy of it, not the one in here: this one comes from the organisation
that is audited. Its digest stands in the documentation of the release (docs/evidence.md) and in the log itself.
"""
_READMES = (README, """An evidence pack of the audit log {origin}.

    python verify.py THIS.zip --vkey 'LINE' --checkpoint FILE

LINE is the log's public key as it was given to you, FILE a checkpoint that you kept. verify.py needs Python 3.11 and
the package cryptography. Use your own copy of it: this one comes from the organisation that is audited.
""")  # fmt: skip


class Inconclusive(Exception):
    """Nothing can be said about this file: it is no pack, or it cannot answer the question."""


class _Wrong(Exception):
    """A part of the pack is not what was signed."""


class _Key(NamedTuple):
    """A public key of the log, from a line NAME+ID+BASE64 [from SIZE] [until SIZE], or of a witness."""

    name: str
    id: bytes
    public: bytes
    since: int = 0
    until: int | None = None  # the last head that is its own, if it was retired

    @classmethod
    def parse(cls, line: str, kind: bytes = b"\x01") -> _Key:
        written, *time = line.split() or [""]
        name, _, rest = written.partition("+")
        raw = _unbase64(rest.partition("+")[2])
        key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        said = dict(zip(time[::2], time[1::2], strict=False))
        sound = (
            len(time) == 2 * len(said) and said.keys() <= {"from", "until"} and all(map(_SIZE.fullmatch, said.values()))
        )
        if len(raw) != 33 or raw[:1] != kind or key_id.hex() != rest.partition("+")[0] or not sound:
            raise Inconclusive(f"not a public key line: {line.strip()[:160]!r}. Of a file of them, say --vkeys FILE")
        return cls(name, key_id, raw[1:], int(said.get("from", 0)), int(said["until"]) if "until" in said else None)

    def signs(self, size: int) -> bool:
        return self.since <= size and (self.until is None or size <= self.until)


class _Policy:
    """Who must have cosigned a head: the lines `witness`, `group` and `quorum` of c2sp.org/tlog-policy."""

    def __init__(self, text: str) -> None:
        self.witnesses: dict[str, _Key] = {}
        self._groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        for line in text.splitlines():
            words = line.split()
            if not words or words[0].startswith("#") or words[0] == "log":
                continue
            if len(words) in (3, 4) and words[0] == "witness":
                self.witnesses[words[1]] = _Key.parse(words[2], b"\x04")
            elif len(words) > 3 and words[0] == "group":
                self._groups[words[1]] = (self._enough(words[2], len(words) - 3), words[3:])
            elif len(words) == 2 and words[0] == "quorum" and not self.quorum:
                self.quorum = words[1]
            else:
                raise Inconclusive(f"not a line of a witness policy: {line.strip()[:100]!r}")
        if self.quorum != "none" and self.quorum not in {*self.witnesses, *self._groups}:
            raise Inconclusive("the witness policy names no quorum that is one of its witnesses or groups")

    def met_by(self, names: Iterable[str]) -> bool:
        return self.quorum == "none" or self._holds(self.quorum, frozenset(names), 0)

    def _holds(self, name: str, names: frozenset[str], depth: int) -> bool:
        if name not in self._groups or depth > len(self._groups):  # deeper only if a group holds itself
            return name in names
        enough, members = self._groups[name]
        return sum(self._holds(member, names, depth + 1) for member in set(members)) >= enough

    def _enough(self, said: str, members: int) -> int:
        enough = {"any": 1, "all": members}.get(said) or (int(said) if _SIZE.fullmatch(said) else 0)
        if not 1 <= enough <= members:
            raise Inconclusive(f"{said!r} of {members} members cannot cosign")
        return enough


class _Head(NamedTuple):
    """A signed statement: this log held exactly `size` leaves, which hash to `root`."""

    origin: str
    size: int
    root: bytes


class _Row(NamedTuple):
    """A line of index.jsonl with what its event's bytes hash to; `leaf` is what the log stored as sealed."""

    place: int
    leaf: bytes
    computed: bytes | None  # None: there are no bytes
    name: str
    at: str
    proven: bool | None  # by its inclusion proof; None: there is none


@dataclass(slots=True)
class PackFindings:
    """What was checked, everything that is wrong, and what this pack cannot show."""

    problems: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def verify(
    path: Path, vkeys: Sequence[str] = (), kept: Sequence[str] = (), witnesses: str | None = None
) -> PackFindings:
    """Everything wrong with a pack. `vkeys` are the keys to trust, `kept` checkpoints that the auditor kept.

    `witnesses` is the text of a policy that the newest checkpoint must satisfy. Raises CannotTell.
    """
    with _open(path) as pack:
        return _Verification(pack, vkeys, kept, _Policy(witnesses) if witnesses is not None else None).run()


class _Verification:
    """One pass over one pack."""

    def __init__(
        self, pack: zipfile.ZipFile, vkeys: Sequence[str], kept: Sequence[str], policy: _Policy | None
    ) -> None:
        self.found = PackFindings()
        self._pack, self._policy = pack, policy
        self._untold: dict[tuple[str, str], str] = {}  # (event, field) of which there is only the digest; its name
        self._told: set[tuple[str, str]] = set()  # (event, field) whose text is here
        self._erased: dict[tuple[str, str], str] = {}  # (event, field) that an event says was erased; which event
        self._digests: dict[str, set[str]] = {name: set() for name in _NAMED}  # digests that events name
        self._cards: dict[str, set[str]] = {}  # digests of cards, by the revision they were registered for
        self._subjects: set[str] = set()  # what the events here are about
        self._asked: dict[str, int] = {}  # items of each request that was accepted
        self._settled: dict[str, set[str]] = {}  # items with an outcome here, by request
        self._cancelled: Counter[str] = Counter()  # items that went with their whole request
        self._newest, self._newest_note = _Head("", 0, b""), ""
        self._entries = {entry.filename: entry for entry in pack.infolist()}
        self._names = set(self._entries)
        self._manifest = self._read_manifest()
        self._own_keys = tuple(self._lines("vkeys"))
        own = () if vkeys else self._own_keys
        self._keys = tuple(_Key.parse(line) for line in vkeys or own)
        if not self._keys:
            raise Inconclusive("no public key: give one with --vkey")
        if self._manifest["origin"] not in {key.name for key in self._keys}:
            names = ", ".join(sorted({repr(key.name) for key in self._keys}))
            raise Inconclusive(f"this is a pack of the log {self._manifest['origin']!r}, and the keys are those of "
                             f"{names}: another log's pack, or the wrong keys")  # fmt: skip
        self._signed_by: set[tuple[str, bytes]] = set()  # name and id of every key that a checkpoint here was signed by
        self._kept = [self._open_kept(note) for note in kept]
        if not vkeys:
            self._doubt("whose log this is: THE KEYS ARE THE PACK'S OWN, which anybody can make. Give yours with "
                        f"--vkey or --vkeys; the pack's are {', '.join(own)}")  # fmt: skip

    def run(self) -> PackFindings:
        self._check_files()
        heads = self._check_checkpoints()
        rows = list(self._check_events())
        self._check_order(rows)
        self._check_erased()
        self._check_texts()
        self._check_keys()
        self._check_readme()
        begun = [row.place for row in rows] == list(range(len(rows)))
        self._accuse(rows[self._rebuild(rows, heads) if begun else 0 :], max(heads, default=0))
        self._check_kept(heads, rows if begun else [])
        proven = sum(row.proven is True for row in rows)
        self._fact(f"log {self._manifest['origin']}: {proven} of {len(rows)} events proven, {len(heads)} checkpoints, "
                   f"the newest of {max(heads, default=0)} leaves")  # fmt: skip
        self._check_selection(rows)
        return self.found

    def _read_manifest(self) -> dict[str, Any]:
        try:
            manifest = json.loads(self._read("manifest.json"), object_pairs_hook=_object)
            kinds: dict[str, Any] = {
                "format": str,
                "origin": str,
                "files": dict,
                "size": int,
                "selection": dict,
                "range": (list, type(None)),
            }
            sound = all(isinstance(manifest[name], kind) for name, kind in kinds.items())
            whole = manifest["range"]
            sound = sound and (whole is None or ([type(end) for end in whole] == [int, int] and whole[0] < whole[1]))
            sound = sound and _is_selection(manifest["selection"])
        except (_Wrong, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Inconclusive(f"manifest.json cannot be read, so this is no evidence pack: {error}") from error
        if not sound or manifest["format"] != FORMAT:
            raise Inconclusive(f"manifest.json is not of the format {FORMAT}, which is the one known here")
        return dict(manifest)

    def _check_files(self) -> None:
        """The manifest lists every file with its digest: catches careless changes and says where."""
        listed = self._manifest["files"]
        for name in sorted(name for name in self._names | listed.keys() if not _FILES.fullmatch(name)):
            self._problem(f"{name}: {self._stranger(name)}")
        for name in sorted(set(self._manifest) - _MANIFEST):
            self._problem(f"manifest.json: says something of {name!r}, which a manifest does not: inserted")
        for name in sorted(self._names - {"manifest.json"} - listed.keys()):
            if _FILES.fullmatch(name):
                self._problem(f"{name}: is in the pack but not in its manifest: inserted")
        for name, digest in sorted(listed.items()):
            if name not in self._names:
                self._problem(f"{name}: is in the manifest but not in the pack: deleted")
                continue
            with self._named(name):
                actual = hashlib.sha256(self._read(name)).hexdigest()
                if actual != digest:
                    raise _Wrong("is not the file that the manifest lists: edited")
                if name.startswith(_PROMISES) and Path(name).stem != actual:
                    raise _Wrong("its bytes are not those that its name promises: edited")

    def _stranger(self, name: str) -> str:
        """What is wrong with a file that no pack holds."""
        plain = unicodedata.normalize("NFKC", name).casefold()
        twin = next((other for other in sorted(self._names) if other != name and other.casefold() == plain), None)
        if twin:
            return f"differs from {twin} only in how its name is written, and is no file of a pack: inserted"
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or name[1:2] == ":":
            return "leads out of the folder that the pack is unpacked to, and is no file of a pack: inserted"
        return "is no file of a pack, and nothing signed covers it: inserted"

    def _check_readme(self) -> None:
        """The program and the text that come along say what they always say; a person reads and runs them."""
        with self._named("README.txt"):
            known = (text.format(origin=self._manifest["origin"]) for text in _READMES)
            if "README.txt" in self._names and self._text("README.txt") not in known:
                raise _Wrong("is not the text that comes with every pack: replaced")
        if "verify.py" not in self._names:
            return
        with self._named("verify.py"):
            theirs, mine = (hashlib.sha256(each).hexdigest() for each in (self._read("verify.py"), _own_bytes()))
            registered = self._digests["verifier_sha256"]
            if theirs == mine:
                self._fact(f"the verify.py of the pack is this very program, sha256 {mine}")
            elif theirs in registered:
                self._fact(f"the verify.py of the pack, sha256 {theirs}, is another than this program, sha256 {mine}. "
                           "Events of the log name it")  # fmt: skip
            elif registered:
                raise _Wrong(f"is neither this program nor one that the log's events name, sha256 {theirs}: replaced. "
                             "Do not run it")  # fmt: skip
            else:
                self._doubt(f"what the verify.py of the pack is, sha256 {theirs}: it is not this program, sha256 {mine}"
                            ", and no event here names it. Do not run it")  # fmt: skip

    def _check_keys(self) -> None:
        """The keys that come along are among those that are trusted, and hold every key that signed."""
        trusted = {(key.name, key.id) for key in self._keys}
        listed = set()
        for number, line in enumerate(self._own_keys, start=1):
            try:
                key = _Key.parse(line)
            except Inconclusive:
                self._problem(f"vkeys, line {number}: is no public key line: edited")
                continue
            listed.add((key.name, key.id))
            if (key.name, key.id) not in trusted:
                self._problem(f"vkeys, line {number}: the key {key.name}+{key.id.hex()} is none that you trust: "
                              "replaced, or you lack a key that the log was given later")  # fmt: skip
            elif key not in self._keys:
                self._fact(f"vkeys, line {number}: says another time of its key than yours, which was used")
        for name, key_id in sorted(self._signed_by - listed):
            self._problem(f"vkeys: lacks {name}+{key_id.hex()}, which signed a checkpoint here: edited")

    def _check_checkpoints(self) -> dict[int, _Head]:
        """Every signed head by its size, each proven to be extended by the largest."""
        heads: dict[int, _Head] = {}
        for name in sorted(n for n in self._names if n.startswith("checkpoints/")):
            with self._named(name):
                head = self._open_note(self._text(name))
                if name != f"checkpoints/{head.size}":
                    raise _Wrong(f"holds the checkpoint of {head.size} leaves: replaced")
                heads[head.size] = head
        newest, said = max(heads, default=0), self._manifest["size"]
        if newest != said:
            self._problem(f"checkpoints/{said}: the checkpoint that the proofs need is missing or not sound")
        if heads:
            self._newest, self._newest_note = heads[newest], self._text(f"checkpoints/{newest}")
            self._check_witnesses(f"checkpoints/{newest}", self._newest_note)
        for name in sorted(name for name in self._names if name.startswith("consistency/")):
            if name not in {f"consistency/{size}" for size in heads.keys() - {newest}}:
                self._problem(f"{name}: is the proof of no checkpoint here: inserted")
        for size in sorted(heads.keys() - {newest}):
            with self._named(f"consistency/{size}"):
                path = _path(self._text(f"consistency/{size}"), f"old {size}", self._newest_note)
                if not _extends(heads[size], heads[newest], path):
                    raise _Wrong(f"the {newest} leaves do not begin with the {size} signed before: history was changed")
        return heads

    def _check_witnesses(self, place: str, note: str) -> None:
        """The newest checkpoint was shown to enough witnesses, so the same history was shown to everybody."""
        if self._policy is None:
            cosigned = note.rpartition("\n\n")[2].count("\n") - 1
            self._fact(
                f"{cosigned} signatures of witnesses are not checked: give --witnesses"
                if cosigned
                else "no witness cosigned the newest checkpoint"
            )
            return
        text, _, tail = note.rpartition("\n\n")
        found = set()
        for line in tail.splitlines():
            name, _, encoded = line.removeprefix("\u2014 ").partition(" ")
            raw = _unbase64(encoded)
            for own_name, key in self._policy.witnesses.items():
                if (key.name, key.id) == (name, raw[:4]):
                    with self._named(f"{place}, witness {own_name}"):
                        _check_cosignature(f"{text}\n", raw[4:], key)
                        found.add(own_name)
        if not self._policy.met_by(found):
            self._problem(f"{place}: cosigned by {', '.join(sorted(found)) or 'no witness'}, which is not the quorum "
                          f"'{self._policy.quorum}': others may have been shown another history")  # fmt: skip
        self._fact(
            f"cosigned by {', '.join(sorted(found)) or 'no witness'} of the policy; quorum '{self._policy.quorum}'"
        )

    def _check_events(self) -> Iterator[_Row]:
        secrets = self._secrets()
        listed = set()
        for number, line in enumerate(self._lines("index.jsonl"), start=1):
            try:
                entry = json.loads(line, object_pairs_hook=_object)
                if set(entry) != {"index", "leaf", *_COLUMNS}:
                    raise TypeError
                name = f"leaf {entry['index']}, event {entry['event_id']}"
                if entry["kind"]:  # None: the log has no such entry any more
                    name = f"leaf {entry['index']}, {entry['kind']} event {entry['event_id']} of {entry['at']}"
                row = _Row(entry["index"], bytes.fromhex(entry["leaf"]), None, name, str(entry["at"]), proven=None)
                if type(row.place) is not int or row.place < 0:
                    raise TypeError
                listed |= {f"events/{row.place:012}.json", f"proofs/{row.place:012}.tlog-proof"}
            except (ValueError, KeyError, TypeError, RecursionError):
                self._problem(f"index.jsonl, line {number}: is no entry: edited")
                continue
            yield self._check_event(row, entry, secrets)
        for name in sorted(n for n in self._names if n.startswith(("events/", "proofs/")) and n not in listed):
            self._problem(f"{name}: no line of index.jsonl names it: inserted")
        for event_id, fields in secrets.items():
            self._problem(f"private.jsonl: {sorted(fields)} of event {event_id} is promised by no event here: inserted")

    def _check_event(self, row: _Row, entry: dict[str, Any], secrets: dict[str, dict[str, tuple[bytes, str]]]) -> _Row:
        event, proof = f"events/{row.place:012}.json", f"proofs/{row.place:012}.tlog-proof"
        if event not in self._names:
            return row
        with self._named(f"{event} ({row.name})"):
            raw = self._read(event)
            row = row._replace(computed=hashlib.sha256(b"\x00" + raw).digest())
            self._check_columns(entry, raw, secrets)
        if proof not in self._names:
            if row.place < self._newest.size:
                self._problem(f"{proof} ({row.name}): the proof of this event is not here: deleted, or the log holds "
                              "too little to make one")  # fmt: skip
            return row
        with self._named(f"{proof} ({row.name})"):
            path = _path(self._text(proof), f"c2sp.org/tlog-proof@v1\nindex {row.place}", self._newest_note)
            root = _root_of(row.computed or b"", row.place, self._newest.size, path)
            return row._replace(proven=root == self._newest.root)
        return row._replace(proven=False)

    def _check_columns(
        self, entry: dict[str, Any], raw: bytes, secrets: dict[str, dict[str, tuple[bytes, str]]]
    ) -> None:
        try:
            body = json.loads(raw)
            own = secrets.pop(body["event_id"], {})
            wrong = [column for column in _COLUMNS if entry[column] != body[column]]
            promised = {
                field: value["commitment"]
                for field, value in body["event"].items()
                if isinstance(value, dict) and "commitment" in value
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _Wrong(f"its bytes are no event: {error}") from error
        for column in wrong:
            self._problem(f"leaf {entry['index']}, event {body['event_id']}: column {column} says "
                          f"{entry[column]!r}, the bytes say {body[column]!r}: edited")  # fmt: skip
        where = f"leaf {entry['index']}, {body['kind']} event {body['event_id']}"
        self._note_item(body)
        self._untold |= {(body["event_id"], name): where for name in promised.keys() - own.keys()}
        self._told |= {(body["event_id"], name) for name in promised.keys() & own.keys()}
        if body["kind"] == "text.erased":
            self._note_erasure(body)
        self._note_digests(body["event"])
        if body["kind"] == "model.registered":
            revision, card = str(body["event"].get("model_revision")), str(body["event"].get("card_sha256"))
            self._cards.setdefault(revision, set()).add(card)
        for name, (salt, value) in own.items():
            if f"sha256:{hashlib.sha256(salt + value.encode(errors='replace')).hexdigest()}" != promised.get(name):
                raise _Wrong(f"the private text of {name} does not fit its digest: edited")

    def _note_item(self, body: dict[str, Any]) -> None:
        """What the event is about, and what it says of the items of a request."""
        said = body["event"]
        if isinstance(body["subjects"], list):
            self._subjects |= {subject for subject in body["subjects"] if isinstance(subject, str)}
        request, items = str(said.get("request_id")), said.get("items")
        if body["kind"] == "request.accepted" and isinstance(items, int):
            self._asked[request] = items
        elif body["kind"] == "request.cancelled" and isinstance(items, int):
            self._cancelled[request] += items
        elif body["kind"] in _SETTLED:
            self._settled.setdefault(request, set()).add(str(said.get("item_id")))

    def _note_digests(self, said: Any) -> None:
        """Rule sets and model revisions, wherever in an event they are named."""
        waiting = [said]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                for name, digests in self._digests.items():
                    if isinstance(part.get(name), str):
                        digests.add(part[name])
                waiting += part.values()
            elif isinstance(part, list):
                waiting += part

    def _check_texts(self) -> None:
        """Every rule set and model that an event names is here, as of then: without it nobody knows what decided."""
        for version in sorted(self._digests["policy_version"]):
            if f"policy/{version.removeprefix('sha256:')}.yaml" not in self._names:
                self._problem(f"{version}: events name this rule set, and its text is not here: deleted, or never kept")
        for revision in sorted(self._digests["model_revision"]):
            if f"models/{revision.removeprefix('sha256:')}.sha256" not in self._names:
                self._problem(f"{revision}: events name this model revision, and the list of its files is not here: "
                              "deleted, or never kept")  # fmt: skip
            if not self._cards.get(revision):
                self._problem(f"{revision}: events name this model revision, and no event here registers its card: "
                              "deleted, or never kept")  # fmt: skip
            for card in sorted(self._cards.get(revision, ())):
                if f"cards/{card}.yaml" not in self._names:
                    self._problem(f"cards/{card}.yaml: the card registered for {revision} is not here: deleted")
        for sha256 in sorted(self._digests["verifier_sha256"]):
            if f"verifiers/{sha256}.py" not in self._names:
                self._problem(f"verifiers/{sha256}.py: events name this program, and it is not here: deleted")
        known = {digest.removeprefix("sha256:") for digests in self._digests.values() for digest in digests}
        for name in sorted(name for name in self._names if name.startswith(_PROMISES) and _FILES.fullmatch(name)):
            if Path(name).stem not in known:
                self._problem(f"{name}: no event here names this text: inserted")
        named = {kind: len(digests) for kind, digests in self._digests.items()}
        self._fact(f"rule sets that events name: {named['policy_version']}; model revisions: {named['model_revision']}")

    def _note_erasure(self, body: dict[str, Any]) -> None:
        try:
            said = body["event"]
            by = f"{body['event_id']} of {body['at']} ({said['basis']}, {said['retention_class']})"
            gone = {(str(event), str(name)): by for event in said["event_ids"] for name in said["fields"]}
        except (KeyError, TypeError) as error:
            raise _Wrong(f"its bytes are no erasure: {error}") from error
        self._erased = {**gone, **self._erased}

    def _check_erased(self) -> None:
        """Missing text is erased by an event of the log, or was left out of the pack, or was taken away."""
        for event_id, name in sorted(self._told & self._erased.keys()):
            self._problem(f"private.jsonl: {name} of event {event_id} is here, although event "
                          f"{self._erased[event_id, name]} says it was erased: put back")  # fmt: skip
        erased = Counter(by for text, by in self._erased.items() if text in self._untold)
        for by, count in erased.most_common(_SHOWN):
            self._fact(f"{count} private text{'s were' if count > 1 else ' was'} erased, by event {by}")
        unexplained = {text: where for text, where in self._untold.items() if text not in self._erased}
        if unexplained and self._manifest.get("private") is not True:
            self._fact(f"{len(unexplained)} private texts are not here, only their digests: left out of this pack")
            return
        for (_, name), where in unexplained.items():
            self._problem(f"{where}: the private text of {name} is not here, and no event says it was erased: deleted")

    def _check_order(self, rows: Sequence[_Row]) -> None:
        for before, row in pairwise(rows):
            if row.place <= before.place:
                self._problem(f"index.jsonl: {row.name} stands after leaf {before.place}: reordered")
        for row in rows:
            if row.computed is None:
                self._problem(f"{row.name}: its bytes are not there: deleted")
        there, whole = {row.place for row in rows}, self._manifest["range"]
        missing = (place for place in range(*whole) if place not in there) if whole else iter(())
        if gone := list(islice(missing, _SHOWN)):
            self._problem(f"leaf {', '.join(map(str, gone))}: missing from a range that must have no gap: deleted")

    def _check_selection(self, rows: Sequence[_Row]) -> None:
        """The pack is about what it says it is about, and where it can be told, it holds all of that."""
        about, whole, size = self._manifest["selection"], self._manifest["range"], self._manifest["size"]
        if named := {noun: about[noun] for noun in ("asset", "request") if noun in about}:
            ((noun, name),) = named.items()
            self._fact(f"about {noun} {name}: a selection, others may exist")
            if not {f"{noun}:{name}", f"item:{name}" if noun == "asset" else ""} & self._subjects:
                self._problem(f"manifest.json: no event here is about {noun} {name}: the pack of another thing")
            if noun == "request":
                self._count_items(name)
            return
        if whole is None:
            self._problem("manifest.json: a range without its ends cannot be whole: edited")
            return
        if not about and whole != [0, size]:
            self._problem(f"manifest.json: says that this is the whole log, of {size} leaves, and holds leaves "
                          f"{whole[0]} to {whole[1] - 1}: cut off")  # fmt: skip
        if about:
            self._check_ends(rows, about.get("from", ""), about.get("to", "~"), whole, size)
        said = (
            "the whole log" if not about else " ".join(f"{end} {about[end]}" for end in ("from", "to") if end in about)
        )
        self._fact(f"{said}: leaves {whole[0]} to {whole[1] - 1} without a gap")

    def _check_ends(self, rows: Sequence[_Row], since: str, until: str, whole: Sequence[int], size: int) -> None:
        """The leaves next to a range of time lie outside of that time: nobody cut the range short."""
        beside = {row.place: row for row in rows}
        for place in (whole[0] - 1, whole[1]):
            if not 0 <= place < size:
                continue
            if place not in beside:
                self._problem(f"leaf {place}: stands next to the range and is not here, so that nobody sees whether "
                              "the range was cut off there: deleted")  # fmt: skip
            elif since <= beside[place].at < until:
                self._problem(f"{beside[place].name}: is of the time that was asked for and lies outside the range of "
                              f"leaves {whole[0]} to {whole[1] - 1}: cut off")  # fmt: skip

    def _count_items(self, request: str) -> None:
        if request not in self._asked:
            return
        settled = len(self._settled.get(request, ())) + self._cancelled[request]
        said = f"{settled} of the {self._asked[request]} items of request {request} have their outcome here"
        if settled > self._asked[request]:
            self._problem(f"{said}: more than there were")
        else:
            rest = "" if settled == self._asked[request] else ": the others are open, or their events were left out"
            self._fact(said + rest)

    def _rebuild(self, rows: Sequence[_Row], heads: dict[int, _Head]) -> int:
        """The log from its first leaf: build the tree again and meet each head. Returns how far it was judged."""
        tree, begin = _Tree(), 0
        for size in sorted(size for size in heads if size <= len(rows)):
            part = rows[begin:size]
            edited = [row for row in part if row.computed not in (None, row.leaf)]
            sealed = tree.extended(row.leaf for row in part)
            actual = tree.extended(row.computed or row.leaf for row in part)
            if heads[size].root not in (sealed.root(), actual.root()):
                self._mismatch(part, begin, size)
                return len(rows)
            said = "its bytes are not those that were sealed"
            if sealed.root() != heads[size].root:
                said, sealed = "its stored leaf was changed, its bytes are as sealed", actual
            for row in edited:
                self._problem(f"{row.name}: {said}: edited")
            tree, begin = sealed, size
        if failed := [row for row in rows[:begin] if row.proven is False and row.computed == row.leaf]:
            self._problem(f"{failed[0].name}: its proof does not hold, its bytes are as sealed ({len(failed)} such)")
        return begin

    def _mismatch(self, part: Sequence[_Row], begin: int, size: int) -> None:
        """Leaves that were changed together with their copies: name who looks guilty, and the range for certain."""
        for before, row in pairwise(part):
            if row.at < before.at:
                self._problem(f"{row.name}: stands after a later one: reordered or inserted")
        for row in part:
            if row.computed not in (None, row.leaf):
                self._problem(f"{row.name}: its bytes are not those that were sealed: edited")
        names = "; ".join(row.name for row in part[:10])
        self._problem(f"leaves {begin} to {size - 1} do not hash to the root signed for {size} leaves: one was edited, "
                      f"replaced, inserted or moved. They begin with {names}")  # fmt: skip

    def _accuse(self, rows: Sequence[_Row], size: int) -> None:
        """Events that no rebuilt tree covers: each stands on its own proof."""
        places = {row.leaf: row.place for row in rows}
        for row in rows:
            if row.computed is None or row.proven:
                continue
            said = "its bytes and its leaf are not what was signed, or its proof is not: edited, replaced or moved"
            if row.place >= size:
                said = f"lies beyond the {size} leaves that were signed: inserted"
            elif places.get(row.computed, row.place) != row.place:
                said = f"these are the bytes of leaf {places[row.computed]}: reordered"
            elif row.computed != row.leaf:
                said = "its bytes are not those that were sealed: edited"
            elif row.proven is None:
                said = "there is no proof of it: the log holds too little to make one, or it was deleted"
            self._problem(f"{row.name}: {said}")

    def _check_kept(self, heads: dict[int, _Head], rows: Sequence[_Row]) -> None:
        """What the auditor kept decides whether this is the same log, and whether its end is still there."""
        newest = max(heads, default=0)
        for kept in self._kept:
            if kept.size > newest:
                self._problem(f"the checkpoint you kept: covers {kept.size} leaves, the pack's newest {newest}: the "
                              "end was cut off, or an older copy was restored")  # fmt: skip
            elif kept.size not in heads and kept.size > len(rows):
                self._doubt("whether this is the log whose checkpoint you kept: the pack holds no checkpoint of its "
                            f"{kept.size} leaves. Ask for a pack with --checkpoint {kept.size}")  # fmt: skip
            else:
                rebuilt = _Tree().extended(row.computed or row.leaf for row in rows[: kept.size]).root()
                if kept.root == (heads[kept.size].root if kept.size in heads else rebuilt):
                    self._fact(f"the checkpoint you kept, of {kept.size} leaves, is part of this log")
                else:
                    self._problem(f"the checkpoint you kept: has another root of {kept.size} leaves than the pack: two "
                                  "histories of one log")  # fmt: skip

    def _open_kept(self, note: str) -> _Head:
        """A checkpoint of the auditor's own: one that cannot be believed says nothing against the pack."""
        try:
            return self._open_note(note)
        except _Wrong as wrong:
            raise Inconclusive(f"the checkpoint you kept {wrong}") from wrong

    def _secrets(self) -> dict[str, dict[str, tuple[bytes, str]]]:
        found: dict[str, dict[str, tuple[bytes, str]]] = {}
        for number, line in enumerate(self._lines("private.jsonl"), start=1):
            try:
                row = json.loads(line, object_pairs_hook=_object)
                if set(row) != {"event_id", "field", "salt", "value"}:
                    raise TypeError
                salt, value = bytes.fromhex(row["salt"]), str(row["value"])
                own = found.setdefault(str(row["event_id"]), {})
                if own.setdefault(str(row["field"]), (salt, value)) != (salt, value):
                    self._problem(f"private.jsonl, line {number}: a second text of one field: inserted")
            except (ValueError, KeyError, TypeError, RecursionError):
                self._problem(f"private.jsonl, line {number}: is no private text: edited")
        return found

    def _open_note(self, note: str) -> _Head:
        """The checkpoint in a signed note, after its signature was checked. Raises Wrong."""
        text, _, tail = note.rpartition("\n\n")
        lines = text.split("\n")
        if len(lines) < 3 or not _SIZE.fullmatch(lines[1]) or len(root := _unbase64(lines[2])) != 32:
            raise _Wrong("is no signed checkpoint: edited")
        if lines[0] != self._manifest["origin"]:
            raise _Wrong(f"is of the log {lines[0]!r}, and the pack of {self._manifest['origin']!r}: another log's")
        untrusted = []
        for line in tail.splitlines():
            name, _, encoded = (
                line.removeprefix("\u2014 ").partition(" ") if line.startswith("\u2014 ") else ("", "", "")
            )
            raw = _unbase64(encoded)
            known = [key for key in self._keys if (key.name, key.id) == (name, raw[:4]) == (lines[0], raw[:4])]
            if not known:
                untrusted.append(f"{name} ({raw[:4].hex()})")
                continue
            try:
                Ed25519PublicKey.from_public_bytes(known[0].public).verify(raw[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise _Wrong(f"the signature of {name} does not fit its text: edited") from None
            if not known[0].signs(int(lines[1])):
                raise _Wrong(f"is signed by a key of {name} whose last own checkpoint has {known[0].until} leaves, or "
                            f"whose first has {known[0].since}: a retired key")  # fmt: skip
            self._signed_by.add((name, raw[:4]))
            return _Head(lines[0], int(lines[1]), root)
        raise _Wrong(f"is signed by {', '.join(untrusted)}: not a key that is trusted here, an unknown key")

    def _read(self, name: str) -> bytes:
        if name not in self._entries:
            raise _Wrong("is not in the pack: deleted")
        try:
            return _unpacked(self._pack, self._entries[name])
        except (zlib.error, OSError, ValueError) as error:
            raise _Wrong(f"does not unpack: edited or cut off ({error})") from error

    def _text(self, name: str) -> str:
        try:
            return self._read(name).decode()
        except UnicodeDecodeError as error:
            raise _Wrong(f"is not text: edited ({error})") from error

    def _lines(self, name: str) -> list[str]:
        with self._named(name):
            *lines, rest = self._text(name).split("\n") if name in self._names else [""]
            if rest:
                self._problem(f"{name}: its last line has no end: cut off")
            return lines
        return []

    @contextmanager
    def _named(self, place: str) -> Iterator[None]:
        """What is wrong inside becomes a problem of this place."""
        try:
            yield
        except _Wrong as wrong:
            self._problem(f"{place}: {wrong}")

    def _problem(self, said: str) -> None:
        """Problems quote the pack: nothing in it may write to the auditor's terminal."""
        self.found.problems.append("".join(char if char.isprintable() else ascii(char)[1:-1] for char in said))

    def _fact(self, said: str) -> None:
        self.found.facts.append(said)

    def _doubt(self, said: str) -> None:
        self.found.doubts.append(said)


def _check_cosignature(text: str, raw: bytes, key: _Key) -> None:
    """c2sp.org/tlog-cosignature, Ed25519: eight bytes of time, then the signature. Raises Wrong."""
    said = f"cosignature/v1\ntime {int.from_bytes(raw[:8], 'big')}\n{text}"
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(raw[8:], said.encode())
    except InvalidSignature:
        raise _Wrong(f"the cosignature of {key.name} does not fit its text: edited") from None


class _Tree:
    """An RFC 6962 tree of which only the roots of its complete subtrees are kept, with their sizes."""

    def __init__(self, peaks: Iterable[tuple[int, bytes]] = ()) -> None:
        self._peaks = list(peaks)

    def extended(self, leaves: Iterable[bytes]) -> _Tree:
        """A new tree with these leaves at the end."""
        tree = _Tree(self._peaks)
        for leaf in leaves:
            size, node = 1, leaf
            while tree._peaks and tree._peaks[-1][0] == size:
                node = _node(tree._peaks.pop()[1], node)
                size *= 2
            tree._peaks.append((size, node))
        return tree

    def root(self) -> bytes:
        hashes = [node for _, node in self._peaks] or [hashlib.sha256().digest()]
        root = hashes.pop()
        while hashes:
            root = _node(hashes.pop(), root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2: the root that an inclusion proof leads to; None if it cannot be one."""
    node, last, hashed = index, size - 1, leaf
    if not 0 <= index < size:
        return None
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            hashed = _node(sibling, hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = _node(hashed, sibling)
        node, last = node >> 1, last >> 1
    return hashed if last == 0 else None


def _extends(old: _Head, new: _Head, path: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2: whether a consistency proof holds; old.size < new.size."""
    hashes = [old.root, *path] if old.size & (old.size - 1) == 0 else list(path)
    if not hashes or not 0 < old.size < new.size:
        return False
    node, last = old.size - 1, new.size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = _node(sibling, first), _node(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = _node(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and (first, second) == (old.root, new.root)


def _path(text: str, opening: str, note: str) -> list[bytes]:
    """The hashes of a proof that begins with these lines and is under this checkpoint. Raises Wrong."""
    head, _, under = text.partition("\n\n")
    if not f"{head}\n".startswith(f"{opening}\n") or under != note or not note:
        raise _Wrong("is not the proof that belongs here, or not under the newest checkpoint: edited or replaced")
    path = [_unbase64(line) for line in head[len(opening) + 1 :].split("\n") if line]
    if any(len(hashed) != 32 for hashed in path):
        raise _Wrong("holds something that is no hash: edited")
    return path


def _unbase64(encoded: str) -> bytes:
    """b"" for what is no base64, or not the one way to write it."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.b64encode(raw).decode() == encoded else b""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no name stands twice: readers would differ in which of the two they take."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _is_selection(about: dict[str, Any]) -> bool:
    """Of one asset or request, perhaps of one tenant; or of a range of time; or, empty, of the whole log."""
    if not all(isinstance(name, str) for name in about.values()):
        return False
    if about.keys() <= {"from", "to"}:
        return all(map(_INSTANT.fullmatch, about.values()))
    return about.keys() - {"tenant"} in ({"asset"}, {"request"})


def _open(path: Path) -> zipfile.ZipFile:
    """The pack, if it is a ZIP file within the bounds."""
    try:
        pack = zipfile.ZipFile(path)
    except OSError as error:
        raise Inconclusive(f"{path} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Inconclusive(f"{path} is no readable ZIP file; cut off, or something else: {error}") from error
    files = pack.infolist()
    if (
        len(files) > MAX_FILES
        or any(f.file_size > MAX_FILE_BYTES for f in files)
        or (sum(f.file_size for f in files) > MAX_BYTES)
    ):
        raise Inconclusive(f"{path} unpacks to more than this program reads: {len(files)} files")
    if any(f.flag_bits & 1 or f.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for f in files):
        raise Inconclusive(f"{path} is encrypted, or packed in a way that packs are not")
    if len({f.filename for f in files}) != len(files):
        raise Inconclusive(f"{path} holds two files of one name")
    if said := _between(pack, path.stat().st_size):
        raise Inconclusive(
            f"{path} holds bytes of none of its files: {said}. Another program may read another pack there"
        )
    return pack


def _between(pack: zipfile.ZipFile, size: int) -> str:
    """Where a ZIP file holds bytes that belong to none of its files, or two answers to one question; else ""."""
    file, files = pack.fp, sorted(pack.infolist(), key=lambda entry: entry.header_offset)
    assert file is not None  # noqa: S101 - it is open
    at = listing = 0
    for entry in files:
        if entry.header_offset != at:
            return f"before {entry.filename!r}"
        file.seek(at)
        head = file.read(30)
        if len(head) < 30:
            return f"the header of {entry.filename!r} is cut off"
        _, _, flags, method, _, _, crc, packed, unpacked, name, extra = struct.unpack("<4s5H3L2H", head)
        said = (entry.flag_bits, entry.compress_type, entry.CRC, entry.compress_size, entry.file_size)
        if (flags, method, crc, packed, unpacked) != said or extra or entry.extra or entry.comment:
            return f"the two headers of {entry.filename!r} differ, or hold more than a name"
        if file.read(name) != entry.orig_filename.encode("utf-8" if flags & 0x800 else "cp437", errors="replace"):
            return f"the two names of {entry.filename!r} differ"
        at += 30 + name + packed
        listing += 46 + name
    if at != pack.start_dir:
        return "between its files and their list"
    ending = 22 if len(files) <= 0xFFFF else 22 + 20 + 56  # a list of more files than that has a second ending
    return "" if not pack.comment and at + listing + ending == size else "behind its end"


def _unpacked(pack: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of a file, all of which its packed bytes are about. Raises ValueError or zlib.error."""
    file = pack.fp
    assert file is not None  # noqa: S101 - it is open
    file.seek(entry.header_offset + 26)
    name, extra = struct.unpack("<2H", file.read(4))
    file.seek(name + extra, 1)
    raw = file.read(entry.compress_size)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        unpacker = zlib.decompressobj(-15)
        content = unpacker.decompress(raw, entry.file_size + 1)
        if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
            raise ValueError("its packed bytes end early, or others follow them")
    else:
        content = raw
    if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
        raise ValueError("its length or its check sum is another")
    return content


def _own_bytes() -> bytes:
    """This program, as it lies on the disk of whoever runs it."""
    return Path(__file__).read_bytes()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an evidence pack offline.")
    parser.add_argument("pack", type=Path, metavar="PACK.zip")
    parser.add_argument(
        "--vkey", action="append", default=[], metavar="LINE", help="a public key of the log that you trust"
    )
    parser.add_argument("--vkeys", type=Path, metavar="FILE", help="a file of such lines")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, metavar="FILE",
                        help="a checkpoint of this log that you kept")  # fmt: skip
    parser.add_argument("--witnesses", type=Path, metavar="FILE", help="a witness policy that you trust")
    told = parser.parse_args(arguments)
    try:
        policy = told.witnesses.read_text() if told.witnesses else None
        lines = told.vkeys.read_text().splitlines() if told.vkeys else []
        trusted = [*told.vkey, *(line for line in lines if line.strip() and not line.startswith("#"))]
        if told.vkeys and not trusted:
            raise Inconclusive(f"{told.vkeys} holds no public key")
        found = verify(told.pack, trusted, [path.read_text() for path in told.checkpoint], policy)
    except (Inconclusive, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"CANNOT TELL: {error}\n")
        return 2
    shown = [f"  {fact}" for fact in found.facts] + [f"  WRONG: {said}" for said in found.problems[:_SHOWN]]
    left_out = len(found.problems) - _SHOWN
    shown += [f"  and {left_out} more"] if left_out > 0 else []
    shown += [f"  CANNOT TELL: {said}" for said in found.doubts]
    code = 1 if found.problems else 2 if found.doubts else 0
    verdict = ("AS IT WAS SIGNED", "NOT AS IT WAS SIGNED", "CANNOT TELL")
    sys.stdout.write("\n".join([verdict[code], *shown, ""]))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
