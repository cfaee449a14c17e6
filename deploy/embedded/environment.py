"""Environment of each role's process: its own database login, its own S3 identity, its own keys, and nothing more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.ports import LOOPBACK
from deploy.embedded.seaweed import ANCHORS, BUCKET, REGION
from deploy.embedded.stack import Stack

ROLES = ("api", "planner", "worker", "sealer", "clerk", "identify", "auditor", "owner")
_WITHOUT_STORE = ("owner", "planner")
LEDGER_ORIGIN = "presswork.local/ledger"
LOCK_DAYS = 30  # of checkpoints in the second bucket
# Further names of the model that ships, so that a script for the OpenAI API runs as it is: those its package knows.
OPENAI_NAMES = (
    *("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2", "gpt-image-2.5-sunburst"),
    *("gpt-image-2.5-flare", "gpt-image-2.6-sunburst", "gpt-image-2.6-flare", "chatgpt-image-latest"),
    *("dall-e-2", "dall-e-3"),
)
_SECOND = "PRESSWORK_ANCHOR_S3_"
_OF_THE_SHELL = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_OF_THE_DEVICE = ("CUDA_", "HF_", "MKL_", "NVIDIA_", "OMP_", "PYTORCH_")  # prefixes; workers only, HF_TOKEN is a secret


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """The development keys below a data directory."""

    folder: Path

    @property
    def signing_certificate(self) -> Path:
        return self.folder / "signing.pem"

    @property
    def signing_key(self) -> Path:
        return self.folder / "signing.key"

    @property
    def trust_anchors(self) -> Path:
        return self.folder / "anchors.pem"

    @property
    def ledger_key(self) -> Path:
        return self.folder / "ledger.key"

    @property
    def ledger_vkeys(self) -> Path:
        return self.folder / "ledger.vkeys"


def key_folder(data: Path) -> KeyFolder:
    return KeyFolder(data / "keys")


def settings_of(stack: Stack, role: str) -> dict[str, str]:
    """The PRESSWORK_ variables of a process of `role`, which is one of ROLES."""
    keys = key_folder(stack.data)
    values = {
        "DATABASE_URL": stack.postgres.url("worker" if role == "planner" else role),
        "LEDGER_ORIGIN": LEDGER_ORIGIN,
        "TRUST_ANCHORS": str(keys.trust_anchors),
        "LEDGER_VKEYS": str(keys.ledger_vkeys),
    }
    if role not in _WITHOUT_STORE:
        identity = stack.passwords.s3(role)
        values |= {
            "S3_ENDPOINT_URL": stack.seaweed.endpoint_url,
            "S3_BUCKET": BUCKET,
            "S3_REGION": REGION,
            "S3_ACCESS_KEY_ID": identity.access_key,
            "S3_SECRET_ACCESS_KEY": identity.secret_key,
        }
        if role in ("sealer", "auditor"):
            values |= {
                "ANCHOR_S3_BUCKET": ANCHORS,
                "ANCHOR_S3_ENDPOINT_URL": stack.seaweed.endpoint_url,
                "ANCHOR_S3_REGION": REGION,
                "ANCHOR_S3_ACCESS_KEY_ID": identity.access_key,
                "ANCHOR_S3_SECRET_ACCESS_KEY": identity.secret_key,
                "ANCHOR_S3_LOCK_DAYS": str(LOCK_DAYS),
            }
    if role in ("api", "planner", "worker"):
        values["REDIS_URL"] = stack.valkey.url()
    if role in ("planner", "sealer", "clerk", "identify", "worker"):
        values["METRICS_PORT"] = str(stack.ports[role])
    if role == "api":
        values |= {
            "AUDITOR_DATABASE_URL": stack.postgres.url("auditor"),
            "API_HOST": LOOPBACK,
            "API_PORT": str(stack.ports["api"]),
        }
    if role == "worker":
        values |= {"SIGNING_CERTIFICATE": str(keys.signing_certificate), "SIGNING_KEY": str(keys.signing_key)}
    if role == "sealer":
        values["LEDGER_KEY"] = str(keys.ledger_key)
    return {f"PRESSWORK_{name}": value for name, value in values.items()}


def process_environment(stack: Stack, role: str, shell: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a process of `role`. Nothing of the shell that could be another role's secret is in it.

    PRESSWORK_ variables of the shell are passed on, so that `PRESSWORK_LEASE_SECONDS=10 presswork up` works. Variables
    that the stack decides itself, for this role or another, are not passed on.
    """
    decided = {name for each in ROLES for name in with_second_anchor_of(shell, settings_of(stack, each))}
    kept = {
        name: value
        for name, value in shell.items()
        if name in _OF_THE_SHELL
        or (name.startswith("PRESSWORK_") and name not in decided and not _of_another(name, role))
        or (role == "worker" and name.startswith(_OF_THE_DEVICE))
    }
    if role == "api":
        kept.setdefault("PRESSWORK_MODEL_ALIASES", ",".join(f"{name}=studio" for name in OPENAI_NAMES))
    if role == "worker":  # the other half of the cores finishes the previous batch
        kept.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **with_second_anchor_of(shell, settings_of(stack, role))}


def with_second_anchor_of(shell: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """The settings of a role, without the stack's own second anchor if the shell names another one."""
    if f"{_SECOND}BUCKET" not in shell:
        return dict(values)
    return {name: value for name, value in values.items() if not name.startswith(_SECOND)}


def _of_another(name: str, role: str) -> bool:
    """Whether a setting, such as the login at a second anchor, is only for the sealer and the auditor."""
    return name.startswith("PRESSWORK_ANCHOR_") and role not in ("sealer", "auditor")
