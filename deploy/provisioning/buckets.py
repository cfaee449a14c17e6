"""Buckets: one for pictures and checkpoints, a second one with object lock for checkpoints. Made where missing."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.errors import ComponentFailed


def create(endpoint: str | None, region: str, bucket: str, second: str | None) -> list[str]:
    """Make what is missing, with boto3's credential chain. What was done, in words. Raises ComponentFailed."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, connect_timeout=5),
    )
    try:
        done = [_ensure(client, bucket, region, endpoint)]
        _block_public(client, bucket)
        if second:
            done.append(_ensure(client, second, region, endpoint, ObjectLockEnabledForBucket=True))
            _block_public(client, second)
            _check_lock(client, second)
    except (ClientError, BotoCoreError) as error:
        raise ComponentFailed(f"object store: {error}. Run the command again after mending it") from error
    return done


def _ensure(client: Any, name: str, region: str, endpoint: str | None, **options: Any) -> str:
    if endpoint is None and region != "us-east-1":  # AWS refuses the default region by name
        options["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # 403: another account's
            raise
    else:
        return f"kept the bucket {name}"  # some stores say of a bucket that is there that they made it
    client.create_bucket(Bucket=name, **options)
    return f"made the bucket {name}"


def _block_public(client: Any, name: str) -> None:
    """Nothing in it can become public. A store that does not know the call has no public buckets to block."""
    every = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    try:
        client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(every, True))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("NotImplemented", "MethodNotAllowed"):
            raise


def _check_lock(client: Any, name: str) -> None:
    try:
        answer = client.get_object_lock_configuration(Bucket=name)
    except ClientError as error:
        raise ComponentFailed(
            f"the bucket {name} has no object lock ({error}). Remedy: name another; only a new bucket can have it"
        ) from error
    if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
        raise ComponentFailed(f"the bucket {name} has no object lock. Remedy: name another")
