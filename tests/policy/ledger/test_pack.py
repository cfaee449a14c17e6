"""Evidence packs: always the same bytes, checked by a single file that knows nothing of ours. No edit goes unseen."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.drill.pack_cases import FORGERIES, PackForgery, answer, forged, named_in
from policy.errors import LedgerError
from policy.events import BatchDispatched, ItemReviewed, Private, RequestAccepted
from policy.ledger import documents
from policy.ledger.append import SYSTEM_TENANT
from policy.ledger.evidence import offline_verifier, pack
from policy.ledger.evidence.offline_verifier import Inconclusive
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint
from tests.support.ledger import ORIGIN, Ledger, failed, new_signer

RULES = b"the rules as of then"


def pack_of(ledger, path, **chosen):
    """A pack of this ledger; its keys, and the path it was written to."""
    options = {name: chosen.pop(name) for name in ("sizes", "with_private", "limit") if name in chosen}
    with ledger.auditor.connect() as conn:
        write_pack(conn, path, Selection(**chosen), vkeys=ledger.vkeys, **options)
    return path


def verdict(path, ledger, **told):
    return offline_verifier.verify(path, [str(vkey) for vkey in ledger.vkeys], **told).problems


def altered(path, changes):
    """A copy in which files are replaced or (None) removed, and the manifest follows: a careful forger's."""
    with zipfile.ZipFile(path) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    for name, content in changes.items():
        files[name] = content if isinstance(content, bytes | None) else content(files[name])
    manifest = json.loads(files.pop("manifest.json"))
    files = {name: content for name, content in files.items() if content is not None}
    manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    other = path.with_name(f"altered-{path.name}")
    with zipfile.ZipFile(other, "w") as pack:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            pack.writestr(name, content)
    return other


def meant(path, name):
    """The lines of a file, without what changes nothing: white space, the case of hexadecimal digits, their number."""
    with zipfile.ZipFile(path) as pack:
        return {b"".join(line.split()).lower() for line in pack.read(name).splitlines()}


def event(number):
    return f"events/{number:012}.json"


def proof(number):
    return f"proofs/{number:012}.tlog-proof"


@pytest.fixture(scope="module")
def log(databases):
    """One log for all tests that only read it."""
    with databases.lent() as database:
        ledger = Ledger(database)
        ledger.fill(5, 5, 5)
        yield ledger


@pytest.fixture(scope="module")
def packs(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    return {
        "whole": pack_of(log, folder / "whole.zip"),
        "item": pack_of(log, folder / "item.zip", asset_id="item-3"),
        "request": pack_of(log, folder / "request.zip", request_id="request-1"),
    }


@pytest.mark.parametrize("kind", ["whole", "item", "request"])
def test_a_pack_proves_itself_to_whoever_has_the_public_key(log, packs, kind):
    assert verdict(packs[kind], log) == []
    with zipfile.ZipFile(packs[kind]) as pack:
        assert sum(name.startswith("events/") for name in pack.namelist()) == (1 if kind == "item" else 15)


def test_the_verifier_runs_alone_from_the_pack_itself(log, packs, tmp_path):
    with zipfile.ZipFile(packs["whole"]) as pack:
        (tmp_path / "verify.py").write_bytes(pack.read("verify.py"))
    (tmp_path / "kept").write_text(log.value("select note from audit.checkpoints where size = 10"))

    def run(*arguments):
        return subprocess.run([sys.executable, "-I", "verify.py", str(packs["whole"]), *arguments], cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip

    sound = run("--vkey", str(log.vkeys[0]), "--checkpoint", "kept")
    assert (sound.returncode, sound.stderr) == (0, "")
    for words in ("AS IT WAS SIGNED", "15 of 15 events proven", "leaves 0 to 14 without a gap", "is part of this log"):
        assert words in sound.stdout
    (tmp_path / "vkeys").write_text(f"# of the log\n{log.vkeys[0]}\n")
    assert run("--vkeys", "vkeys").returncode == 0
    own = run()
    assert own.returncode == 2
    for words in ("CANNOT TELL", "THE KEYS ARE THE PACK'S OWN"):
        assert words in own.stdout
    foreign = run("--vkey", str(new_signer().vkey))
    assert foreign.returncode == 1
    assert "an unknown key" in foreign.stdout
    assert run("--vkey", "nonsense").returncode == 2
    (tmp_path / "vkeys").write_text("")
    assert "holds no public key" in run("--vkeys", "vkeys").stderr


def test_the_verifier_imports_nothing_but_the_standard_library_and_cryptography():
    source = Path(offline_verifier.__file__).read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_one_log_and_one_selection_make_the_same_bytes(log, packs, tmp_path):
    again = pack_of(log, tmp_path / "again.zip")
    assert again.read_bytes() == packs["whole"].read_bytes()


def reviewed(request_id, item_id, policy):
    said = ("key-1", "ana", "release", True, "ab" * 32, Private("fine"))
    return ItemReviewed(request_id, item_id, *said, policy, ())


@pytest.fixture
def registered(database):
    """A log of one request under a rule set and a model, and another rule set that nothing was decided under."""
    ledger = Ledger(database)
    listing = b"ab" * 32 + b"  unet.safetensors\n"
    revision = f"sha256:{hashlib.sha256(listing).hexdigest()}"
    model = documents.model("studio", revision=revision, licence="MIT", listing=listing, card=b"name: studio")
    with ledger.worker.begin() as conn:
        kept = [documents.rule_set("then", RULES), documents.rule_set("other", b"other rules"), *model]
        assert documents.register(conn, kept, actor="worker:test") == 4
    policy = f"sha256:{hashlib.sha256(RULES).hexdigest()}"
    ledger.append(
        RequestAccepted("request-9", "single", "n", Private("a mug"), "studio", revision, "bulk", 1, 0, policy)
    )
    ledger.append(
        ItemReviewed("request-9", "item-9", "key-1", "ana", "release", True, "ab" * 32, Private("fine"), policy, ())
    )
    ledger.seal()
    return ledger


def test_a_pack_holds_the_rules_the_card_and_the_review_as_of_then_and_no_others(registered, tmp_path):
    path = pack_of(registered, tmp_path / "p.zip", request_id="request-9")
    assert verdict(path, registered) == []
    with zipfile.ZipFile(path) as pack:
        texts = {name: pack.read(name) for name in pack.namelist() if name.startswith(("policy/", "cards/", "models/"))}
        kinds = [json.loads(line)["kind"] for line in pack.read("index.jsonl").splitlines()]
    assert sorted(name.partition("/")[0] for name in texts) == ["cards", "models", "policy"]
    assert texts[f"policy/{hashlib.sha256(RULES).hexdigest()}.yaml"] == RULES
    assert kinds == ["policy.registered", "model.registered", "request.accepted", "item.reviewed"]


def test_a_text_that_an_event_names_cannot_be_taken_out_or_reworded(registered, tmp_path):
    path = pack_of(registered, tmp_path / "p.zip", request_id="request-9")
    with zipfile.ZipFile(path) as pack:
        rules, card, files = (
            next(name for name in pack.namelist() if name.startswith(place))
            for place in ("policy/", "cards/", "models/")
        )
    for name in (rules, card, files):
        (problem,) = verdict(altered(path, {name: None}), registered)
        assert "not here: deleted" in problem
        (problem,) = verdict(altered(path, {name: b"other"}), registered)
        assert "not those that its name promises" in problem


def test_an_event_under_rules_that_nobody_kept_is_named(registered, tmp_path):
    registered.append(
        ItemReviewed("r", "i", "k", "ana", "release", True, "ab" * 32, Private(""), "sha256:" + "7" * 64, ())
    )
    registered.seal()
    problems = verdict(pack_of(registered, tmp_path / "p.zip"), registered)
    assert problems == [
        f"sha256:{'7' * 64}: events name this rule set, and its text is not here: deleted, or never kept"
    ]


def test_a_tenants_pack_holds_no_event_of_another_tenant(registered, tmp_path):
    registered.append(BatchDispatched("batch-9", "gpu", {}, ("item-9", "item-of-another")))
    registered.append(failed(77), tenant="rival")
    registered.seal()
    path = pack_of(registered, tmp_path / "p.zip", asset_id="item-9", tenant="acme")
    assert verdict(path, registered) == []
    with zipfile.ZipFile(path) as pack:
        lines = [json.loads(line) for line in pack.read("index.jsonl").splitlines()]
    assert {line["tenant"] for line in lines} == {"acme", SYSTEM_TENANT}
    assert all(line["kind"].endswith(".registered") for line in lines if line["tenant"] == SYSTEM_TENANT)
    for asked in ({"asset_id": "item-9", "tenant": "rival"}, {"tenant": "acme"}):
        with pytest.raises(LedgerError, match=r"no sealed event|a tenant's pack"):
            pack_of(registered, tmp_path / "q.zip", **asked)


def test_more_than_a_pack_holds_is_refused_with_a_remedy(log, tmp_path, monkeypatch):
    with pytest.raises(LedgerError, match="15 events are more than a pack holds"):
        pack_of(log, tmp_path / "p.zip", limit=14)
    monkeypatch.setattr(pack, "MAX_BYTES", 20_000)
    with pytest.raises(LedgerError, match="unpack to more than the verifier reads"):
        pack_of(log, tmp_path / "p.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_range_of_time_has_no_gap(log, tmp_path):
    times = [row.recorded_at for row in log.rows("select recorded_at from audit.entries order by id")]
    path = pack_of(log, tmp_path / "p.zip", since=times[5], until=times[10])
    assert verdict(path, log) == []
    with zipfile.ZipFile(path) as pack:
        assert json.loads(pack.read("manifest.json"))["range"] == [5, 10]
        lines = pack.read("index.jsonl").splitlines(keepends=True)
    assert [json.loads(line)["index"] for line in lines] == [4, 5, 6, 7, 8, 9, 10], "and the leaves next to it"
    forged = altered(path, {event(7): None, proof(7): None, "index.jsonl": b"".join(lines[:3] + lines[4:])})
    assert any("leaf 7: missing from a range" in said for said in verdict(forged, log))


def test_private_text_can_be_left_out(log, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", with_private=False)
    assert b"secret plan" not in b"".join(zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist())
    assert verdict(path, log) == []
    facts = offline_verifier.verify(path, [str(log.vkeys[0])]).facts
    assert "14 private texts are not here, only their digests: left out of this pack" in facts


CHANGES = {  # what a careful forger changes in the pack of the whole log, and what the verifier says
    "an edited event": ({event(3): lambda raw: raw.replace(b"acme", b"amce")}, "leaf 3, item.refused"),
    "a deleted event": ({event(3): None, proof(3): None}, "its bytes are not there: deleted"),
    "a deleted event and its line": (
        {event(3): None, proof(3): None,
         "index.jsonl": lambda raw: b"".join(raw.splitlines(keepends=True)[:3] + raw.splitlines(keepends=True)[4:])},
        "leaf 3: missing from a range"),
    "a truncated end": (
        {event(14): None, proof(14): None, "index.jsonl": lambda raw: b"".join(raw.splitlines(keepends=True)[:-1])},
        "leaf 14: missing from a range"),
    "an inserted event": ({event(15): b"{}"}, "no line of index.jsonl names it: inserted"),
    "a reordered index": (
        {"index.jsonl": lambda raw: b"".join(reversed(raw.splitlines(keepends=True)))}, "reordered"),
    "an edited column": ({"index.jsonl": lambda raw: raw.replace(b"acme", b"amce", 1)}, "column tenant says 'amce'"),
    "an edited stored leaf": ({"index.jsonl": lambda raw: raw.replace(b'"leaf": "', b'"leaf": "00', 1)}, "leaf 0"),
    "nonsense in the index": ({"index.jsonl": lambda raw: raw + b"{}\n"}, "index.jsonl, line 16: is no entry"),
    "an edited proof": ({proof(3): lambda raw: raw.replace(b"index 3", b"index 4")}, "not the proof that belongs here"),
    "an edited checkpoint": (
        {"checkpoints/15": lambda raw: raw.replace(b"\n15\n", b"\n16\n")}, "does not fit its text"),
    "a replaced checkpoint": ({"checkpoints/10": lambda raw: b"gone"}, "checkpoints/10: is no signed checkpoint"),
    "a deleted checkpoint": ({"checkpoints/15": None}, "checkpoint that the proofs need is missing"),
    "an edited consistency proof": ({"consistency/5": lambda raw: raw.replace(b"old 5", b"old 6")}, "consistency/5"),
    "a deleted consistency proof": ({"consistency/5": None}, "consistency/5: is not in the pack"),
    "edited private text": (
        {"private.jsonl": lambda raw: raw.replace(b"secret", b"decent", 1)}, "does not fit its digest"),
    "a proof that was taken out": ({proof(3): None}, "proofs/000000000003.tlog-proof (leaf 3, item.refused"),
    "a consistency proof of no checkpoint": ({"consistency/7": b"old 7"}, "consistency/7: is the proof of no"),
    "a model's files that no event names": (
        {f"models/{hashlib.sha256(b'x').hexdigest()}.sha256": b"x"}, "no event here names this text"),
    "a remark beside private text": (
        {"private.jsonl": lambda raw: raw.replace(b"{", b'{"seen": "yes", ', 1)}, "line 1: is no private"),
    "private text of nobody": (
        {"private.jsonl": lambda raw: raw + b'{"event_id": "x", "field": "prompt", "salt": "00", "value": "x"}\n'},
        "promised by no event"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_of_a_pack_goes_unseen_even_if_its_manifest_follows(log, packs, change):
    changes, said = CHANGES[change]
    problems = verdict(altered(packs["whole"], changes), log)
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_what_is_not_signed_is_said_or_refused(log, packs, forgery):
    said = answer(forged(packs["whole"], forgery), [str(log.vkeys[0])], [])
    assert named_in(said, forgery), said


def test_a_pack_that_was_only_packed_again_is_sound(log, packs):
    again = forged(packs["whole"], PackForgery("nothing", ()))
    assert answer(again, [str(log.vkeys[0])], []) == ()


def test_bytes_inside_a_packed_file_that_its_text_does_not_use_are_named(log, packs, tmp_path):
    """A deflate stream ends where it says; what follows it inside the same file is read by nobody."""
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(packs["whole"]) as pack, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as other:
        for name in pack.namelist():
            other.writestr(name, pack.read(name))
        entry = other.infolist()[-1]
        other.fp.seek(other.start_dir)
        other.fp.write(b"unseen")
        other.start_dir += 6
        entry.compress_size += 6
        other.fp.seek(entry.header_offset + 18)
        other.fp.write(entry.compress_size.to_bytes(4, "little"))
        other.fp.seek(other.start_dir)
    with pytest.raises(Inconclusive, match="others follow them"):
        offline_verifier.verify(path, [str(log.vkeys[0])])


def test_another_program_in_the_pack_is_believed_only_if_the_log_names_it(database, tmp_path, monkeypatch):
    ledger, other = Ledger(database), b"print('another release')\n"
    ledger.fill(2)
    path = pack_of(ledger, tmp_path / "p.zip")
    replaced = altered(path, {"verify.py": other})
    (doubt,) = offline_verifier.verify(replaced, [str(ledger.vkeys[0])]).doubts
    assert "no event here names it" in doubt
    with ledger.worker.begin() as conn:
        documents.register(conn, [documents.verifier(other, offline_verifier.FORMAT)], actor="api")
    ledger.seal()
    path = pack_of(ledger, tmp_path / "p.zip")
    assert verdict(path, ledger) == []
    found = offline_verifier.verify(altered(path, {"verify.py": other}), [str(ledger.vkeys[0])])
    assert (found.problems, found.doubts) == ([], [])
    assert any("Events of the log name it" in fact for fact in found.facts)
    (problem,) = verdict(altered(path, {"verify.py": b"print('AS IT WAS SIGNED')"}), ledger)
    assert "neither this program nor one that the log's events name" in problem
    (problem,) = verdict(altered(path, {f"verifiers/{hashlib.sha256(other).hexdigest()}.py": None}), ledger)
    assert "is not here: deleted" in problem


def test_the_digest_of_the_verifier_stands_in_the_documentation():
    digest = hashlib.sha256(Path(offline_verifier.__file__).read_bytes()).hexdigest()
    assert digest in Path("docs/evidence.md").read_text()


def test_two_events_that_changed_places_are_both_named(log, packs):
    with zipfile.ZipFile(packs["item"]) as pack:
        swapped = {event(3): pack.read(event(3)).replace(b"item-3", b"item-4")}
    assert "leaf 3, " in "\n".join(verdict(altered(packs["item"], swapped), log))
    with zipfile.ZipFile(packs["whole"]) as pack:
        swapped = {event(3): pack.read(event(8)), event(8): pack.read(event(3))}
    problems = "\n".join(verdict(altered(packs["whole"], swapped), log))
    assert "leaf 3, " in problems
    assert "leaf 8, " in problems


def test_a_careless_change_is_told_by_the_manifest(log, packs, tmp_path):
    path = tmp_path / "p.zip"
    path.write_bytes(packs["whole"].read_bytes())
    with zipfile.ZipFile(path, "a") as pack:
        pack.writestr("more.txt", "more")
    assert verdict(path, log) == ["more.txt: is no file of a pack, and nothing signed covers it: inserted"]


def test_a_pack_of_another_log_is_told_from_ours(log, packs, tmp_path):
    other = new_signer("presswork.example/other")
    with pytest.raises(
        Inconclusive, match=r"of the log 'presswork.example/test', and the keys are those of '.*/other'"
    ):
        offline_verifier.verify(packs["whole"], [str(other.vkey)])
    foreign = sign_checkpoint(Checkpoint("presswork.example/other", 10, bytes(32)), other)
    problems = verdict(altered(packs["whole"], {"checkpoints/10": foreign.encode()}), log)
    assert "checkpoints/10: is of the log 'presswork.example/other', and the pack of 'presswork.example/test': " in (
        "\n".join(problems)
    )


def test_what_the_auditor_kept_decides(log, packs):
    notes = dict(log.rows("select size, note from audit.checkpoints"))
    assert verdict(packs["whole"], log, kept=[notes[5], notes[15]]) == []
    later = sign_checkpoint(Checkpoint(log.vkeys[0].name, 20, bytes(32)), log.signer)
    assert any("cut off" in said for said in verdict(packs["whole"], log, kept=[later]))
    forked = sign_checkpoint(Checkpoint(log.vkeys[0].name, 7, bytes(32)), log.signer)
    assert any("two histories of one log" in said for said in verdict(packs["whole"], log, kept=[forked]))
    for note, said in {
        "hello\n": "is no signed checkpoint",
        notes[5].replace(f"{ORIGIN}\n", "else\n", 1): "another log",
    }.items():
        with pytest.raises(Inconclusive, match=f"the checkpoint you kept .*{said}"):
            verdict(packs["whole"], log, kept=[note])


def test_what_cannot_be_told_hides_nothing_that_is_wrong(log, packs, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(log.value("select note from audit.checkpoints where size = 10"))
    known = ["--vkey", str(log.vkeys[0]), "--checkpoint", str(kept)]
    assert offline_verifier.main([str(packs["item"]), *known]) == 2
    found = offline_verifier.verify(packs["item"], [str(log.vkeys[0])], [kept.read_text()])
    assert (found.problems, ["no checkpoint of its 10 leaves" in said for said in found.doubts]) == ([], [True])
    edited = altered(packs["item"], {event(3): lambda raw: raw.replace(b"acme", b"amce")})
    assert offline_verifier.main([str(edited), *known]) == 1


def test_a_pack_can_hold_the_checkpoint_that_the_auditor_kept(log, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", asset_id="item-3", sizes=[10])
    kept = log.value("select note from audit.checkpoints where size = 10")
    assert verdict(path, log, kept=[kept]) == []
    with pytest.raises(LedgerError, match="no checkpoint of 11 leaves"):
        pack_of(log, tmp_path / "q.zip", sizes=[11])


def test_what_is_no_pack_or_too_much_is_not_judged(packs, tmp_path, monkeypatch):
    path = tmp_path / "p.zip"
    path.write_bytes(packs["whole"].read_bytes()[:-100])
    with pytest.raises(Inconclusive, match="no readable ZIP"):
        offline_verifier.verify(path)
    path.write_bytes(b"nonsense")
    assert offline_verifier.main([str(path)]) == 2
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("manifest.json", '{"format": "another/1"}')
    with pytest.raises(Inconclusive, match="no evidence pack"):
        offline_verifier.verify(path)
    monkeypatch.setattr(offline_verifier, "MAX_BYTES", 1_000)
    with pytest.raises(Inconclusive, match="unpacks to more"):
        offline_verifier.verify(packs["whole"])


def test_what_does_not_exist_cannot_be_packed(log, tmp_path):
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    for chosen, said in [({"asset_id": "item-999"}, "no sealed event is about asset item-999"),
                         ({"request_id": "item-3"}, "no sealed event is about request item-3"),
                         ({"until": long_ago}, "no sealed event lies in that range")]:  # fmt: skip
        with pytest.raises(LedgerError, match=said):
            pack_of(log, tmp_path / "p.zip", **chosen)
    assert list(tmp_path.iterdir()) == []


def test_no_damage_makes_the_verifier_fall_over_or_say_that_all_is_well(log, packs, tmp_path):
    """Bytes of one file at a time are overwritten, cut or doubled; the manifest follows."""
    dice = random.Random(5)
    with zipfile.ZipFile(packs["whole"]) as pack:
        names = [name for name in pack.namelist() if name not in ("README.txt", "verify.py", "vkeys", "manifest.json")]
    for _ in range(120):
        name = dice.choice(names)

        def damaged(raw):
            place, kind = dice.randrange(len(raw)), dice.randrange(3)
            if kind == 0:
                return raw[:place] + bytes([raw[place] ^ (1 << dice.randrange(8))]) + raw[place + 1 :]
            return raw[:place] if kind == 1 else raw[:place] + raw[place // 2 :]

        path = altered(packs["whole"], {name: damaged})
        if meant(path, name) - meant(packs["whole"], name) or not name.endswith(".jsonl"):
            assert verdict(path, log), (name, meant(path, name) - meant(packs["whole"], name))


@pytest.mark.parametrize(
    ("key", "value"),
    [("range", [0, 10**15]), ("range", [5, 1]), ("range", [0]), ("range", "0"), ("size", None), ("size", 10**30),
     ("files", []), ("format", "other/2"), ("origin", "presswork.example/other"), ("origin", 5)],
)  # fmt: skip
def test_a_manifest_that_lies_is_refused_or_found_out(log, packs, tmp_path, key, value):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(packs["whole"]) as pack, zipfile.ZipFile(path, "w") as other:
        for name in pack.namelist():
            raw = pack.read(name)
            other.writestr(name, json.dumps({**json.loads(raw), key: value}) if name == "manifest.json" else raw)
    assert offline_verifier.main([str(path), "--vkey", str(log.vkeys[0])]) in (1, 2)


@pytest.mark.parametrize(
    "line",
    ["[]", "[" * 9999,
     '{"index": 1.5, "leaf": "00", "kind": "x", "event_id": "x", "at": "x"}',
     '{"index": true, "leaf": "00", "kind": "x", "event_id": [], "at": null}'],
)  # fmt: skip
def test_an_index_of_nonsense_is_named(log, packs, line):
    path = altered(packs["whole"], {"index.jsonl": lambda raw: raw + f"{line}\n".encode()})
    assert any("line 16: is no entry" in said for said in verdict(path, log))


def test_a_pack_cannot_write_to_the_terminal_of_its_auditor(log, packs):
    path = altered(packs["whole"], {"\x1b[2Jall is well": b"", "\ud7ff\u202e.txt": b""})
    assert all(said.isprintable() for said in verdict(path, log))
    path = altered(packs["whole"], {event(3): lambda raw: raw.replace(b'"tenant":"acme"', b'"tenant":"\\u001b[2J"')})
    assert all(said.isprintable() for said in verdict(path, log))
