"""Signed notes and checkpoints: the published example, the round trip, and everything that must be refused."""

from __future__ import annotations

import stat

import pytest

from policy.errors import BrokenLedger, SigningUnavailable, UnknownKey
from policy.ledger.tree.keys import LocalNoteSigner, load_vkeys, make_key_files
from policy.ledger.tree.merkle import leaf_hash
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint, open_note, sign_checkpoint
from policy.marks.provenance.certificates import make_development_chain
from tests.support.ledger import ORIGIN, new_signer

# The example in the documentation of golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, leaf_hash(b"root"))


def test_the_published_note_opens_with_its_published_key():
    assert open_note(f"{GO_TEXT}\n{GO_SIGNATURE}", [Vkey.parse(GO_VKEY)]) == (GO_TEXT, ("PeterNeumann",))
    assert str(Vkey.parse(GO_VKEY)) == GO_VKEY


def test_a_checkpoint_comes_back_as_it_was_signed():
    signer = new_signer()
    note = sign_checkpoint(CHECKPOINT, signer)
    assert note.startswith(f"{ORIGIN}\n20852163\n")
    assert open_checkpoint(note, [Vkey.parse(str(signer.vkey))]) == CHECKPOINT


@pytest.mark.parametrize(
    ("found", "put"),
    [("20852163", "20852164"), (ORIGIN + "\n2", ORIGIN + "x\n2"), ("=\n\n", "=\nan extension\n\n")],
    ids=["size", "origin", "extension line"],
)
def test_an_altered_checkpoint_is_refused(found, put):
    signer = new_signer()
    note = sign_checkpoint(CHECKPOINT, signer)
    altered = note.replace(found, put, 1)
    assert altered != note
    with pytest.raises(BrokenLedger, match="does not fit the text"):
        open_checkpoint(altered, [signer.vkey])


def test_a_key_nobody_told_us_to_trust_is_named():
    foreign = new_signer()
    with pytest.raises(UnknownKey, match=foreign.vkey.id.hex()):
        open_checkpoint(sign_checkpoint(CHECKPOINT, foreign), [new_signer().vkey])


def test_signatures_of_witnesses_are_ignored_and_kept():
    signer, witness = new_signer(), new_signer("witness.example/1")
    cosigned = sign_checkpoint(CHECKPOINT, signer) + sign_checkpoint(CHECKPOINT, witness).rpartition("\n\n")[2]
    assert open_checkpoint(cosigned, [signer.vkey]) == CHECKPOINT
    with pytest.raises(BrokenLedger, match="signed by the key of witness"):
        open_checkpoint(cosigned, [witness.vkey])


def test_one_wrong_signature_of_a_trusted_key_spoils_the_note():
    old, new = new_signer(), new_signer()
    other = sign_checkpoint(Checkpoint(ORIGIN, 1, CHECKPOINT.root), old)
    note = sign_checkpoint(CHECKPOINT, new) + other.rpartition("\n\n")[2]
    assert open_checkpoint(note, [new.vkey]) == CHECKPOINT
    with pytest.raises(BrokenLedger, match="does not fit the text"):
        open_checkpoint(note, [new.vkey, old.vkey])


@pytest.mark.parametrize(
    "note",
    ["", "text", "text\n\n", f"{GO_TEXT}\n", f"{GO_TEXT}\nno dash\n", f"{GO_TEXT}\n\u2014 name notbase64!\n",
     f"{GO_TEXT}\n\u2014 name AAAA\n", f"{GO_TEXT}\n\u2014 na+me x08go/ZJ\n", f"\t{GO_TEXT}\n{GO_SIGNATURE}",
     f"{GO_TEXT}\n{GO_SIGNATURE.rstrip()}"],
)  # fmt: skip
def test_what_is_no_signed_note_is_refused(note):
    with pytest.raises(BrokenLedger, match="not a sign"):
        open_note(note, [Vkey.parse(GO_VKEY)])


@pytest.mark.parametrize("size", ["-1", "01", "1.0", "", "x", "\u0661"])
def test_a_signed_text_that_is_no_checkpoint_is_refused(size):
    class Sloppy(Checkpoint):
        def text(self) -> str:
            return super().text().replace("20852163", size)

    signer = new_signer()
    with pytest.raises(BrokenLedger, match="no checkpoint"):
        open_checkpoint(sign_checkpoint(Sloppy(ORIGIN, CHECKPOINT.size, CHECKPOINT.root), signer), [signer.vkey])


@pytest.mark.parametrize(
    "line", ["", "name", GO_VKEY.replace("+c7", "+c8"), GO_VKEY[:-4], GO_VKEY.replace("+AR", "+BR"), "+" + GO_VKEY]
)
def test_a_line_that_is_no_key_is_refused(line):
    with pytest.raises(BrokenLedger, match="public key line"):
        Vkey.parse(line)


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_name_that_a_note_cannot_hold_is_refused(name):
    with pytest.raises(BrokenLedger, match="cannot name a key"):
        new_signer(name)


def test_key_files_are_made_once_and_the_private_half_is_private(tmp_path):
    files = make_key_files(tmp_path / "keys", origin=ORIGIN)
    signer = LocalNoteSigner.from_file(files.key, name=ORIGIN)
    assert load_vkeys(files.vkeys) == (signer.vkey,)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    make_key_files(tmp_path / "keys", origin=ORIGIN)
    assert LocalNoteSigner.from_file(files.key, name=ORIGIN).vkey == signer.vkey


def test_a_rotated_log_has_several_keys_and_comments(tmp_path):
    old, new = new_signer(), new_signer()
    path = tmp_path / "ledger.vkeys"
    path.write_text(f"# until 2026\n{old.vkey}\n\n{new.vkey}\n")
    assert load_vkeys(path) == (old.vkey, new.vkey)


def test_unusable_key_files_are_named(tmp_path):
    with pytest.raises(UnknownKey, match="cannot read the public keys"):
        load_vkeys(tmp_path / "absent.vkeys")
    (tmp_path / "empty.vkeys").write_text("# nothing\n")
    with pytest.raises(UnknownKey, match="holds no public key"):
        load_vkeys(tmp_path / "empty.vkeys")
    with pytest.raises(SigningUnavailable, match="cannot read the ledger key"):
        LocalNoteSigner.from_file(tmp_path / "absent.key", name=ORIGIN)
    (tmp_path / "no.key").write_text("no PEM")
    with pytest.raises(SigningUnavailable, match="PEM form"):
        LocalNoteSigner.from_file(tmp_path / "no.key", name=ORIGIN)
    chain = make_development_chain(tmp_path / "marks")
    with pytest.raises(SigningUnavailable, match="not an Ed25519 key"):
        LocalNoteSigner.from_file(chain.key, name=ORIGIN)
