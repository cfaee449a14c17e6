"""Held pictures for the tests of reviews: settled as the worker would, or really made, marked and quarantined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Row, select

from policy.rulebook.review import ReviewRules
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.fakes import FakeSampler
from tests.support.line import POLICY, RECIPE, Line
from tests.support.worker import Works
from workers.clerk.context import ClerkContext
from workers.jobs import keys
from workers.jobs.review.decide import ReviewDecision, Reviewed, review
from workers.jobs.settle import settle
from workers.jobs.tables import holds, reviews
from workers.jobs.types import Claim, ClaimedItem, Finished, Held, SamplingPosition, StoredRendition, new_id
from workers.store import ObjectStore

if TYPE_CHECKING:
    from tests.support.databases import Database

GREY = np.full((RECIPE.height, RECIPE.width, 3), 120, np.uint8)  # one colour: held as broken/blank
ONE = ReviewRules(four_eyes=frozenset(), never=frozenset({"minors"}), own_campaign=False)
TWO = ReviewRules(four_eyes=None, never=frozenset(), own_campaign=False)
SHA256 = "b" * 64


def held_for(category: str) -> Verdict:
    finding = Finding(Decision.HOLD, Stage.IMAGE, category, f"{category}/rule", 0.7)
    return Verdict(POLICY, (finding,), {"nsfw/porn": 0.7})


def held(claim: Claim, item: ClaimedItem, category: str = "brands", *, marked: bool = True) -> Held:
    """The outcome of an image that waits for a person, as the finisher would say it."""
    key = f"quarantine/{item.tenant}/{item.id}/{claim.attempt}/original.png"
    files = (StoredRendition("original", key, "image/png", 128, 128, 1234, SHA256),)
    watermark_id = int(item.id.replace("-", "")[-12:], 16)
    position = SamplingPosition(len(claim.items), claim.items.index(item), "cpu")
    asset = Finished(new_id(), watermark_id, position, {"watermark": {"bit_errors": 0}}, files)
    return Held(item, held_for(category), key, SHA256, asset if marked else None)


@dataclass(slots=True)
class Reviewing:
    """One tenant's held pictures, its keys, and what people say."""

    line: Line
    tenant: str = "acme"
    key_ids: dict[str, str] = field(default_factory=dict)

    def hold(self, *categories: str, marked: bool = True, submitted_by: str = "submitter") -> list[str]:
        """Item ids of one request, each held for one category."""
        ids = self.submit(len(categories), submitted_by)
        claim = self.line.claim(self.line.dispatch(ids))
        pairs = zip(claim.items, categories, strict=True)
        with self.line.worker.begin() as conn:
            settle(conn, claim, [held(claim, item, category, marked=marked) for item, category in pairs])
        return ids

    def submit(self, images: int, by: str = "submitter", **request: Any) -> list[str]:
        return self.line.submit(self.tenant, images, key_id=self.key(by), **request)

    def key(self, name: str, person: str | None = None) -> str:
        """The id of the tenant's key of that name, made on first use."""
        if name not in self.key_ids:
            self.line.add_tenant(self.tenant)
            with self.line.as_tenant(self.tenant) as conn:
                stored, _ = keys.create_key(
                    conn, self.tenant, name=name, scopes=["review"], actor="test", person=person
                )
            self.key_ids[name] = stored.id
        return self.key_ids[name]

    def say(
        self, decision: str, item_id: str, by: str = "alice", *, rules: ReviewRules = ONE, sha256: str | None = None
    ) -> Reviewed:
        judgement = ReviewDecision(item_id, decision, sha256 or self.hold_of(item_id).sha256, f"{by} looked")
        with self.line.as_tenant(self.tenant) as conn:
            return review(
                conn, self.tenant, judgement, key_id=self.key(by), rules=rules, policy_version="sha256:" + "9" * 64
            )

    def hold_of(self, item_id: str) -> Row[Any]:
        with self.line.auditor.connect() as conn:
            return conn.execute(select(holds).where(holds.c.item_id == item_id)).one()

    def said(self, item_id: str) -> Sequence[Row[Any]]:
        with self.line.auditor.connect() as conn:
            return conn.execute(select(reviews).where(reviews.c.item_id == item_id).order_by(reviews.c.id)).all()

    def made_and_held(self, works: Works, images: int = 1, **request: Any) -> list[str]:
        """Really made: screened as blank, marked, signed, in quarantine."""
        ids = self.submit(images, **request)
        pictures = {f"row-{n + 1}": GREY for n in range(images)}
        works.executor(FakeSampler(pictures=pictures)).run(self.line.dispatch(ids))
        return ids


def clerk(database: Database, works: Works) -> ClerkContext:
    """The clerk's own rights on this test's services."""
    settings = works.settings_for("clerk")
    return ClerkContext(database.engine("clerk"), ObjectStore(settings), settings)
