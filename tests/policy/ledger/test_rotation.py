"""Key rotation of the sealer: each head under its own key, in the database and in packs, and no way back."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from deploy.cli import main
from policy.errors import BrokenLedger, UnknownKey
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.flaws import Flaw
from policy.ledger.tree import keys
from policy.ledger.tree.keys import (
    KeyFiles,
    LocalNoteSigner,
    keys_on_disk,
    load_vkeys,
    make_key_files,
    rotate,
)
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint, sign_checkpoint
from policy.ledger.tree.seal import seal
from policy.ledger.verification.verify import verify
from tests.support.ledger import ORIGIN, Ledger, MemoryAnchor, failed, new_signer
from workers.sealing.sealer import Sealer


class Rotated(Ledger):
    """A log whose keys lie in files, as the sealer's do."""

    def __init__(self, database, folder):
        super().__init__(database)
        self.files = make_key_files(folder, origin=ORIGIN)
        self.old = LocalNoteSigner.from_file(self.files.key, name=ORIGIN)
        self.loop = Sealer(self.sealer, keys_on_disk(self.files, name=ORIGIN), [self.anchor], anchor_pause_seconds=0)

    def grow(self, count=2):
        self.append(*map(failed, range(count)))
        return self.loop.run_once()

    def rotate(self):
        told = {
            "PRESSWORK_DATABASE_URL": self.database.url("sealer"),
            "PRESSWORK_LEDGER_ORIGIN": ORIGIN,
            "PRESSWORK_LEDGER_KEY": str(self.files.key),
            "PRESSWORK_LEDGER_VKEYS": str(self.files.vkeys),
        }
        return CliRunner().invoke(main, ["ledger", "rotate-key"], env=told)

    def checked(self, vkeys=None):
        with self.auditor.connect() as conn:
            return verify(conn, vkeys or load_vkeys(self.files.vkeys), [self.anchor])

    def packed(self, path):
        with self.auditor.connect() as conn:
            write_pack(conn, path, Selection(), vkeys=load_vkeys(self.files.vkeys), sizes=[2])
        return path


@pytest.fixture
def log(database, tmp_path):
    log = Rotated(database, tmp_path / "keys")
    log.grow()
    return log


def test_a_sealer_that_runs_takes_the_new_key_and_every_head_stays_under_its_own(log, tmp_path):
    result = log.rotate()
    assert result.exit_code == 0, result.output
    before, after = load_vkeys(log.files.vkeys)
    assert [line.partition(" ")[2] for line in result.output.splitlines()[1:]] == ["until 2", "from 3"]
    assert log.grow() == 2
    notes = dict(log.rows("select size, note from audit.checkpoints"))
    assert open_checkpoint(notes[2], [before]).size == 2
    assert open_checkpoint(notes[4], [after]).size == 4
    for note, foreign in ((notes[2], after), (notes[4], before)):
        with pytest.raises(UnknownKey, match="none of which is a key we were told to trust"):
            open_checkpoint(note, [foreign])
    assert log.checked().intact
    found = offline_verifier.verify(log.packed(tmp_path / "p.zip"), [before.line, after.line], [notes[2]])
    assert found.problems == []
    assert log.files.key.stat().st_mode & 0o077 == 0


def test_a_pack_carries_both_keys_with_their_times_and_one_alone_is_not_enough(log, tmp_path):
    log.rotate()
    log.grow()
    before, after = (vkey.line for vkey in load_vkeys(log.files.vkeys))
    path = log.packed(tmp_path / "p.zip")
    assert offline_verifier.verify(path).problems == []
    assert any(f"{before}, {after}" in doubt for doubt in offline_verifier.verify(path).doubts)
    for alone, head in ((before, "checkpoints/4:"), (after, "checkpoints/2:")):
        problems = offline_verifier.verify(path, [alone]).problems
        assert any(said.startswith(head) and "an unknown key" in said for said in problems), problems


def test_a_retired_key_that_signs_again_is_named_everywhere(log, tmp_path):
    log.rotate()
    log.append(failed(1))
    with log.sealer.begin() as conn:
        seal(conn, log.old, [log.old.vkey])  # a thief of the old key, who believes it is still good
    vkeys = load_vkeys(log.files.vkeys)
    (note,) = log.rows("select note from audit.checkpoints where size = 3")[0]
    with pytest.raises(UnknownKey, match=r"signed by a retired key of .* until 2"):
        open_checkpoint(note, vkeys)
    assert Flaw.CHECKPOINT_UNKNOWN_KEY in {problem.flaw for problem in log.checked().problems}
    problems = offline_verifier.verify(log.packed(tmp_path / "p.zip"), [vkey.line for vkey in vkeys]).problems
    assert any(said.startswith("checkpoints/3:") and "a retired key" in said for said in problems)
    with capture_logs() as lines:
        assert log.grow() == 0
    assert lines[-1]["event"] == "seal_refused"


def test_a_sealer_with_a_retired_key_signs_nothing(log):
    retired = Vkey(ORIGIN, log.old.vkey.public_key, until=2)
    log.append(failed(1))
    with pytest.raises(UnknownKey, match="finish 'presswork ledger rotate-key'"), log.sealer.begin() as conn:
        seal(conn, log.old, [retired])
    assert log.value("select count(*) from audit.pending") == 1


@pytest.mark.parametrize("written", [1, 2], ids=["after the private half", "after the public lines"])
def test_a_rotation_killed_in_between_is_finished_by_the_same_command(log, monkeypatch, written):
    count = iter(range(3))
    real = keys._write

    def dies(path, content, *, mode):
        if next(count) >= written:
            raise KeyboardInterrupt
        real(path, content, mode=mode)

    with monkeypatch.context() as patched:
        patched.setattr(keys, "_write", dies)
        patched.setattr(type(log.files.key), "replace", die_at_the_key(log.files.key))
        with pytest.raises(KeyboardInterrupt):
            rotate(log.files, origin=ORIGIN, size=2)
    with capture_logs() as lines:
        sealed = log.grow()
    assert (sealed, lines[-1]["event"]) == ((2, "sealed") if written == 1 else (0, "seal_refused"))
    assert log.rotate().exit_code == 0
    assert len(load_vkeys(log.files.vkeys)) == 2
    assert not log.files.key.with_name("ledger.key.next").exists()
    log.grow()
    assert log.checked().intact


def die_at_the_key(key):
    real = type(key).replace

    def replace(self, target):
        if target == key:
            raise KeyboardInterrupt
        return real(self, target)

    return replace


def test_keys_can_be_rotated_again_and_again(log):
    for _ in range(3):
        assert log.rotate().exit_code == 0
        assert log.grow(1) == 1
    times = [vkey.line.partition(" ")[2] for vkey in load_vkeys(log.files.vkeys)]
    assert times == ["until 2", "from 3 until 3", "from 4 until 4", "from 5"]
    assert log.checked().intact


def test_what_cannot_be_rotated_is_refused_and_nothing_changes(log, tmp_path):
    before = log.files.vkeys.read_text()
    log.files.vkeys.write_text(f"{new_signer().vkey}\n")
    result = log.rotate()
    assert (result.exit_code, "signed by" in result.output) == (1, True), result.output
    log.files.vkeys.write_text(before)
    assert log.files.key.exists()
    with pytest.raises(UnknownKey, match="does not hold the public half"):
        rotate(KeyFiles(log.files.key, foreign_keys(tmp_path)), origin=ORIGIN, size=2)
    away = CliRunner().invoke(main, ["ledger", "rotate-key"], env={
        "PRESSWORK_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/x",
        "PRESSWORK_LEDGER_KEY": str(log.files.key), "PRESSWORK_LEDGER_VKEYS": str(log.files.vkeys)})  # fmt: skip
    assert (away.exit_code, "nothing was changed" in away.output) == (1, True)
    assert log.grow() == 2


def foreign_keys(folder):
    path = folder / "foreign.vkeys"
    path.write_text(f"{new_signer().vkey}\n")
    return path


@pytest.mark.parametrize("after", [" until", " until x", " from 1 from 2", " since 5", " until 05", " until -1"])
def test_a_line_that_does_not_say_a_time_is_refused(after):
    line = f"{new_signer().vkey}{after}"
    with pytest.raises(BrokenLedger, match="expected 'from N', 'until N'"):
        Vkey.parse(line)
    with pytest.raises(offline_verifier.Inconclusive, match="not a public key line"):
        offline_verifier._Key.parse(line)


def test_an_anchor_may_hold_heads_of_every_key(log):
    log.rotate()
    log.grow()
    assert [one.size for one in log.anchor] == [4, 2]
    fresh = Sealer(log.sealer, keys_on_disk(log.files, name=ORIGIN), [log.anchor], anchor_pause_seconds=0)
    log.append(failed(5))
    assert fresh.run_once() == 1
    other = Checkpoint(ORIGIN, 99, bytes(32))
    anchor = MemoryAnchor()
    anchor.put(other, sign_checkpoint(other, log.old))
    with log.auditor.connect() as conn:
        report = verify(conn, load_vkeys(log.files.vkeys), [anchor])
    assert "retired key" in report.problems[0].message
