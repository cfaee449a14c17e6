"""Intake of inputs on the real services, where a process dies, an address misbehaves or a classifier is silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from policy.images.screen import ImageScreen
from policy.rules import Rules
from tests.conftest import S3
from tests.support.client import ApiServer
from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.receiver import Receiver, receiving
from tests.support.sent_inputs import InputTenant
from workers.errors import ScreenUnavailable
from workers.intake.accept import IntakeContext, accept_next
from workers.jobs.inputs import intake
from workers.settings import Settings

POINTS = ("input_claimed", "input_stored", "input_settled")
_FETCHING = {"webhook_loopback": True, "input_fetch_seconds": 0.6, "input_max_bytes": 4096}


class Died(BaseException):
    """Stands in for SIGKILL: no handler of ours sees it."""


class Silent:
    """A classifier that does not answer."""

    name, classes, revision = "nsfw", ("drawing", "hentai", "neutral", "porn", "sexy"), "test"

    def scores(self, images: np.ndarray) -> np.ndarray:
        raise RuntimeError("no device")


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.fixture(scope="module")
def fetching(module_api: ApiServer, tenant: InputTenant) -> InputTenant:
    """The same process, which may fetch from this machine."""
    inner = replace(tenant.context.intake, settings=module_api.settings_for("identify", **_FETCHING))
    client = module_api.caller("acme", webhook_loopback=True)
    return InputTenant(client, replace(tenant.context, intake=inner))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def lease_runs_out(server: ApiServer) -> None:
    with server.line.owner.begin() as conn:
        conn.execute(text("update inputs set lease_until = clock_timestamp() where lease_until is not null"))


def dying_at(tenant: InputTenant, point: str) -> IntakeContext:
    def probe(reached: str, _held: object) -> None:
        if reached == point:
            raise Died(reached)

    return replace(tenant.context.intake, probe=probe)


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_anywhere_leaves_an_input_that_the_next_takes_in(
    point: str, tenant: InputTenant, module_api: ApiServer
) -> None:
    id = tenant.post(saved(product(80, 80, seed=20 + POINTS.index(point)))).json()["id"]
    with pytest.raises(Died):
        accept_next(dying_at(tenant, point))
    lease_runs_out(module_api)
    tenant.look()
    assert tenant.read(id)["state"] == "ready"
    screened = [e for e in module_api.line.events("input.screened") if f"input:{id}" in e.subjects]
    assert len(screened) == 1


def test_a_picture_that_kills_the_process_twice_fails_alone(tenant: InputTenant, module_api: ApiServer) -> None:
    id = tenant.post(saved(product(80, 80, seed=30))).json()["id"]
    for _ in range(intake.CLAIMS_ALLOWED):
        with pytest.raises(Died):
            accept_next(dying_at(tenant, "input_claimed"))
        lease_runs_out(module_api)
    other = tenant.post(saved(product(80, 80, seed=31))).json()["id"]
    tenant.look()
    assert (tenant.read(id)["reason"], tenant.read(other)["state"]) == ("gave_up", "ready")


def test_an_input_that_nobody_could_screen_waits_and_costs_no_claim(tenant: InputTenant) -> None:
    id = tenant.post(saved(product(80, 80, seed=32))).json()["id"]
    screen = ImageScreen(Rules.load(Settings.model_fields["policy_rules"].default), [Silent(), *_others(tenant)])
    for _ in range(intake.CLAIMS_ALLOWED + 1):
        with pytest.raises(ScreenUnavailable):
            accept_next(replace(tenant.context.intake, screen=lambda: screen))
    assert tenant.read(id)["state"] == "received"
    tenant.look()
    assert tenant.read(id)["state"] == "ready"


def _others(tenant: InputTenant) -> list[Any]:
    screen = tenant.context.intake.screen()
    loaded = (*screen._always, *screen._seconds)
    return [fenced.classifier for fenced in loaded if fenced.classifier.name != Silent.name]


def test_an_upload_that_is_gone_fails_its_input(tenant: InputTenant, s3: S3) -> None:
    id = tenant.post(saved(product(80, 80, seed=33))).json()["id"]
    s3.client().delete_object(Bucket=s3.bucket, Key=f"inbox/acme/{id}")
    tenant.look()
    assert tenant.read(id)["reason"] == "upload_missing"


def test_a_picture_is_fetched_from_its_address(fetching: InputTenant, receiver: Receiver) -> None:
    receiver.body = saved(product(64, 64), "JPEG")
    found = _fetched(fetching, receiver.url)
    assert (found["state"], found["origin"], found["width"]) == ("ready", "address", 64)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 302, "location": "http://127.0.0.1:1/"}, "fetch_redirect"),
        ({"status": 404}, "fetch_status"),
        ({"body": b"<!DOCTYPE html><html>"}, "not_a_picture"),
        ({"body": b"\x89PNG" + bytes(5000)}, "fetch_too_large"),
        ({"drip_seconds": 0.2}, "fetch_timeout"),
    ],
)
def test_an_address_that_gives_no_picture_fails_its_input(
    answer: dict[str, Any], reason: str, fetching: InputTenant, receiver: Receiver
) -> None:
    for name, value in answer.items():
        setattr(receiver, name, value)
    found = _fetched(fetching, receiver.url)
    assert (found["state"], found["reason"]) == ("failed", reason)


def _fetched(tenant: InputTenant, url: str) -> dict[str, Any]:
    answered = tenant.client.post("/v1/inputs", json={"url": url})
    assert answered.status_code == 202, answered.text
    tenant.look()
    return tenant.read(answered.json()["id"])
