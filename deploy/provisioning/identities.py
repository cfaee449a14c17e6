"""Identities of the object store: an IAM policy for each role, from the rights that the embedded store gives it.

One source (deploy/embedded/seaweed.py) says which role reads, writes and lists which prefix. Only three roles delete:
the worker what its dead attempts left, the clerk what people decided, identify what it has answered.
"""

from __future__ import annotations

from typing import Any

from deploy.embedded.passwords import S3_ROLES
from deploy.embedded.seaweed import ANCHORS, BUCKET, actions

IDENTITIES = tuple(role for role in S3_ROLES if role != "admin")
_DELETES = ("worker", "clerk", "identify")
_OBJECT_ACTIONS = {
    "Read": ("s3:GetObject",),
    "Write": ("s3:PutObject", "s3:AbortMultipartUpload"),
    "PutObjectRetention": ("s3:PutObjectRetention",),
}


def policy(role: str, bucket: str, second: str | None) -> dict[str, Any]:
    """The IAM policy document of `role`, one of IDENTITIES, on its bucket and the second bucket of checkpoints."""
    objects: dict[str, list[str]] = {}  # action -> resources
    listed: dict[str, list[str]] = {}  # bucket -> prefixes
    for right in actions(role):
        verb, _, path = right.partition(":")
        of, _, prefix = path.partition("/")
        name = {BUCKET: bucket, ANCHORS: second}[of]
        if name is None:
            continue
        if verb == "List":
            listed.setdefault(name, []).append(prefix)
            continue
        allowed = _OBJECT_ACTIONS[verb]
        if verb == "Write" and role in _DELETES:
            allowed = (*allowed, "s3:DeleteObject")
        if verb == "Read" and of == ANCHORS:
            allowed = (*allowed, "s3:GetObjectVersion", "s3:GetObjectRetention")
        for action in allowed:
            objects.setdefault(action, []).append(f"arn:aws:s3:::{name}/{prefix}")
    statements = [_statement(action, resources) for action, resources in sorted(objects.items())]
    for name, prefixes in sorted(listed.items()):
        listing = ["s3:ListBucket"]
        if name == second:
            listing += ["s3:ListBucketVersions", "s3:GetBucketObjectLockConfiguration"]
        condition = {} if name == second else {"Condition": {"StringLike": {"s3:prefix": sorted(prefixes)}}}
        statements.append({"Effect": "Allow", "Action": listing, "Resource": f"arn:aws:s3:::{name}", **condition})
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(action: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": sorted(resources)}
