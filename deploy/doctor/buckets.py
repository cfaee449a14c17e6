"""Buckets as one role finds them: rights, conditional writes, object lock, and the store's clock.

The trial writes one small object below a prefix of the role and deletes it. Killed in between: the object stays under
the same name, and the next examination deletes it. Nothing ever refers to it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from deploy.doctor.diagnosis import Diagnoses, Diagnosis, clock, in_words, ok, status_of, unknown, warning, wrong
from workers.settings import Settings

# Role -> prefix that it writes. The API only reads pictures; the auditor and the sealer keep to the ledger.
WRITES = {"worker": "released", "clerk": "released", "identify": "inbox"}
READS = {"api": "released", "auditor": "ledger", "sealer": "ledger", **WRITES}
_TRIAL = b"presswork " * 100  # not empty: an empty object needs no volume
_NAME = ".doctor"


def examine_bucket(settings: Settings, role: str) -> Diagnoses:
    """The bucket of pictures and checkpoints, as the identity of `role` finds it."""
    client = _client(
        settings.s3_endpoint_url, settings.s3_region, settings.s3_access_key_id, settings.s3_secret_access_key
    )
    subject = f"bucket {settings.s3_bucket}"
    try:
        answer = client.list_objects_v2(Bucket=settings.s3_bucket, Prefix=f"{READS[role]}/", MaxKeys=1)
    except ClientError as error:
        if status_of(error) == 403 and role == "api":  # it needs no list, only links
            yield unknown(subject, "it answers; this identity may not list")
        else:
            yield _refused(subject, error)
        return
    except BotoCoreError as error:
        yield wrong(subject, in_words(error), "check PRESSWORK_S3_ENDPOINT_URL, the server, and the way to it")
        return
    yield ok(subject, f"answers, {READS[role]}/ can be listed")
    yield from _store_clock(answer)
    if role in WRITES:
        yield from _conditional(client, settings.s3_bucket, f"{WRITES[role]}/{_NAME}")


def examine_second_anchor(settings: Settings) -> Diagnoses:
    """The second bucket of checkpoints: there, and under object lock."""
    bucket = settings.anchor_s3_bucket
    if not bucket:
        remedy = "name a second bucket, of another owner, in PRESSWORK_ANCHOR_S3_BUCKET"
        yield warning("second anchor", "checkpoints are kept in one bucket only", remedy)
        return
    client = _client(
        settings.anchor_s3_endpoint_url,
        settings.anchor_s3_region,
        settings.anchor_s3_access_key_id,
        settings.anchor_s3_secret_access_key,
    )
    subject = f"bucket {bucket}"
    try:
        client.list_objects_v2(Bucket=bucket, Prefix="ledger/", MaxKeys=1)
        yield ok(subject, "answers, ledger/ can be listed")
    except ClientError as error:
        yield _refused(subject, error)
        return
    except BotoCoreError as error:
        yield wrong(subject, in_words(error), "check PRESSWORK_ANCHOR_S3_ENDPOINT_URL, the server, and the way to it")
        return
    yield from _lock(client, bucket)


def _conditional(client: Any, bucket: str, key: str) -> Diagnoses:
    """Two conditional puts of one key: the first must be taken and the second refused, or twice is not once."""
    subject = "conditional writes"
    put = {"Bucket": bucket, "Key": key, "Body": _TRIAL, "IfNoneMatch": "*"}
    try:
        client.delete_object(Bucket=bucket, Key=key)  # what a killed examination left
        client.put_object(**put)
        try:
            client.put_object(**put)
            remedy = "use a store that keeps If-None-Match: without it a late worker overwrites a released picture"
            yield wrong(subject, f"{bucket} took the same key twice", remedy)
        except ClientError as error:
            if status_of(error) not in (409, 412):
                raise
            yield ok(subject, "a second put of a key is refused")
    except ClientError as error:
        yield _refused(subject, error)
    except BotoCoreError as error:
        yield wrong(subject, in_words(error), "check the store")
    finally:
        try:
            client.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            yield warning("deletion", f"{key} could not be deleted: {in_words(error)}", "delete it")


def _lock(client: Any, bucket: str) -> Diagnoses:
    try:
        answer = client.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if status_of(error) == 403:
            yield unknown("object lock", "this identity may not read it; the first checkpoint will show")
        else:
            remedy = "make the bucket with object lock enabled"
            yield wrong("object lock", f"bucket {bucket} has none ({in_words(error)})", remedy)
        return
    except BotoCoreError as error:
        yield unknown("object lock", in_words(error))
        return
    enabled = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
    yield (
        ok("object lock", f"bucket {bucket} can lock")
        if enabled
        else wrong("object lock", f"bucket {bucket} has none", "make the bucket with object lock enabled")
    )


def _store_clock(answer: Mapping[str, Any]) -> Diagnoses:
    shown = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if shown:
        yield clock("clock of the store", parsedate_to_datetime(shown).timestamp() - time.time())


def _refused(subject: str, error: ClientError) -> Diagnosis:
    remedy = "check the name of the bucket and the region"
    if status_of(error) in (401, 403):
        remedy = "give the identity of this process the rights that docs/storage.md lists"
    return wrong(subject, in_words(error), remedy)


def _client(endpoint: str | None, region: str, key: str | None, secret: SecretStr | None) -> Any:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
        connect_timeout=3,
        read_timeout=10,
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config,
    )
