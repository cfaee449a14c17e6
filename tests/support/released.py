"""Released pictures and copies of them: a small gallery on the real services, and the identify process beside it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from policy.fingerprints import Image
from policy.marks.marker import Marker, Stamp
from policy.marks.provenance.signing import LocalSigner
from tests.support.line import Line, new_item, new_request, released
from workers.identification import loop
from workers.identification.loop import IdentifyContext
from workers.jobs.identification import questions
from workers.jobs.settle import settle
from workers.jobs.submit import submit
from workers.jobs.types import new_id
from workers.settings import Settings
from workers.store import ObjectStore, inbox_key

_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Shown:
    """A released picture."""

    asset_id: str
    item_id: str
    watermark_id: int
    data: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Releases pictures as the line does, and asks about others as the API does."""

    line: Line
    settings_for: Callable[..., Settings]

    def release(self, pictures: Sequence[Image], tenant: str = "acme") -> list[Shown]:
        """Marked, signed, stored and settled, in order."""
        line, worker = self.line, self.settings_for("worker")
        assert worker.signing_certificate is not None
        assert worker.signing_key is not None
        assert worker.trust_anchors is not None
        signer = LocalSigner.from_files(worker.signing_certificate, worker.signing_key)
        marker = Marker(signer, worker.trust_anchors.read_text(), "Presswork", "test")
        store = ObjectStore(worker)
        line.add_tenant(tenant)
        wanted = new_request(tenant)
        with line.as_tenant(tenant) as conn:
            submit(conn, wanted, [new_item(row + 1) for row in range(len(pictures))])
        ids = [id for id in line.pending() if line.item(id).request_id == wanted.id]
        held = line.claim(line.dispatch(sorted(ids)))
        outcomes, shown = [], []
        for item, picture in zip(held.items, pictures, strict=True):
            outcome = replace(released(held, item), watermark_id=secrets.randbits(48))
            stamp = Stamp(outcome.asset_id, outcome.watermark_id, "m", "r", "p", datetime.now(UTC), "log.example/l")
            marked = marker.mark(picture, stamp)
            (file,) = outcome.renditions
            store.put(file.key, marked.data, marked.media_type)
            file = replace(file, width=marked.width, height=marked.height, sha256=marked.sha256, bytes=len(marked.data))
            outcomes.append(replace(outcome, renditions=(file,)))
            shown.append(Shown(outcome.asset_id, item.id, outcome.watermark_id, marked.data, file.key))
        with line.worker.begin() as conn:
            settle(conn, held, outcomes)
        return shown

    def context(self, **changes: Any) -> IdentifyContext:
        """The identify process's tools, with its own role and identity."""
        return loop.make_context(self.settings_for("identify", **changes))

    def ask(self, data: bytes, tenant: str = "acme") -> str:
        """A question, stored as the API stores it; its id."""
        self.line.add_tenant(tenant)
        id = new_id()
        key = inbox_key(tenant, id)
        sha256 = ObjectStore(self.settings_for("api")).put(key, data, "application/octet-stream")
        with self.line.as_tenant(tenant) as conn:
            questions.ask(conn, id=id, tenant=tenant, key_id=new_id(), object=key, size=len(data), sha256=sha256)
        return id

    def read(self, id: str, tenant: str = "acme") -> questions.QuestionView:
        with self.line.as_tenant(tenant) as conn:
            return questions.get_question(conn, tenant, id)

    def answer(self, context: IdentifyContext, data: bytes, tenant: str = "acme") -> dict[str, Any]:
        """Ask, let the process take its turn, read."""
        id = self.ask(data, tenant)
        work(context)
        view = self.read(id, tenant)
        assert view.state == "done", (view.state, view.reason)
        return dict(view.answer or {})


def work(context: IdentifyContext) -> None:
    """Turns until nothing is left to do."""
    while loop.run_once(context, _NEVER):
        pass


def pixels(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


def encoded(image: Image, suffix: str = ".png", *options: int) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()


def jpeg(image: Image, quality: int) -> bytes:
    return encoded(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
