"""Anchored checkpoints, in stores and folders: newest first, written once, read by the auditor, forks side by side."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from deploy.embedded.environment import settings_of
from deploy.embedded.seaweed import ANCHORS
from policy.errors import BrokenLedger
from policy.ledger.tree.anchor import Anchored
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint
from tests.support.ledger import ORIGIN, new_signer
from workers.errors import DigestMismatch, NotLocked, StoreUnavailable
from workers.sealing.anchors import PREFIX, FolderAnchor, StoreAnchor, make_anchors
from workers.settings import Settings
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
    with pytest.raises(BrokenLedger, match="Presswork did not write it"):
        list(anchor)


def test_bytes_that_are_no_text_are_no_note(anchor, s3):
    put(anchor, 5)
    s3.client().put_object(Bucket=s3.bucket, Key=s3.keys(PREFIX)[0], Body=b"\xff\xfe")
    with pytest.raises(BrokenLedger, match="not a note"):
        anchor.note(anchor.newest())


@pytest.fixture(params=["plain", "locked", "folder"])
def place(request, s3, settings_for, tmp_path, locked_bucket):
    """Every kind of place, through the settings that name it."""
    further = {
        "plain": {"anchor_folder": None},
        "locked": {"s3_bucket": locked_bucket, "anchor_lock_days": 1, **as_admin(s3)},
        "folder": {"anchor_folder": tmp_path / "worm"},
    }
    return make_anchors(settings_for("sealer", **further[request.param]), ORIGIN)[-1]


@pytest.fixture
def locked_bucket(s3):
    """A bucket of the real store that was made with object lock."""
    name = f"locked-{secrets.token_hex(4)}"
    s3.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def as_admin(s3):
    identity = s3.identity("admin")
    return {"s3_access_key_id": identity.access_key, "s3_secret_access_key": identity.secret_key}


def test_every_kind_of_place_keeps_every_checkpoint_newest_first(place):
    assert place.newest() is None
    notes = {size: put(place, size) for size in SIZES}
    assert [one.size for one in place] == SIZES[::-1]
    assert {one.size: place.note(one) for one in place} == notes
    put(place, 5, b"\2" * 32)
    assert Anchored(5, b"\2" * 32) in list(place)
    assert place.newest() == Anchored(max(SIZES), b"\1" * 32)


def test_a_checkpoint_put_again_is_the_same_and_another_note_of_it_is_refused(place):
    signer = new_signer()
    note = put(place, 5, signer=signer)
    put(place, 5, signer=signer)
    with pytest.raises((BrokenLedger, DigestMismatch)):
        put(place, 5)
    assert place.note(Anchored(5, b"\1" * 32)) == note


def test_what_is_locked_outlives_its_owner(s3, settings_for, locked_bucket):
    settings = settings_for("sealer", s3_bucket=locked_bucket, anchor_lock_days=1, **as_admin(s3))
    (anchor,) = make_anchors(settings, ORIGIN)
    note = put(anchor, 5)
    client = s3.client()
    (version,) = client.list_object_versions(Bucket=locked_bucket)["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=locked_bucket, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object_retention(
            Bucket=locked_bucket,
            Key=version["Key"],
            VersionId=version["VersionId"],
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=5)},
        )
    client.put_object(Bucket=locked_bucket, Key=version["Key"], Body=b"another note")
    client.delete_object(Bucket=locked_bucket, Key=version["Key"])  # lays a marker over it
    assert client.list_objects_v2(Bucket=locked_bucket)["KeyCount"] == 0
    assert anchor.newest() == Anchored(5, b"\1" * 32)
    assert anchor.note(anchor.newest()) == note


def test_the_embedded_stack_s_second_bucket_locks_what_its_sealer_puts_there(stack, s3):
    given = {role: as_settings(settings_of(stack, role)) for role in ("sealer", "auditor")}
    origin = f"presswork.example/{secrets.token_hex(4)}"  # nobody empties such a bucket
    _, second = make_anchors(given["sealer"], origin)
    note = sign_checkpoint(Checkpoint(origin, 5, b"\1" * 32), new_signer(origin))
    second.put(Checkpoint(origin, 5, b"\1" * 32), note)
    admin = s3.client()
    (version,) = admin.list_object_versions(Bucket=ANCHORS, Prefix=f"{PREFIX}/{origin}/")["Versions"]
    for client in (admin, s3.client("sealer")):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=ANCHORS, Key=version["Key"], VersionId=version["VersionId"])
    _, read = make_anchors(given["auditor"], origin)
    assert read.note(read.newest()) == note
    with pytest.raises(StoreUnavailable):
        read.put(Checkpoint(origin, 6, b"\1" * 32), note)
    for role in ("worker", "api", "clerk", "identify"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.client(role).put_object(Bucket=ANCHORS, Key=f"{PREFIX}/{origin}/0", Body=b"")


def as_settings(values):
    return Settings(**{name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()})


def test_each_bucket_has_a_lock_of_its_own(s3, settings_for, locked_bucket):
    second = {"anchor_s3_endpoint_url": s3.endpoint_url, "anchor_s3_bucket": locked_bucket, "anchor_s3_lock_days": 1,
              "anchor_s3_access_key_id": s3.identity("admin").access_key,
              "anchor_s3_secret_access_key": s3.identity("admin").secret_key}  # fmt: skip
    for anchor in make_anchors(settings_for("sealer", **second), ORIGIN):
        put(anchor, 5)
    kept = s3.client().list_object_versions(Bucket=locked_bucket)["Versions"][0]
    told = s3.client().get_object_retention(Bucket=locked_bucket, Key=kept["Key"], VersionId=kept["VersionId"])
    assert told["Retention"]["Mode"] == "COMPLIANCE"
    with pytest.raises(NotLocked):
        put(make_anchors(settings_for("sealer", anchor_lock_days=1, **second), ORIGIN)[0], 6)


def test_a_bucket_that_cannot_lock_says_so_instead_of_keeping_it_unlocked(s3, settings_for):
    (anchor,) = make_anchors(settings_for("sealer", anchor_lock_days=1), ORIGIN)
    with pytest.raises(NotLocked, match="Remedy: make the bucket with object lock"):
        put(anchor, 5)
    assert s3.keys(PREFIX) == []


def test_a_second_bucket_has_a_login_of_its_own(s3, settings_for, locked_bucket):
    second = {
        "anchor_s3_endpoint_url": s3.endpoint_url,
        "anchor_s3_bucket": locked_bucket,
        "anchor_s3_access_key_id": s3.identity("admin").access_key,
        "anchor_s3_secret_access_key": s3.identity("admin").secret_key,
    }
    first, other = make_anchors(settings_for("sealer", **second), ORIGIN)
    assert (first.name, other.name) == ("store", "second")
    put(first, 5)
    put(other, 6)
    assert (first.newest().size, other.newest().size) == (5, 6)


def test_a_folder_that_cannot_be_written_is_unavailable_and_what_is_not_ours_is_named(settings_for, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="did not take a checkpoint"):
        put(FolderAnchor(tmp_path / "file", ORIGIN), 5)
    anchor = FolderAnchor(tmp_path / "worm", ORIGIN)
    put(anchor, 5)
    (path,) = (tmp_path / "worm").rglob("*-5-*")
    assert path.stat().st_mode & 0o222 == 0
    (path.parent / ".left.half").write_text("what a killed put leaves")
    assert len(list(anchor)) == 1
    (path.parent / "notes.txt").write_text("x")
    with pytest.raises(BrokenLedger, match="Presswork did not write it"):
        list(anchor)
