"""Embedded stack: three real services on loopback, each behind passwords, each role in its own place."""

from __future__ import annotations

import json
import os
import socket
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.embedded.passwords import DATABASE_ROLES, S3_ROLES, load_or_make
from deploy.embedded.ports import LOOPBACK, is_free, pick
from deploy.embedded.seaweed import BUCKET, actions
from deploy.embedded.stack import Stack
from deploy.errors import DataUnusable

pytestmark = pytest.mark.processes

# role -> what it may do with an object of each place: Get, Put, List, Delete
_NOTHING = {"quarantine": "", "released": "", "recalled": "", "inbox": "", "files": "", "ledger": ""}
MAY = {
    "worker": {**_NOTHING, "quarantine": "GPLD", "released": "GPLD"},
    "clerk": {**_NOTHING, "quarantine": "GPLD", "released": "GPLD", "recalled": "GPLD", "files": "GPD"},
    "api": {**_NOTHING, "quarantine": "G", "released": "G", "inbox": "PD", "files": "GPD"},
    "identify": {**_NOTHING, "released": "G", "recalled": "G", "inbox": "GPLD"},
    "sealer": {**_NOTHING, "ledger": "GPLD"},
    "auditor": {**_NOTHING, "ledger": "GL", "released": "GL"},
}


def test_every_role_logs_in_as_itself(database: Any) -> None:
    for role in DATABASE_ROLES:
        with database.engine(role).connect() as conn:
            assert conn.exec_driver_sql("select current_user").scalar() == f"presswork_{role}"


def test_no_part_answers_without_its_password(stack: Stack, s3: Any) -> None:
    wrong = stack.postgres.url("worker").replace(stack.passwords["postgres.worker"], "guess").replace("+psycopg", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    client = redis.Redis(port=stack.ports["valkey"], retry=Retry(NoBackoff(), 0))
    with client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for path in ("", f"{BUCKET}/", f"{BUCKET}/released/x"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{s3.endpoint_url}/{path}")
        assert refused.value.code == 403


@pytest.mark.parametrize("role", MAY)
def test_an_s3_identity_reaches_its_places_and_no_other(s3: Any, role: str) -> None:
    admin, client = s3.client(), s3.client(role)
    for place, letters in MAY[role].items():
        key = f"{place}/acme/picture.png"
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"bytes")
        attempts = {
            "G": lambda key=key: client.get_object(Bucket=BUCKET, Key=key),
            "P": lambda key=key: client.put_object(Bucket=BUCKET, Key=f"{key}.new", Body=b""),
            "L": lambda place=place: client.list_objects_v2(Bucket=BUCKET, Prefix=f"{place}/"),
            "D": lambda key=key: client.delete_object(Bucket=BUCKET, Key=key),
        }
        assert "".join(letter for letter, attempt in attempts.items() if _allowed(attempt)) == letters, place


def test_the_api_identity_finds_no_way_around_its_prefix(s3: Any) -> None:
    admin, client = s3.client(), s3.client("api")
    for key in ("recalled/a.png", "released-elsewhere/a.png", "released"):
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"secret")
    for key in ("recalled/a.png", "released-elsewhere/a.png", "released", "released/../recalled/a.png"):
        assert not _allowed(lambda key=key: client.get_object(Bucket=BUCKET, Key=key)), key
    source = {"Bucket": BUCKET, "Key": "recalled/a.png"}
    assert not _allowed(lambda: client.copy_object(Bucket=BUCKET, Key="released/b.png", CopySource=source))
    assert not _allowed(lambda: client.list_objects_v2(Bucket=BUCKET))
    link = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "recalled/a.png"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link)
    assert refused.value.code == 403


def test_no_s3_identity_exists_without_a_place() -> None:
    assert {role for role in S3_ROLES if actions(role)} == set(S3_ROLES) == {*MAY, "admin"}
    with pytest.raises(ValueError, match="no S3 identity is called visitor"):
        actions("visitor")


def test_the_store_s_inner_ports_give_no_object_without_a_key(stack: Stack, s3: Any) -> None:
    s3.client().put_object(Bucket=BUCKET, Key="quarantine/a.png", Body=b"secret")
    for port in ("filer.port", "volume.port"):
        url = f"http://{LOOPBACK}:{stack.ports[port]}/buckets/{BUCKET}/quarantine/a.png"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url)
        assert refused.value.code == 401, port


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    processes = [psutil.Process(child.pid) for child in stack.children.values()]
    processes += [inner for process in processes for inner in process.children(recursive=True)]
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {LOOPBACK}
    assert {address.port for address in listening} <= set(stack.ports.values())


def test_no_password_is_on_a_command_line_or_open_to_others(stack: Stack) -> None:
    secrets = [secret.encode() for secret in stack.passwords.by_name.values()]
    for child in stack.children.values():
        words = "\0".join(psutil.Process(child.pid).cmdline()).encode()
        assert not any(secret in words for secret in secrets)
    readable = [
        path
        for path in stack.data.rglob("*")
        if path.is_file() and path.suffix in (".json", ".conf") and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert [path for path in readable if any(secret in path.read_bytes() for secret in secrets)] == []


def test_a_terminal_s_interrupt_reaches_the_supervisor_alone(stack: Stack) -> None:
    assert os.getpgrp() not in {os.getpgid(child.pid) for child in stack.children.values()}


def test_ports_are_the_first_free_candidate_and_never_given_twice() -> None:
    with socket.socket() as squatter:
        squatter.bind((LOOPBACK, 0))
        taken = squatter.getsockname()[1]
        free = pick({"any": ()})["any"]
        picked = pick({"first": (taken, free), "second": (free,), "third": ()})
    assert picked["first"] == free
    assert len(set(picked.values())) == 3
    assert all(is_free(port) for port in picked.values())


def test_passwords_are_made_once_and_a_new_one_joins_them(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first = load_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make(path) == first
    assert len(set(first.by_name.values())) == len(first.by_name)
    assert repr(first) == "Passwords(...)"
    older = {name: secret for name, secret in first.by_name.items() if name != "s3.auditor"}
    path.write_text(json.dumps(older))
    second = load_or_make(path)
    assert second["s3.auditor"] != first["s3.auditor"]
    assert {**second.by_name, "s3.auditor": ""} == {**first.by_name, "s3.auditor": ""}


def test_an_unreadable_password_file_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    path.write_text("{")
    with pytest.raises(DataUnusable, match=r"passwords\.json.*Remedy"):
        load_or_make(path)
    assert path.read_text() == "{"


def _allowed(attempt: Any) -> bool:
    try:
        attempt()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] not in (400, 403)
    return True
