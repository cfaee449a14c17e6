"""Stage of a rehearsal: the running stack, a bucket of a tenant's own in its store, and what each step says."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from deploy.client import Client
from deploy.embedded import state as states
from deploy.embedded.environment import key_folder
from deploy.embedded.stack import Stack

T = TypeVar("T")
_PATIENCE_SECONDS = 900.0
_PAUSE_SECONDS = 0.5


class Wrong(SystemExit):
    """A step did not come out as it has to."""


class Stage:
    """One rehearsal. `bucket` is new, so a rehearsal can be repeated on one stack."""

    def __init__(self, data: Path) -> None:
        running = states.read(data)
        if running is None:
            raise Wrong(f"no stack runs on {data}; start it with PRESSWORK_WEBHOOK_LOOPBACK=true presswork up")
        self.stack = Stack.attached(data, running.ports)
        self.client = Client.of(data)
        self.name = f"rehearsal-{secrets.token_hex(4)}"
        self.s3 = self.stack.seaweed.client("admin")
        self.s3.create_bucket(Bucket=self.name)
        self.anchors = (key_folder(data).folder / "anchors.pem").read_text()

    def place(self) -> dict[str, str]:
        """The bucket, as a target or a source is registered."""
        identity = self.stack.passwords.s3("admin")
        return {
            "endpoint": self.stack.seaweed.endpoint_url,
            "bucket": self.name,
            "access_key_id": identity.access_key,
            "secret_access_key": identity.secret_key,
        }

    def put(self, key: str, data: bytes) -> str:
        """Its address."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [str(entry["Key"]) for entry in listed]

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """What `look` finds once it finds something."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while (found := look()) is None:
            if time.monotonic() > give_up:
                raise Wrong(f"waited in vain: {what}")
            time.sleep(_PAUSE_SECONDS)
        return found


def seen(what: str, found: Any, wanted: Any) -> None:
    """Prints what was seen. Raises Wrong where it is something else."""
    if found != wanted:
        raise Wrong(f"WRONG  {what}: {_said(found)} and not {_said(wanted)}")
    print(f"ok     {what}: {_said(found)}", flush=True)


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."
