"""Selection of a pack: a forger who leaves something out, or hands over the pack of another thing, is found out."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta

import pytest

from policy.errors import NotProvable
from policy.events import ItemCancelled, Private, RequestAccepted, RequestCancelled
from policy.ledger.append import timestamp
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.offline_verifier import Inconclusive
from tests.policy.ledger.test_pack import altered, event, pack_of, proof, verdict
from tests.support.ledger import Ledger, failed

SHA256 = "sha256:" + "7" * 64


@pytest.fixture
def log(database):
    ledger = Ledger(database)
    ledger.fill(5, 5, 5)
    return ledger


@pytest.fixture
def times(log):
    return [row.recorded_at for row in log.rows("select recorded_at from audit.entries order by id")]


def facts(path, ledger):
    return "\n".join(offline_verifier.verify(path, [str(vkey) for vkey in ledger.vkeys]).facts)


def without(*gone, **manifest):
    """Changes that take leaves out of a pack, with their lines and proofs; the manifest is changed besides."""

    def lines(raw):
        kept = [line for line in raw.splitlines(keepends=True) if json.loads(line)["index"] not in gone]
        return b"".join(kept)

    changes = {name: None for place in gone for name in (event(place), proof(place))}
    if manifest:
        changes["manifest.json"] = lambda raw: json.dumps({**json.loads(raw), **manifest}).encode()
    return {"index.jsonl": lines, **changes}


def test_a_whole_log_that_was_cut_off_is_named_although_its_range_was_cut_with_it(log, tmp_path):
    path = pack_of(log, tmp_path / "p.zip")
    assert "the whole log: leaves 0 to 14 without a gap" in facts(path, log)
    for gone, left in (((13, 14), [0, 13]), ((0, 1), [2, 15])):
        problems = verdict(altered(path, without(*gone, range=left)), log)
        assert any("says that this is the whole log, of 15 leaves, and holds" in said for said in problems), problems


def test_a_range_of_time_that_was_cut_off_is_named_although_its_ends_moved_with_it(log, times, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", since=times[5], until=times[10])
    assert f"from {timestamp(times[5])} to {timestamp(times[10])}: leaves 5 to 9 without a gap" in facts(path, log)
    for gone, left, named in [((10,), [5, 9], 9), ((9, 10), [5, 8], 8), ((4,), [6, 10], 5)]:
        problems = verdict(altered(path, without(*gone, range=left)), log)
        assert any(f"leaf {named}, " in said and "lies outside the range" in said for said in problems), problems
    problems = verdict(altered(path, without(4, 10)), log)
    assert [said.partition(":")[0] for said in problems] == ["leaf 4", "leaf 10"]


def test_a_range_to_the_end_of_the_log_has_no_leaf_behind_it(log, times, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", since=times[10])
    assert verdict(path, log) == []
    assert "leaves 10 to 14 without a gap" in facts(path, log)
    early = pack_of(log, tmp_path / "q.zip", until=times[5])
    assert verdict(early, log) == []
    with pytest.raises(NotProvable, match="no sealed event lies in that range"):
        pack_of(log, tmp_path / "r.zip", since=times[14] + timedelta(days=1))


def test_the_pack_of_another_thing_is_told_from_the_one_that_was_asked_for(log, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", asset_id="item-3")
    assert "about asset item-3" in facts(path, log)
    forged = altered(path, without(selection={"asset": "item-4"}))
    assert verdict(forged, log) == ["manifest.json: no event here is about asset item-4: the pack of another thing"]


def test_a_pack_of_a_request_counts_the_outcomes_that_it_must_hold(database, tmp_path):
    ledger = Ledger(database)
    asked = ("single", Private("n"), Private("a mug"), "studio", SHA256, "bulk")
    ledger.append(RequestAccepted("request-1", *asked, 6, 0, SHA256), failed(1), failed(2))
    ledger.append(ItemCancelled("request-1", "item-3"), RequestCancelled("request-1", 2))
    ledger.seal()
    path = pack_of(ledger, tmp_path / "p.zip", request_id="request-1")
    open_still = "5 of the 6 items of request request-1 have their outcome here: the others are open, or their events"
    assert open_still in facts(path, ledger)
    ledger.append(failed(6))
    ledger.seal()
    whole = pack_of(ledger, tmp_path / "q.zip", request_id="request-1")
    assert facts(whole, ledger).count("6 of the 6 items of request request-1 have their outcome here") == 1
    assert "others are open" not in facts(whole, ledger)
    assert open_still in facts(altered(whole, without(2)), ledger), "an outcome that was left out is missed"


@pytest.mark.parametrize(
    "selection",
    [None, [], {"asset": 5}, {"asset": "a", "request": "b"}, {"tenant": "acme"}, {"from": "yesterday"},
     {"from": "2026-11-01"}, {"nobody": "knows"}],
)  # fmt: skip
def test_a_selection_that_no_pack_can_have_is_not_judged(log, tmp_path, selection):
    path = altered(pack_of(log, tmp_path / "p.zip"), without(selection=selection))
    with pytest.raises(Inconclusive, match=r"manifest\.json"):
        verdict(path, log)


def test_a_range_of_time_without_its_ends_is_named(log, times, tmp_path):
    path = pack_of(log, tmp_path / "p.zip", since=times[5], until=times[10])
    problems = verdict(altered(path, without(range=None)), log)
    assert problems == ["manifest.json: a range without its ends cannot be whole: edited"]


def test_a_pack_is_a_zip_file_that_every_reader_understands(log, tmp_path):
    path = pack_of(log, tmp_path / "p.zip")
    raw = bytearray(path.read_bytes())
    directory = raw.rindex(b"PK\x01\x02")
    raw[directory + 6 : directory + 8] = (99).to_bytes(2, "little")  # a version of ZIP that nobody knows
    (tmp_path / "q.zip").write_bytes(raw)
    with pytest.raises(Inconclusive, match="no readable ZIP file"):
        verdict(tmp_path / "q.zip", log)
    (tmp_path / "q.zip").write_bytes((tmp_path / "p.zip").read_bytes() + path.read_bytes())
    with pytest.raises(Inconclusive, match="bytes of none of its files"):
        verdict(tmp_path / "q.zip", log)
    with zipfile.ZipFile(path, "a") as pack, pytest.warns(UserWarning, match="Duplicate name"):
        pack.writestr("vkeys", "another")
    with pytest.raises(Inconclusive, match="two files of one name"):
        verdict(path, log)
