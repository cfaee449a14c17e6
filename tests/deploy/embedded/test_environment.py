"""Environments of the embedded stack's processes. No service runs here: addresses and passwords are enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.embedded.environment import ROLES, process_environment, settings_of
from deploy.embedded.passwords import S3_ROLES
from deploy.embedded.seaweed import ANCHORS, INNER_PORTS
from deploy.embedded.stack import PREFERRED_PORTS, Stack
from workers.settings import Settings

# role -> the passwords it is given, by the name under which the stack keeps them
GIVEN = {
    "api": {"postgres.api", "postgres.auditor", "s3.api", "valkey"},
    "planner": {"postgres.worker", "valkey"},
    "worker": {"postgres.worker", "s3.worker", "valkey"},
    "sealer": {"postgres.sealer", "s3.sealer"},
    "clerk": {"postgres.clerk", "s3.clerk"},
    "identify": {"postgres.identify", "s3.identify"},
    "auditor": {"postgres.auditor", "s3.auditor"},
    "owner": {"postgres.owner"},
}
KEYS = {"PRESSWORK_SIGNING_KEY": ["worker"], "PRESSWORK_LEDGER_KEY": ["sealer"]}


@pytest.fixture
def addresses(tmp_path: Path) -> Stack:
    return Stack.attached(tmp_path, {**PREFERRED_PORTS, **dict.fromkeys(INNER_PORTS, 1)})


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_given_its_own_passwords_and_no_other(addresses: Stack, role: str) -> None:
    values = "\n".join(process_environment(addresses, role, {}).values())
    assert {name for name, secret in addresses.passwords.by_name.items() if secret in values} == GIVEN[role]


@pytest.mark.parametrize("key", KEYS)
def test_a_private_key_is_named_to_the_one_process_that_signs_with_it(addresses: Stack, key: str) -> None:
    assert [role for role in ROLES if key in settings_of(addresses, role)] == KEYS[key]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_a_role_s_settings_are_valid_settings(addresses: Stack, role: str) -> None:
    values = {name.removeprefix("PRESSWORK_").lower(): value for name, value in settings_of(addresses, role).items()}
    assert values.keys() <= Settings.model_fields.keys()
    settings = Settings(**values)
    assert settings.database_url.get_secret_value() == addresses.postgres.url("worker" if role == "planner" else role)
    assert (settings.s3_access_key_id or "").removeprefix("presswork-") in ("", role)
    assert role in (*S3_ROLES, "planner")


def test_a_setting_of_the_shell_reaches_every_process_and_its_secrets_reach_none(addresses: Stack) -> None:
    shell = {
        "PRESSWORK_LEASE_SECONDS": "10",
        "PRESSWORK_DATABASE_URL": "postgresql+psycopg://somewhere-else",
        "PRESSWORK_LEDGER_KEY": "/keys/of/another.pem",
        "AWS_SECRET_ACCESS_KEY": "of the developer",
        "GITHUB_TOKEN": "of the developer",
        "PATH": "/bin",
    }
    for role in ("api", "planner", "sealer", "worker"):
        seen = process_environment(addresses, role, shell)
        assert seen["PRESSWORK_LEASE_SECONDS"] == "10"
        assert seen["PATH"] == "/bin"
        assert not {"of the developer", "/keys/of/another.pem", shell["PRESSWORK_DATABASE_URL"]} & set(seen.values())


def test_what_is_meant_for_the_device_reaches_the_worker_alone(addresses: Stack) -> None:
    shell = {"CUDA_VISIBLE_DEVICES": "1", "HF_TOKEN": "secret", "OMP_NUM_THREADS": "3"}
    for role in ("api", "planner", "sealer"):
        assert not shell.keys() & process_environment(addresses, role, shell).keys()
    assert shell.items() <= process_environment(addresses, "worker", shell).items()


@pytest.mark.parametrize("role", ROLES)
def test_the_login_of_a_second_anchor_is_for_whoever_seals_or_audits(addresses: Stack, role: str) -> None:
    shell = {"PRESSWORK_ANCHOR_S3_BUCKET": "theirs", "PRESSWORK_ANCHOR_S3_SECRET_ACCESS_KEY": "elsewhere"}
    seen = process_environment(addresses, role, shell)
    given = {name: value for name, value in seen.items() if name.startswith("PRESSWORK_ANCHOR_S3_")}
    assert given == (shell if role in ("sealer", "auditor") else {}), "and nothing of the stack's own second bucket"
    own = process_environment(addresses, role, {}).get("PRESSWORK_ANCHOR_S3_BUCKET")
    assert own == (ANCHORS if role in ("sealer", "auditor") else None)
