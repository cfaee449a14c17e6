"""Object store: written once, verified, and closed to whoever has no business there."""

from __future__ import annotations

import hashlib
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.faulty_proxy import HttpFault, S3Proxy
from tests.support.line import eventually
from workers.errors import DigestMismatch, NotFound, StoreRefused, StoreUnavailable
from workers.store import CHECK_KEY, ObjectStore, quarantine_key, released_key

KEY = "released/acme/item/1/original.png"
PNG = "image/png"


@pytest.fixture
def store(settings) -> ObjectStore:
    return ObjectStore(settings)


def status_of(url: str | Request) -> int:
    try:
        with urlopen(url) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


def test_keys_name_place_tenant_item_and_attempt():
    assert released_key("acme", "i", 2, "original", PNG) == "released/acme/i/2/original.png"
    assert quarantine_key("acme", "i", 2, "web", "image/webp") == "quarantine/acme/i/2/web.webp"


def test_what_is_put_is_read_back_with_its_digest(store: ObjectStore, s3):
    digest = store.put(KEY, b"pixels", PNG)
    assert digest == hashlib.sha256(b"pixels").hexdigest()
    assert store.get(KEY) == b"pixels"
    head = s3.client().head_object(Bucket=s3.bucket, Key=KEY)
    assert (head["ContentType"], head["Metadata"]["sha256"]) == (PNG, digest)


def test_the_same_bytes_may_be_put_again(store: ObjectStore, s3):
    """A put that timed out after the store had it is repeated."""
    assert store.put(KEY, b"pixels", PNG) == store.put(KEY, b"pixels", PNG)
    assert s3.keys() == [KEY]


def test_bytes_that_changed_on_the_way_are_sent_again(settings_for, s3):
    """FAULTS 27: the store refuses them by their digest, and a whole batch is not drawn again for that."""
    asked = iter([HttpFault.CHANGED, HttpFault.CHANGED, None])
    with S3Proxy(s3.endpoint_url, lambda _method, _path: next(asked)) as proxy:
        ObjectStore(settings_for("worker", s3_endpoint_url=proxy.url)).put(KEY, b"pixels", PNG)
        assert proxy.seen[HttpFault.CHANGED] == 2
    assert ObjectStore(settings_for("worker")).get(KEY) == b"pixels"


def test_a_network_that_changes_every_byte_is_news_that_may_pass(settings_for, s3):
    with S3Proxy(s3.endpoint_url, lambda _method, _path: HttpFault.CHANGED) as proxy:
        with pytest.raises(StoreUnavailable):
            ObjectStore(settings_for("worker", s3_endpoint_url=proxy.url)).put(KEY, b"pixels", PNG)
        assert proxy.seen[HttpFault.CHANGED] == 4
    assert s3.keys() == []


def test_other_bytes_never_replace_what_is_there(store: ObjectStore):
    store.put(KEY, b"pixels", PNG)
    with pytest.raises(DigestMismatch, match="holds other bytes"):
        store.put(KEY, b"other pixels", PNG)
    assert store.get(KEY) == b"pixels"


def test_of_many_writers_at_once_one_wins(store: ObjectStore):
    def write(n: int) -> str:
        try:
            return store.put(KEY, b"%d" % n, PNG)
        except DigestMismatch:
            return "lost"

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(write, range(4)))
    assert results.count("lost") == 3
    assert hashlib.sha256(store.get(KEY)).hexdigest() in results


def test_bytes_that_changed_after_their_read_back_are_not_stored(store: ObjectStore, s3):
    with pytest.raises(DigestMismatch, match="changed after they were read back"):
        store.put(KEY, b"swapped", PNG, expect_sha256=hashlib.sha256(b"pixels").hexdigest())
    assert s3.keys() == []


def test_a_missing_object_is_not_there_and_deleting_it_is_no_error(store: ObjectStore):
    store.delete(KEY)
    with pytest.raises(NotFound, match=KEY):
        store.get(KEY)


def test_a_listing_names_everything_below_a_prefix(store: ObjectStore):
    for attempt in (1, 2, 10):
        store.put(released_key("acme", "item", attempt, "original", PNG), b"x" * attempt, PNG)
    store.put(released_key("bolt", "item", 1, "original", PNG), b"x", PNG)
    assert [(stored.key, stored.bytes) for stored in store.list("released/acme/")] == [
        ("released/acme/item/1/original.png", 1),
        ("released/acme/item/10/original.png", 10),
        ("released/acme/item/2/original.png", 2),
    ]


def test_a_listing_goes_on_after_a_key_and_knows_how_old_an_object_is(store: ObjectStore):
    begun = datetime.now(UTC) - timedelta(minutes=1)
    for attempt in (1, 2, 3):
        store.put(released_key("acme", "item", attempt, "original", PNG), b"x" * attempt, PNG)
    rest = list(store.list("released/acme/", after="released/acme/item/1/original.png", page_size=1))
    assert [stored.bytes for stored in rest] == [2, 3]
    assert all(begun < stored.modified_at for stored in rest)


def test_a_link_opens_one_object_and_ends(store: ObjectStore, settings_for):
    store.put(KEY, b"pixels", PNG)
    api = ObjectStore(settings_for("api"))
    with urlopen(api.presign(KEY, 60)) as answer:
        assert answer.read() == b"pixels"
    assert status_of(api.presign(KEY, 60).replace("item/1", "item/2")) == 403, "another key under the same signature"
    short = api.presign(KEY, 1)
    eventually(lambda: status_of(short) == 403)


def test_a_link_names_the_public_endpoint_where_there_is_one(settings_for):
    api = ObjectStore(settings_for("api", s3_public_endpoint_url="https://images.example"))
    assert api.presign(KEY, 60).startswith("https://images.example/")


def test_the_api_signs_links_to_released_and_quarantine_only_and_writes_nowhere(store: ObjectStore, settings_for, s3):
    held = quarantine_key("acme", "item", 1, "original", PNG)
    store.put(held, b"pixels", PNG)
    for unseen in ("recalled/x", "ledger/x"):
        s3.client().put_object(Bucket=s3.bucket, Key=unseen, Body=b"secret")
    api = ObjectStore(settings_for("api"))
    with urlopen(api.presign(held, 60)) as answer:
        assert answer.read() == b"pixels"
    assert [status_of(api.presign(unseen, 60)) for unseen in ("recalled/x", "ledger/x")] == [403, 403]
    for key in (KEY, held):
        with pytest.raises(StoreUnavailable, match="AccessDenied"):
            api.put(key, b"forged", PNG)


def test_nobody_writes_to_released_through_a_link(store: ObjectStore, settings_for, s3):
    """Neither the link a tenant gets, nor one for PUT that the API's identity would sign."""
    signed_put = s3.client("api").generate_presigned_url("put_object", Params={"Bucket": s3.bucket, "Key": KEY})
    for url in (ObjectStore(settings_for("api")).presign(KEY, 60), signed_put):
        assert status_of(Request(url, data=b"forged", method="PUT")) == 403
    assert s3.keys() == []


def test_a_store_that_answers_is_healthy_for_whoever_asks(store: ObjectStore, settings_for):
    assert store.healthy()
    assert ObjectStore(settings_for("api")).healthy(), "refused is an answer"


def test_the_right_to_write_is_tried_by_a_write_and_leaves_nothing(store: ObjectStore, settings_for, s3):
    store.check_writable()
    with pytest.raises(StoreRefused, match="AccessDenied"):
        ObjectStore(settings_for("api")).check_writable()
    assert s3.keys() == []


def test_a_wrong_secret_is_this_process_s_fault_and_says_what_to_mend(settings_for):
    wrong = ObjectStore(settings_for("worker", s3_secret_access_key="not-it"))
    with pytest.raises(StoreRefused, match="PRESSWORK_S3_SECRET_ACCESS_KEY"):
        wrong.check_writable()


def test_a_leftover_of_a_killed_check_is_no_obstacle(store: ObjectStore, s3):
    s3.client().put_object(Bucket=s3.bucket, Key=CHECK_KEY, Body=b"")
    store.check_writable()
    assert s3.keys() == []


def test_a_picture_stored_just_now_is_proof_enough(store: ObjectStore, monkeypatch):
    store.put(KEY, b"pixels", PNG)
    monkeypatch.setattr(store, "_prober", None)
    store.check_writable()


def test_a_store_that_is_gone_is_transient_news(settings_for):
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        gone = ObjectStore(settings_for("worker", s3_endpoint_url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        assert not gone.healthy()
        with pytest.raises(StoreUnavailable):
            gone.check_writable()
        with pytest.raises(StoreUnavailable):
            gone.put(KEY, b"pixels", PNG)


def test_a_store_that_never_answers_is_not_healthy(settings_for):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        store = ObjectStore(settings_for("worker", s3_endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        assert not store.healthy()
