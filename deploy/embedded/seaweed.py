"""SeaweedFS, an S3 object store (`weed server`), from a wheel, with one S3 identity per role.

Rights (a test tries each):

    admin     everything; for the supervisor, which makes the buckets, and for tests
    worker    read, write, list on quarantine/, released/ and drawings/; read on inputs/, from which it makes pictures
    clerk     read, write, list on quarantine/, released/, recalled/, inputs/ and drawings/: it moves and deletes as
              people decided; write on files/: it deletes what expired
    api       read on released/ and quarantine/: it signs the links that tenants and reviewers get;
              read, list on ledger/revocations/; write on inbox/, where pictures wait to be looked at;
              read, write on files/, which clients of the OpenAI API upload
    identify  read on released/ and recalled/; read, write, list on inbox/ and inputs/: it deletes what it has looked at
    sealer    read, write, list on ledger/, in both buckets
    auditor   read, list on ledger/, in both buckets, and on released/: it holds files against the ledger

The second bucket has object lock: through S3 nobody, the admin included, can change or delete a checkpoint there before
its lock ends. A weed action names a path after the bucket. Without the slash before the star, "released*" would also
allow "released-elsewhere/".
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from deploy.embedded.children import Child, bare_environment, program, spawn
from deploy.embedded.passwords import S3_ROLES, Passwords
from deploy.embedded.ports import LOOPBACK

BUCKET = "presswork"
ANCHORS = "presswork-anchors"  # with object lock
REGION = "us-east-1"
# weed listens on all of these. Each gets a port from us; the fixed default may be in use.
INNER_PORTS = (
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
_CLERK_PREFIXES = ("quarantine", "released", "recalled", "inputs", "drawings")
_WORKER_PREFIXES = ("quarantine", "released", "drawings")
_READY_KEY = "released/.ready"


class Seaweed:
    """A single-process object store in `directory`, with two buckets."""

    name = "seaweed"
    grace_seconds = 15.0

    def __init__(
        self, directory: Path, *, port: int, inner_ports: dict[str, int], passwords: Passwords, log: Path
    ) -> None:
        self.port = port
        self._directory, self._inner_ports, self._passwords, self._log = directory, inner_ports, passwords, log

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Child:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        identities = self._directory / "identities.json"
        identities.touch(mode=0o600)
        identities.write_text(json.dumps({"identities": [self._identity(role) for role in S3_ROLES]}))
        return spawn(
            [program("weed"), *self._arguments()],
            log=self._log,
            environment={**bare_environment(self._directory), **self._inner_secrets()},
            cwd=self._directory,  # every path below is relative to it: socket names have at most 107 characters
        )

    def ready(self) -> None:
        """Returns once an object can be stored and read. Raises botocore's errors before.

        An open port is too early: the first put waits for a volume. An empty object needs none, so it proves nothing.
        """
        client = self.client("admin")
        for bucket, lock in ((BUCKET, False), (ANCHORS, True)):
            with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
        client.put_object(Bucket=BUCKET, Key=_READY_KEY, Body=b"ready")
        client.get_object(Bucket=BUCKET, Key=_READY_KEY)["Body"].read()

    def client(self, role: str) -> Any:
        """A boto3 client with the rights of `role`."""
        identity = self._passwords.s3(role)
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=identity.access_key,
            aws_secret_access_key=identity.secret_key,
            region_name=REGION,
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10
            ),
        )

    def _arguments(self) -> list[str]:
        """Not `weed mini`: its maintenance worker looks for an admin server every 5 s, and logs that there is none."""
        options = {
            "dir": ".",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "filer": "true",
            "s3": "true",
            "master.volumeSizeLimitMB": 128,
            "volume.max": 0,  # as many as the disk has room for
            "s3.port": self.port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": "identities.json",
            "s3.localSocket": "s3.sock",
            "s3.allowedOrigins": self.endpoint_url,
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "s3.concurrentUploadLimitMB": 64,
            "filer.localSocket": "filer.sock",
            "filer.concurrentUploadLimitMB": 64,
            "volume.preStopSeconds": 0,
            "master.telemetry": "false",
            **self._inner_ports,
        }
        return ["-logtostderr=true", "-v=-1", "server", *(f"-{name}={value}" for name, value in options.items())]

    def _inner_secrets(self) -> dict[str, str]:
        """Without these keys, anyone who reaches the port of the filer or a volume reads every object."""
        return {
            "WEED_JWT_SIGNING_KEY": self._passwords["seaweed.volume_write"],
            "WEED_JWT_SIGNING_READ_KEY": self._passwords["seaweed.volume_read"],
            "WEED_JWT_FILER_SIGNING_KEY": self._passwords["seaweed.filer_write"],
            "WEED_JWT_FILER_SIGNING_READ_KEY": self._passwords["seaweed.filer_read"],
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # volumes at a time; of the default, 7, most stay empty
            # Its fixed buffers are 232 MiB, of which half are never touched. Under a limit near that (256 MiB) the
            # collector never rests: after some hundred objects it took 26 % of a core, idle. At 1 GiB it rests.
            "GOMEMLIMIT": "1GiB",
            "GOGC": "50",  # collects at 350 MiB; resident 210 MB after a hundred pictures
        }

    def _identity(self, role: str) -> dict[str, Any]:
        identity = self._passwords.s3(role)
        return {
            "name": identity.access_key,
            "credentials": [{"accessKey": identity.access_key, "secretKey": identity.secret_key}],
            "actions": actions(role),
        }


def actions(role: str) -> list[str]:
    """The weed actions of a role's identity: the table of this module in weed's terms."""
    match role:
        case "admin":
            return ["Admin", "Read", "Write", "List", "Tagging"]
        case "worker":
            verbs = ("Read", "Write", "List")
            own = [f"{verb}:{BUCKET}/{prefix}/*" for verb in verbs for prefix in _WORKER_PREFIXES]
            return [*own, f"Read:{BUCKET}/inputs/*"]
        case "clerk":
            verbs = ("Read", "Write", "List")
            moved = [f"{verb}:{BUCKET}/{prefix}/*" for verb in verbs for prefix in _CLERK_PREFIXES]
            return [*moved, *(f"{verb}:{BUCKET}/files/*" for verb in ("Read", "Write"))]
        case "api":
            lists = [f"{verb}:{BUCKET}/ledger/revocations/*" for verb in ("Read", "List")]
            links = [f"Read:{BUCKET}/{prefix}/*" for prefix in ("released", "quarantine")]
            return [
                *links,
                *lists,
                f"Write:{BUCKET}/inbox/*",
                *(f"{verb}:{BUCKET}/files/*" for verb in ("Read", "Write")),
            ]
        case "identify":
            originals = [f"Read:{BUCKET}/{prefix}/*" for prefix in ("released", "recalled")]
            verbs = ("Read", "Write", "List")
            return [*originals, *(f"{verb}:{BUCKET}/{prefix}/*" for verb in verbs for prefix in ("inbox", "inputs"))]
        case "sealer" | "auditor":
            paths = [f"{bucket}/ledger/*" for bucket in (BUCKET, ANCHORS)]
            reads = [f"{verb}:{path}" for path in paths for verb in ("Read", "List")]
            writes = [*(f"Write:{path}" for path in paths), f"PutObjectRetention:{ANCHORS}/ledger/*"]
            files = [f"{verb}:{BUCKET}/released/*" for verb in ("Read", "List")]
            return reads + (writes if role == "sealer" else files)
        case _:
            raise ValueError(f"no S3 identity is called {role}")
