"""Finishing, after the device: the real screen, marker and store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from policy.errors import SigningUnavailable
from policy.images.screen import ImageScreen
from policy.marks.inspect import inspect
from policy.marks.provenance.signing import LocalSigner
from policy.rulebook.scope import Context
from policy.verdict import Decision, Verdict
from tests.support.fakes import FakeSampler
from tests.support.line import RECIPE, Line, new_item, rows
from tests.support.worker import Works, policy
from workers.jobs.tables import assets, holds, renditions
from workers.recipes import Lora, Upscaler
from workers.states import BatchState, ItemState
from workers.store import ObjectStore

GREY = np.full((RECIPE.height, RECIPE.width, 3), 120, np.uint8)  # one colour: no picture at all


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def findings(works: Works, item_id: str) -> list[tuple[str, str]]:
    verdict = Verdict.from_json(works.line.item(item_id).verdict)
    return [(finding.stage, finding.rule) for finding in verdict.findings]


def all_of(line: Line, table) -> list:
    with line.auditor.connect() as conn:
        return list(conn.execute(select(table)))


def test_an_allowed_image_is_marked_stored_and_explained(works: Works):
    batch_id = works.batch(3)
    works.executor().run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 3}
    assert works.line.batch(batch_id).state == BatchState.FINISHED
    stored = all_of(works.line, renditions)
    assert sorted(row.key for row in stored) == works.s3.keys()
    store = ObjectStore(works.settings_for("worker"))
    for row in stored:
        png = store.get(row.key)
        assert (hashlib.sha256(png).hexdigest(), len(png)) == (row.sha256, row.bytes)
        assert (row.width, row.height, row.media_type) == (RECIPE.width, RECIPE.height, "image/png")
    for asset in all_of(works.line, assets):
        marks = asset.provenance["marks"]
        assert marks["watermark"]["id"] == f"{asset.watermark_id:012x}"
        assert marks["manifest"]["state"] in ("Trusted", "Valid")
        assert asset.policy_version == policy(works.settings_for("worker").policy_rules)[0].version


def test_an_enlarged_picture_is_screened_marked_and_recorded_as_it_leaves(works: Works):
    grown = replace(RECIPE, upscaler=Upscaler("double", 2, "sha256:" + "2" * 64), loras=(Lora("ink", 0.5, "sha256:3"),))
    works.line.submit("acme", 1, new_items=[new_item(1, recipe=grown)])
    (batch_id,) = works.look()
    works.executor().run(batch_id)
    (file,), (asset,) = all_of(works.line, renditions), all_of(works.line, assets)
    assert (file.width, file.height) == (2 * RECIPE.width, 2 * RECIPE.height)
    (told,) = works.line.events("item.released")
    assert told.event["recipe"] == asset.provenance["recipe"] == grown.to_json()
    assert told.event["recipe"]["upscaler"] == {"name": "double", "factor": 2, "revision": "sha256:" + "2" * 64}
    settings = works.settings_for("worker")
    found = inspect(ObjectStore(settings).get(file.key), settings.trust_anchors.read_text())
    assert found.watermark.watermark_id == asset.watermark_id
    assert found.manifest.generation["parts"] == [
        {"role": "lora", "name": "ink", "revision": "sha256:3", "scale": 0.5},
        {"role": "upscaler", "name": "double", "revision": "sha256:" + "2" * 64, "factor": 2},
    ]


def test_every_released_digest_has_an_allow_verdict_in_the_ledger(works: Works):
    works.executor().run(works.batch(2))
    told = works.line.events("item.released")
    assert {r["sha256"] for event in told for r in event.event["renditions"]} == {
        row.sha256 for row in all_of(works.line, renditions)
    }
    assert {event.event["verdict"]["decision"] for event in told} == {Decision.ALLOW}
    assert all(event.event["verdict"]["scores"] for event in told), "raw scores are kept"


class _Swapping:
    """A screen after which the first picture becomes another one, by whatever error."""

    def __init__(self, screen: ImageScreen) -> None:
        self._screen = screen

    def screen(self, images: np.ndarray, contexts: Sequence[Context]) -> list[Verdict]:
        verdicts = self._screen.screen(images, contexts)
        images[0] = images[1]
        return verdicts


def test_a_verdict_binds_the_picture_that_it_judged(works: Works):
    """FAULTS 33, in memory: what changed between screening and marking is held, though the new pixels pass too."""
    executor = works.executor()
    executor.finisher = replace(executor.finisher, screen=_Swapping(executor.finisher.screen))
    swapped, kept = works.line.submit("acme", 2)
    executor.run(works.line.dispatch([swapped, kept]))
    assert ("image", "not_the_picture_that_was_screened") in findings(works, swapped)
    assert works.line.states() == {ItemState.HELD: 1, ItemState.RELEASED: 1}
    (released,), (held,) = works.line.events("item.released"), works.line.events("item.held")
    drawn = {event.event["item_id"]: event.event["verdict"]["pixels"] for event in (released, held)}
    assert len(set(drawn.values())) == 2
    assert all(len(digest) == 64 for digest in drawn.values())


def test_a_prompt_that_the_rules_of_now_refuse_leaves_no_bytes(works: Works):
    """It was accepted under other rules; finishing looks again."""
    bad, good = works.line.submit("acme", 2, new_items=[new_item(1, prompt="a nsfw poster"), new_item(2)])
    works.executor().run(works.line.dispatch([bad, good]))
    assert works.line.item(bad).state == ItemState.REFUSED
    assert ("prompt", "sexual/explicit") in findings(works, bad)
    assert works.line.events("item.refused")[0].event["item_id"] == bad
    assert works.s3.keys() == [f"released/acme/{good}/1/original.png"]


def test_a_negative_prompt_is_screened_by_the_rules_for_negative_prompts(works: Works):
    """To keep clothes out of a picture is another wish than to ask for them."""
    (item_id,) = works.line.submit("acme", 1, new_items=[new_item(1, negative_prompt="clothes")])
    works.executor().run(works.line.dispatch([item_id]))
    assert works.line.states() == {ItemState.HELD: 1}
    assert ("prompt", "sexual/undressing") in findings(works, item_id)


def test_the_words_that_a_model_reads_are_screened_though_brackets_stand_between_them(works: Works):
    weighed = replace(RECIPE, prompt_syntax="weights")
    texts = ("a n(s:1.2)fw poster", "a (nsfw:1.2) poster", "a (red:1.2) poster")
    asked = [new_item(n, prompt=text, recipe=weighed) for n, text in enumerate(texts, 1)]
    apart, plain, fine = works.line.submit("acme", 3, new_items=asked)
    (batch_id,) = works.look()
    works.executor().run(batch_id)
    assert works.line.states() == {ItemState.REFUSED: 2, ItemState.RELEASED: 1}
    assert [findings(works, each).count(("prompt", "sexual/explicit")) for each in (apart, plain, fine)] == [1, 1, 0]


def test_a_picture_that_a_person_must_see_waits_in_quarantine(works: Works):
    ids = works.line.submit("acme", 2)
    works.executor(FakeSampler(pictures={"row-1": GREY})).run(works.line.dispatch(ids))
    assert works.line.states() == {ItemState.HELD: 1, ItemState.RELEASED: 1}
    (hold,) = all_of(works.line, holds)
    assert (hold.item_id, hold.key) == (ids[0], f"quarantine/acme/{ids[0]}/1/original.png")
    assert ("image", "broken/blank") in findings(works, ids[0])
    held_png = ObjectStore(works.settings_for("worker")).get(hold.key)
    assert hashlib.sha256(held_png).hexdigest() == hold.sha256
    assert not any(ids[0] in key for key in works.s3.keys("released/"))


def test_a_prompt_that_a_person_must_see_is_held_with_its_picture(works: Works):
    (item_id,) = works.line.submit("acme", 1, new_items=[new_item(1, prompt="mickey mouse on a mug")])
    works.executor().run(works.line.dispatch([item_id]))
    assert works.line.states() == {ItemState.HELD: 1}
    assert works.s3.keys() == [f"quarantine/acme/{item_id}/1/original.png"]


def test_an_image_that_takes_no_mark_is_held(works: Works):
    """Thirty-two pixels a side carry no watermark."""
    small = replace(RECIPE, width=32, height=32)
    (item_id,) = works.line.submit("acme", 1, new_items=[new_item(1, recipe=small)])
    works.look()
    works.executor().run(works.queue.batch_ids[0])
    assert works.line.states() == {ItemState.HELD: 1}
    assert ("mark", "MarkError") in findings(works, item_id)
    assert works.s3.keys() == [f"quarantine/acme/{item_id}/1/unmarked.png"]
    (hold,) = all_of(works.line, holds)
    assert (hold.attempt, hold.asset_id, hold.renditions) == (1, None, None), "nothing to release"


def test_a_held_picture_is_marked_and_signed_as_a_released_one_and_the_hold_keeps_it_all(works: Works):
    ids = works.line.submit("acme", 2)
    works.executor(FakeSampler(pictures={"row-1": GREY})).run(works.line.dispatch(ids))
    (hold,), (asset,) = all_of(works.line, holds), all_of(works.line, assets)
    assert hold.provenance.keys() == asset.provenance.keys()
    assert hold.provenance["marks"]["watermark"]["id"] == f"{hold.watermark_id:012x}"
    assert hold.provenance["marks"]["manifest"]["state"] in ("Trusted", "Valid")
    (kept,) = hold.renditions
    (file,) = all_of(works.line, renditions)
    assert kept.keys() == file._mapping.keys() - {"asset_id", "tenant"}
    assert (kept["key"], kept["sha256"], kept["name"]) == (hold.key, hold.sha256, "original")
    (told,) = works.line.events("item.held")
    assert told.event["renditions"] == [kept]


def test_bytes_that_are_not_ours_under_the_key_hold_that_image_only(works: Works, settings):
    ids = works.line.submit("acme", 3)
    ObjectStore(settings).put(f"released/acme/{ids[1]}/1/original.png", b"swapped", "image/png")
    works.executor().run(works.line.dispatch(ids))
    assert [works.line.item(id).state for id in ids] == [ItemState.RELEASED, ItemState.HELD, ItemState.RELEASED]
    assert ("mark", "DigestMismatch") in findings(works, ids[1])
    assert ids[1] not in {asset.item_id for asset in all_of(works.line, assets)}


class LockedSigner:
    """A signing service that is reached, and says no until it is unlocked."""

    def __init__(self, inner: LocalSigner) -> None:
        self._inner, self.locked = inner, False

    @property
    def certificate_chain(self) -> str:
        return self._inner.certificate_chain

    @property
    def algorithm(self) -> str:
        return self._inner.algorithm

    def sign(self, data: bytes) -> bytes:
        if self.locked:
            raise SigningUnavailable("the key is locked")
        return self._inner.sign(data)


def test_without_a_signing_key_the_batch_waits_and_nothing_leaves_unsigned(works: Works, signing_files):
    signer = LockedSigner(LocalSigner.from_files(signing_files.certificate, signing_files.key))
    executor = works.executor(signer=signer, return_seconds=0)
    signer.locked = True
    batch_id = works.batch(2)
    executor.run(batch_id)
    assert (works.line.batch(batch_id).state, works.line.batch(batch_id).given_back) == (BatchState.DISPATCHED, 1)
    assert works.line.events("batch.returned")[0].event["reason"] == "signing_unavailable"
    assert works.s3.keys() == []
    signer.locked = False
    executor.run(batch_id)
    assert works.line.states() == {ItemState.PLANNED: 2}, "it pauses first"
    executor.standing.resume()
    executor.run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 2}


def test_a_fault_of_the_device_fails_its_item_and_no_other(works: Works):
    ids = works.line.submit("acme", 3)
    works.executor(FakeSampler(faults={"row-2": "not_finite"})).run(works.line.dispatch(ids))
    assert works.line.states() == {ItemState.RELEASED: 2, ItemState.FAILED: 1}
    assert works.line.item(ids[1]).reason == "not_finite"


def test_places_say_where_in_which_run_an_image_was_made(works: Works):
    works.executor().run(works.batch(3, new_items=rows(3)))
    made = [(a.provenance["batch_size"], a.provenance["batch_position"]) for a in all_of(works.line, assets)]
    assert sorted(made) == [(3, 0), (3, 1), (3, 2)]
