"""Proofs that a tenant takes from the ledger over HTTP: they hold alone, and show no other tenant's events."""

from __future__ import annotations

import json
import uuid
import zipfile
from io import BytesIO

import pytest

from policy.ledger.evidence import offline_verifier
from policy.ledger.tree.proofs import ConsistencyProof, InclusionProof, check, check_extension
from policy.ledger.tree.seal import seal
from tests.support.client import campaign, problem
from tests.support.ledger import new_signer
from tests.support.line import released
from workers.jobs.settle import settle

NOBODY = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"


class Sealed:
    """An API whose ledger is sealed with a key of its own, and two tenants in it that share a batch."""

    def __init__(self, server, folder):
        self.server, self.signer = server, new_signer()
        self.vkeys = folder / "ledger.vkeys"
        self.vkeys.write_text(f"{self.signer.vkey}\n")
        self.caller = server.caller("acme", ledger_vkeys=self.vkeys)
        self.rival = server.caller("rival", ledger_vkeys=self.vkeys)
        self.engine = server.database.engine("sealer")

    def seal(self):
        with self.engine.begin() as conn:
            return seal(conn, self.signer, [self.signer.vkey])

    def get(self, address, **query):
        return self.caller.get(f"/v1/audit/{address}", params=query)


@pytest.fixture(scope="module")
def sealed(module_api, tmp_path_factory):
    return Sealed(module_api, tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="module")
def asked(sealed):
    """A request of acme and one of rival, sealed."""
    ids = [campaign(caller).json()["id"] for caller in (sealed.caller, sealed.rival)]
    sealed.seal()
    return ids


@pytest.fixture(scope="module")
def asset(sealed):
    """An asset of acme, released and sealed."""
    line = sealed.server.line
    held = line.claim(line.dispatch(line.submit("acme", 1)))
    outcome = released(held, held.items[0])
    with line.worker.begin() as conn:
        settle(conn, held, [outcome])
    sealed.seal()
    return outcome.asset_id


def test_heads_are_given_and_proven_to_extend_one_another(sealed, asked):
    first = sealed.get("checkpoint").text
    campaign(sealed.caller)
    newest = sealed.seal().note
    assert sealed.get("checkpoint").text == newest
    assert sealed.get("checkpoint", size=first.split("\n")[1]).text == first
    proof = sealed.get("consistency", old=first.split("\n")[1], new=newest.split("\n")[1])
    assert proof.headers["content-type"].startswith("text/plain")
    assert check_extension(ConsistencyProof.parse(proof.text), first, [sealed.signer.vkey])


def test_an_event_of_the_tenant_is_proven_and_no_other(sealed, asked):
    mine, theirs = (
        next(event for event in caller.get("/v1/audit/events").text.splitlines() if "request.accepted" in event)
        for caller in (sealed.caller, sealed.rival)
    )
    told = sealed.get(f"proofs/events/{json.loads(mine)['event_id']}").json()
    head = check(InclusionProof.parse(told["proof"]), told["event"].encode(), [sealed.signer.vkey])
    assert (head.size, json.loads(told["event"])["kind"]) == (told["size"], "request.accepted")
    for other in (json.loads(theirs)["event_id"], NOBODY, "nonsense"):
        problem(sealed.get(f"proofs/events/{other}"), 404, "not_found")


def test_a_proof_of_an_event_just_recorded_says_when_to_ask_again(sealed, asked):
    """It was 404 like an unknown event, though it can be proven a second later."""
    campaign(sealed.caller)
    newest = json.loads(sealed.caller.get("/v1/audit/events").text.splitlines()[-1])["event_id"]
    for caller, event_id, wait in (
        (sealed.caller, newest, "1"),
        (sealed.caller, NOBODY, None),
        (sealed.rival, newest, None),
    ):
        answer = caller.get(f"/v1/audit/proofs/events/{event_id}")
        problem(answer, 404, "not_found")
        assert answer.headers.get("retry-after") == wait
    sealed.seal()
    assert sealed.get(f"proofs/events/{newest}").status_code == 200


def test_an_asset_is_proven_by_the_event_that_released_it(sealed, asset):
    told = sealed.get(f"proofs/assets/{asset}").json()
    assert check(InclusionProof.parse(told["proof"]), told["event"].encode(), [sealed.signer.vkey])
    assert json.loads(told["event"])["event"]["asset_id"] == asset
    for caller, thing in ((sealed.rival, asset), (sealed.caller, NOBODY)):
        problem(caller.get(f"/v1/audit/proofs/assets/{thing}"), 404, "not_found")


def test_a_pack_of_a_request_proves_itself_and_holds_this_tenants_events_alone(sealed, asked, tmp_path):
    answer = sealed.get("packs", request=asked[0])
    assert answer.headers["content-type"] == "application/zip"
    assert f"evidence-{asked[0]}.zip" in answer.headers["content-disposition"]
    path = tmp_path / "pack.zip"
    path.write_bytes(answer.content)
    assert offline_verifier.verify(path, [str(sealed.signer.vkey)]).problems == []
    with zipfile.ZipFile(BytesIO(answer.content)) as pack:
        told = [json.loads(line) for line in pack.read("index.jsonl").splitlines()]
        whole = b"".join(pack.read(name) for name in pack.namelist())
    assert {"acme"} < {line["tenant"] for line in told} == {"acme", "presswork"}
    assert {line["kind"] for line in told if line["tenant"] == "presswork"} == {
        *("policy.registered", "model.registered", "verifier.registered")
    }
    assert asked[1].encode() not in whole
    problem(sealed.rival.get("/v1/audit/packs", params={"request": asked[0]}), 404, "not_found")


@pytest.mark.parametrize("sent", ["bytes=abc", "x", "bytes=5-1", "bytes=99999999999-", "bytes=0-9"])
def test_a_range_of_a_pack_is_ignored_and_never_answered_in_plain_text(sealed, asked, sent):
    """Each pack is written anew, so parts of two make no whole; an unreadable range was 400 text/plain."""
    answer = sealed.caller.get("/v1/audit/packs", params={"request": asked[0]}, headers={"Range": sent})
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "none")
    assert zipfile.ZipFile(BytesIO(answer.content)).testzip() is None


def test_nothing_is_left_of_a_pack_once_it_was_sent(sealed, asked, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "packs"))
    (tmp_path / "packs").mkdir()
    assert sealed.get("packs", request=asked[0]).status_code == 200
    problem(sealed.get("packs", request=NOBODY), 404, "not_found")
    assert list((tmp_path / "packs").iterdir()) == []


def test_more_than_an_answer_holds_is_refused(sealed, asked, monkeypatch):
    monkeypatch.setattr("api.routes.proofs.MAX_PACK_EVENTS", 0)
    told = problem(sealed.get("packs", request=asked[0]), 422, "limit_exceeded")
    assert "Remedy: ask for less" in told["detail"]


@pytest.mark.parametrize(
    ("address", "query", "status", "code"),
    [
        ("checkpoint", {"size": 10**6}, 404, "not_found"),
        ("checkpoint", {"size": 0}, 422, "invalid_parameters"),
        ("checkpoint", {"size": 10**30}, 422, "invalid_parameters"),
        ("consistency", {"old": 1, "new": 10**6}, 404, "not_found"),
        ("consistency", {"old": 9, "new": 2}, 422, "invalid_parameters"),
        ("consistency", {"old": 1}, 422, "invalid_parameters"),
        ("packs", {}, 422, "invalid_parameters"),
        ("packs", {"asset": NOBODY, "request": NOBODY}, 422, "invalid_parameters"),
        ("packs", {"asset": "../../etc"}, 404, "not_found"),
        ("packs", {"asset": NOBODY}, 404, "not_found"),
    ],
)
def test_what_does_not_exist_or_cannot_be_is_answered_clearly(sealed, asked, address, query, status, code):
    problem(sealed.get(address, **query), status, code)


def test_before_the_first_seal_nothing_can_be_proven(own_api, tmp_path):
    sealed = Sealed(own_api, tmp_path)
    request = campaign(sealed.caller).json()["id"]
    problem(sealed.get("checkpoint"), 404, "not_found")
    new = sealed.get("packs", request=request)
    assert "is not sealed yet" in problem(new, 404, "not_found")["detail"]
    assert new.headers["retry-after"] == "1"
    unknown = sealed.get("packs", request=NOBODY)
    assert "nothing is sealed yet" in problem(unknown, 404, "not_found")["detail"]
    assert "retry-after" not in unknown.headers


def test_a_pack_of_what_was_just_recorded_says_when_to_ask_again(sealed, asked):
    """It was 404 like that of an unknown request, though it can be written a second later."""
    request = campaign(sealed.caller).json()["id"]
    for caller, thing, wait in (
        (sealed.caller, request, "1"),
        (sealed.caller, NOBODY, None),
        (sealed.rival, request, None),
    ):
        answer = caller.get("/v1/audit/packs", params={"request": thing})
        problem(answer, 404, "not_found")
        assert answer.headers.get("retry-after") == wait
    sealed.seal()
    assert sealed.get("packs", request=request).status_code == 200


def test_it_takes_the_scope_and_an_installation_that_has_the_keys(sealed, asked):
    proofs = ("checkpoint", "consistency?old=1&new=1", f"packs?request={asked[0]}", f"proofs/events/{uuid.uuid4()}")
    for address in proofs:
        problem(sealed.server.caller(scopes=["read"]).get(f"/v1/audit/{address}"), 403, "forbidden")
    keyless = sealed.server.caller("acme")
    problem(keyless.get("/v1/audit/packs", params={"request": asked[0]}), 501, "audit_not_configured")
