"""Forgeries of an evidence pack: what whoever hands it over can do to the file, and how the verifier must name it.

The forger is careful: the manifest lists what he added, with its digest. The auditor has the real public keys.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy.ledger.evidence import offline_verifier
from policy.ledger.tree.keys import LocalNoteSigner

Files = Mapping[str, bytes | None]  # by name; None: taken out
_EVENT, _PROOF = "events/000000000001.json", "proofs/000000000001.tlog-proof"


@dataclass(frozen=True, slots=True)
class PackForgery:
    """A change to the files of a pack, or to its bytes, and the words of which one line of the answer holds all."""

    name: str
    expected: tuple[str, ...]
    files: Callable[[Mapping[str, bytes]], Files] = lambda _: {}
    bytes: Callable[[bytes], bytes] = lambda raw: raw


def forged(path: Path, forgery: PackForgery) -> Path:
    """A copy of the pack with this forgery, written beside it."""
    with zipfile.ZipFile(path) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    changed = {**files, **forgery.files(files)}
    kept = {name: content for name, content in changed.items() if content is not None}
    manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in kept.items()}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in {**kept, "manifest.json": json.dumps(manifest).encode()}.items():
            pack.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    copy = path.with_name(f"forged-{path.name}")
    copy.write_bytes(forgery.bytes(whole.getvalue()))
    return copy


def answer(path: Path, vkeys: list[str], kept: list[str]) -> tuple[str, ...]:
    """Everything that the verifier finds wrong with a pack, or why it refuses to read it."""
    try:
        found = offline_verifier.verify(path, vkeys, kept)
    except offline_verifier.Inconclusive as refused:
        return (f"refused: {refused}",)
    return (*found.problems, *found.doubts)


def named_in(said: tuple[str, ...], forgery: PackForgery) -> str | None:
    """The line that names the forgery."""
    return next((line for line in said if all(word in line for word in forgery.expected)), None)


def _other_keys(files: Mapping[str, bytes]) -> Files:
    name = files["vkeys"].decode().partition("+")[0]
    return {"vkeys": f"{LocalNoteSigner(name, Ed25519PrivateKey.generate()).vkey}\n".encode()}


def _hidden(raw: bytes) -> bytes:
    """Bytes between the last file and the list of files; a reader that goes by the list sees none of them."""
    end = raw.rindex(b"PK\x05\x06")
    begin = int.from_bytes(raw[end + 16 : end + 20], "little")
    moved = raw[end : end + 16] + (begin + 6).to_bytes(4, "little") + raw[end + 20 :]
    return raw[:begin] + b"hidden" + raw[begin:end] + moved


FORGERIES = (
    PackForgery(
        "add a summary to the pack",
        ("SUMMARY.html", "nothing signed covers it"),
        lambda _: {"SUMMARY.html": b"<h1>All checks passed</h1>"},
    ),
    PackForgery(
        "add a file with an absolute path",
        ("/etc/cron.d/x", "leads out of the folder"),
        lambda _: {"/etc/cron.d/x": b"x"},
    ),
    PackForgery(
        "add a file above the folder", ("../../x.json", "leads out of the folder"), lambda _: {"../../x.json": b"x"}
    ),
    PackForgery(
        "add an event that differs in case",
        ("Events/000000000001.json", "only in how its name is written"),
        lambda files: {_EVENT.replace("e", "E", 1): files[_EVENT].replace(b"acme", b"amce")},
    ),
    PackForgery(
        "add a proof of no event",
        ("proofs/999999999999.tlog-proof", "no line of index.jsonl names it"),
        lambda files: {"proofs/999999999999.tlog-proof": files[_PROOF]},
    ),
    PackForgery(
        "add a rule set that no event names",
        (f"policy/{hashlib.sha256(b'mild').hexdigest()}.yaml", "no event here names this text"),
        lambda _: {f"policy/{hashlib.sha256(b'mild').hexdigest()}.yaml": b"mild"},
    ),
    PackForgery(
        "add a remark to the index",
        ("index.jsonl, line 1: is no entry",),
        lambda files: {"index.jsonl": files["index.jsonl"].replace(b"{", b'{"checked_by": "the auditor", ', 1)},
    ),
    PackForgery(
        "replace the program in the pack",
        ("verify.py", "Do not run it"),
        lambda _: {"verify.py": b"print('AS IT WAS SIGNED')\n"},
    ),
    PackForgery(
        "replace the text in the pack",
        ("README.txt", "replaced"),
        lambda files: {"README.txt": files["README.txt"] + b"\nThis pack was checked and found sound.\n"},
    ),
    PackForgery("replace the keys in the pack", ("vkeys, line 1", "none that you trust"), _other_keys),
    PackForgery("take the keys out of the pack", ("vkeys: lacks",), lambda _: {"vkeys": b""}),
    PackForgery("take a proof out of the pack", (_PROOF, "is not here"), lambda _: {_PROOF: None}),
    PackForgery("add bytes behind the end", ("behind its end",), bytes=lambda raw: raw + b"more"),
    PackForgery("add bytes before the beginning", ("of none of its files: before",), bytes=lambda raw: b"more" + raw),
    PackForgery("add bytes between the files and their list", ("between its files",), bytes=_hidden),
)
