"""Steps of the campaign's life: each a call that a person or a program makes, and what must be true after it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.life.sheet import CANCELLED, POISONED, TEMPLATE, changed, csv_of, rows_of
from bench.life.worker import POISON_FLAG, WEAK_FLAG

_OVER = ("finished",)


@dataclass
class CampaignLife:
    """One campaign from its price to its bill. `person` and `service` call; `folder` holds the worker's flags."""

    person: httpx.Client
    service: httpx.Client
    folder: Path
    rows: int
    pilot: int = 50
    known_after: int = 200  # images, so that a forecast is measured; a half of the rows where that is fewer
    wait_seconds: float = 900.0
    still_seconds: float = 1.0  # without a change: what was in flight at a pause is finished
    say: Callable[[str], object] = print
    watch: Callable[[str], object] = lambda _request_id: None  # begins to follow the request's events
    wrong: list[str] = field(default_factory=list)
    id: str = ""
    forecast: dict[str, Any] = field(default_factory=dict)
    used: dict[str, Any] = field(default_factory=dict)

    def live(self) -> None:
        """All steps, in order."""
        (self.folder / WEAK_FLAG).touch()
        sheet = rows_of(self.rows)
        self.checks("before anything is measured", csv_of(sheet))
        self.submits(csv_of(sheet))
        self.watch(self.id)
        self.accepts()
        self.pauses_and_resumes(csv_of(sheet))
        self.cancels("country", CANCELLED, sum(row.country == CANCELLED for row in sheet))
        self.trips()
        self.cancels("supplier", POISONED, sum(row.supplier == POISONED for row in sheet))
        self.act("resume")
        self.finishes()
        self.retries(sum(row.id.startswith("weak") for row in sheet))
        self.sends_again(csv_of(changed(sheet, 10)), 10)
        self.pays()

    def checks(self, when: str, sheet: str) -> dict[str, Any]:
        reply = self._send(sheet, dry_run=True).json()
        told = reply["forecast"]
        self.say(
            f"check {when}: {reply['items']} images, {reply['reused_items']} reused, GPU seconds {told['gpu_seconds']},"
            f" cost {told['cost']} {told['currency']}, finish {told['finish']}, {told['message'] or 'all measured'!r}"
        )
        for warning in reply["warnings"]:
            self.say(f"  warned: {warning['message']}")
        return dict(told)

    def submits(self, sheet: str) -> None:
        key = {"Idempotency-Key": f"life-{time.monotonic_ns()}"}
        pilot = {"images": self.pilot, "stratify_by": ["country"]}
        first, again = (self._send(sheet, headers=key, pilot=pilot) for _ in range(2))
        self._true(first.status_code == 202, f"the submission is answered with {first.status_code}")
        self._true(first.json()["id"] == again.json()["id"], "the same Idempotency-Key sends it once")
        self.id = first.json()["id"]
        self.say(f"submitted {self.rows} rows with a pilot of {first.json()['pilot']['images']} as {self.id}")

    def accepts(self) -> None:
        self._until("awaiting_acceptance")
        shown = self.get("/pilot")
        decision = {"digest": shown["digest"], "rejected": []}
        path = f"/v1/requests/{self.id}/pilot/accept"
        self._true(self.service.post(path, json=decision).status_code == 403, "a service key accepts no pilot")
        stale = self.person.post(path, json={**decision, "digest": shown["digest"][:-8] + "0" * 8})
        self._true(stale.status_code == 409, "the digest of another sheet is refused")
        (self.folder / POISON_FLAG).touch()
        self._true(self.person.post(path, json=decision).status_code == 200, "a person accepts the pilot")
        self._true(self.person.post(path, json=decision).status_code == 409, "a second acceptance is a conflict")
        self.say(f"pilot: {shown['bad']} of {shown['judged']} bad. {shown['proves']}")

    def pauses_and_resumes(self, sheet: str) -> None:
        self._wait(lambda: self.done() >= min(self.known_after, self.rows // 2))
        self.act("pause")
        before = self._still()
        self._true(self.get()["phase"] == "paused", "it is paused")
        self.forecast = self.checks("while it is paused, of the same file", sheet)
        self.used = self.get()["used"]
        self._true(self._still() == before, f"nothing new is planned while it is paused ({before} settled)")
        self.act("resume")

    def cancels(self, column: str, value: str, most: int) -> None:
        reply = self.act("cancel", {"columns": {column: [value]}})
        self._true(0 < reply["cancelled"] <= most, f"cancelled {reply['cancelled']} of {most} rows of {column} {value}")

    def trips(self) -> None:
        self._until("paused")
        request = self.get()
        self._true(request["paused_for"] == "breaker", f"paused for {request['paused_for']}")
        self.say(f"the breaker tripped: {request['paused_figures']}, counts {_some(request['counts'])}")

    def finishes(self) -> None:
        self._until(*_OVER)
        self.say(f"finished: {_some(self.get()['counts'])}")

    def retries(self, weak: int) -> None:
        failed = self.get()["counts"]["failed"]
        self._true(failed == weak, f"{failed} of {weak} weak rows failed")
        (self.folder / WEAK_FLAG).unlink()
        reply = self.act("retry", {})
        self._true(reply["items"] == failed, f"retried {reply['items']} in round {reply['round']}")
        self._until(*_OVER)
        self._true(self.get()["counts"]["failed"] == 0, f"after the retry: {_some(self.get()['counts'])}")

    def sends_again(self, sheet: str, edited: int) -> None:
        reply = self._send(sheet).json()
        rows, reused = reply["items"], reply["reused_items"]
        again = edited + self._held_besides()
        self._true(reused == rows - again, f"second send: {reused} of {rows} are reused, all but {again}")
        first, self.id = self.id, reply["id"]
        self._until(*_OVER)
        made = self.get()["used"]["made"]
        self._true(made == again, f"and {made} made anew: {_some(self.get()['counts'])}")
        self.id = first

    def pays(self) -> None:
        used = self.get()["used"]
        took = used["gpu_seconds"] - self.used["gpu_seconds"]
        images = used["made"] - self.used["made"]
        told, asked = self.forecast["gpu_seconds"], self.forecast["images"]
        self.say(f"final cost: {used['made']} images, {used['gpu_seconds']:.2f} GPU seconds, {used['cost']}")
        if told is None:
            if self.rows // 2 >= self.known_after:
                self.wrong.append(f"no forecast after {self.known_after} images: {self.forecast['message']}")
            return
        share = took / max(1, images) / (told["p50"] / asked)
        self.say(
            f"forecast while paused, of {asked} images: P50 {told['p50']:.2f}, P90 {told['p90']:.2f} GPU seconds;"
            f" {images} of them were made in {took:.2f}: {share:.2f} of the P50 an image"
        )

    def _held_besides(self) -> int:
        """Images that wait for a person and are not the poisoned supplier's: nobody reuses those."""
        held = self.get("/items?state=held&limit=100")["data"]
        return sum(not item["custom_id"].startswith(POISONED) for item in held)

    def get(self, of: str = "") -> dict[str, Any]:
        return dict(self.person.get(f"/v1/requests/{self.id}{of}").raise_for_status().json())

    def act(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return dict(self.person.post(f"/v1/requests/{self.id}/{verb}", json=body or {}).raise_for_status().json())

    def done(self) -> int:
        counts = self.get()["counts"]
        return int(sum(counts[state] for state in ("released", "held", "refused", "failed")))

    def _send(self, sheet: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        spec = json.dumps({"template": TEMPLATE, "name": "life", **more})
        files = {"file": ("life.csv", sheet, "text/csv")}
        return self.person.post("/v1/campaigns", data={"spec": spec}, files=files, headers=headers)

    def _until(self, *phases: str) -> None:
        self._wait(lambda: self.get()["phase"] in phases, f"{' or '.join(phases)}")

    def _wait(self, true: Callable[[], bool], what: str = "it") -> None:
        until = time.monotonic() + self.wait_seconds
        while not true():
            if time.monotonic() > until:
                raise TimeoutError(f"{what} was not there after {self.wait_seconds:g} s: {self.get()}")
            time.sleep(0.1)

    def _still(self) -> int:
        """How much is settled, once that has not changed for a while and nothing is in flight."""
        seen, since = self.done(), time.monotonic()
        while time.monotonic() - since < self.still_seconds or self.get()["counts"]["planned"]:
            time.sleep(0.05)
            if (now := self.done()) != seen:
                seen, since = now, time.monotonic()
        return seen

    def _true(self, holds: bool, statement: str) -> None:
        self.say(f"{'seen ' if holds else 'WRONG'}  {statement}")
        if not holds:
            self.wrong.append(statement)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {state: count for state, count in counts.items() if count}
