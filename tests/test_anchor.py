"""Checkpoints in the object store: newest first, written once, readable by the auditor, forks side by side."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from policy.errors import BrokenLedger
from policy.ledger.anchor import Anchored
from policy.ledger.notes import Checkpoint, sign_checkpoint
from tests.ledger import ORIGIN, new_signer
from workers.anchor import PREFIX, StoreAnchor
from workers.errors import StoreUnavailable
from workers.store import ObjectStore

SIZES = [1, 9, 10, 99, 100, 12_345_678_901]


@pytest.fixture
def anchor(settings_for):
    return StoreAnchor(ObjectStore(settings_for("sealer")), ORIGIN)


def put(anchor, size, root=b"\1" * 32, signer=None):
    checkpoint = Checkpoint(ORIGIN, size, root)
    note = sign_checkpoint(checkpoint, signer or new_signer())
    anchor.put(checkpoint, note)
    return note


def test_a_listing_begins_with_the_newest(anchor):
    assert anchor.newest() is None
    for size in SIZES:
        put(anchor, size)
        assert anchor.newest() == Anchored(size, b"\1" * 32)
    assert [one.size for one in anchor] == SIZES[::-1]


def test_a_note_comes_back_as_it_was_put_and_may_be_put_again(anchor):
    signer = new_signer()
    note = put(anchor, 5, signer=signer)
    put(anchor, 5, signer=signer)
    assert anchor.note(Anchored(5, b"\1" * 32)) == note
    assert len(list(anchor)) == 1


def test_two_histories_of_one_log_lie_side_by_side(anchor):
    put(anchor, 5, b"\1" * 32)
    put(anchor, 5, b"\2" * 32)
    assert [one.root for one in anchor] == [b"\1" * 32, b"\2" * 32]


def test_logs_with_other_names_do_not_meet(anchor, settings_for):
    put(anchor, 5)
    other = StoreAnchor(ObjectStore(settings_for("sealer")), "presswork.example/te")
    assert list(other) == []


def test_an_auditor_reads_anchors_and_cannot_write_them(anchor, settings_for):
    note = put(anchor, 5)
    auditor = StoreAnchor(ObjectStore(settings_for("auditor")), ORIGIN)
    assert auditor.note(auditor.newest()) == note
    with pytest.raises(StoreUnavailable):
        put(auditor, 6)


def test_a_worker_cannot_write_anchors(s3):
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.client("worker").put_object(Bucket=s3.bucket, Key=f"{PREFIX}/{ORIGIN}/0", Body=b"")


@pytest.mark.parametrize("name", ["notes.txt", "0-1-zz", "9999999999999999999-5-" + "01" * 32, "--"])
def test_a_key_that_is_none_of_ours_is_named(anchor, s3, name):
    s3.client().put_object(Bucket=s3.bucket, Key=f"{PREFIX}/{ORIGIN}/{name}", Body=b"x")
    with pytest.raises(BrokenLedger, match="none of ours"):
        list(anchor)


def test_bytes_that_are_no_text_are_no_note(anchor, s3):
    put(anchor, 5)
    s3.client().put_object(Bucket=s3.bucket, Key=s3.keys(PREFIX)[0], Body=b"\xff\xfe")
    with pytest.raises(BrokenLedger, match="not a note"):
        anchor.note(anchor.newest())
