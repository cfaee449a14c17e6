"""Rehearsal of a catalogue: 40 goods planned, piloted, applied, delivered; a scheduled run; the way back.

    PRESSWORK_WEBHOOK_LOOPBACK=true presswork up --data DIRECTORY
    python -m tools.rehearsals.catalogue --data DIRECTORY

Feed and photos lie in a bucket that is registered as a source, and what is live goes to the same bucket. Between the
two runs five rows change, one photo gets a new address with the same bytes, one row is gone, and two columns swap. Then
the rehearsal waits for the scheduled run, up to three minutes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from deploy.demo.goods.photos import write_goods
from policy.intake.picture import open_picture
from policy.marks.provenance.manifest import ManifestReader
from tools.rehearsals.stage import Stage, seen
from workers.intake.sanitise import seen as as_seen
from workers.masks import proof

_CHANGED = 5
_GONE, _MOVED = 7, 8  # places of rows behind those that change
_MINUTES = 2  # until the scheduled run


class _Goods:
    """The feed as it lies in the bucket, and the photo that each row is made of."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        write_goods(folder)
        self.spec: dict[str, Any] = yaml.safe_load((folder / "catalogue.yaml").read_text("utf-8"))
        with (folder / "goods.csv").open(newline="", encoding="utf-8") as file:
            self.rows = list(csv.DictReader(file))
        self.columns = list(self.rows[0])
        self.photos: dict[str, bytes] = {}
        self._stage = stage
        for row in self.rows:
            self.photos[row["sku"]] = (folder / row["photo"]).read_bytes()
            row["photo"] = stage.put(f"source/{row['photo']}", self.photos[row["sku"]])
        self.url = self.write()

    def write(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(self.rows)
        return self._stage.put("source/goods.csv", text.getvalue().encode())

    def change(self) -> list[str]:
        """The keys that a run has to make anew."""
        for row in self.rows[:_CHANGED]:
            row["ground"] = "grey"
        moved = self.rows[_MOVED]
        moved["photo"] = self._stage.put(f"source/moved/{moved['sku']}.png", self.photos[moved["sku"]])
        changed = [row["sku"] for row in self.rows[:_CHANGED]]
        del self.rows[_GONE]
        one, other = self.columns.index("price"), self.columns.index("ground")
        self.columns[one], self.columns[other] = self.columns[other], self.columns[one]
        self.write()
        return sorted(changed)


def main(arguments: list[str] | None = None) -> None:
    """Runs it once."""
    parser = argparse.ArgumentParser(prog="python -m tools.rehearsals.catalogue", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory of the running stack")
    stage = Stage(parser.parse_args(arguments).data)
    with TemporaryDirectory() as folder, stage.client:
        _run(stage, _Goods(stage, Path(folder)))


def _run(stage: Stage, goods: _Goods) -> None:
    client, spec = stage.client, goods.spec
    target = client.post("/v1/targets", {**stage.place(), "name": stage.name, "prefix": "shop"})
    client.post("/v1/sources", {**stage.place(), "prefix": "source"})
    ready = stage.until("target", lambda: _state_of(stage, target["id"]))
    seen("target", ready, "ready")
    spec |= {"name": stage.name, "source": {"url": goods.url}}
    spec["make"] |= {"seed": secrets.randbelow(2**31)}  # what an earlier rehearsal drew would be taken again
    spec["deliver"] = {"target": stage.name, "address": "https://cdn.example/"}
    url = f"/v1/catalogues/{stage.name}"

    plan = _planned(stage, spec)
    seen("first plan", plan["counts"], {"create": len(goods.rows), "keep": 0})
    begun = client.post(f"{url}/plans/{plan['id']}/apply", {"digest": plan["digest"]})
    request = begun["request_id"]
    pilot = stage.until("pilot", lambda: _pilot(stage, request))
    seen("pilot", len(pilot["items"]), spec["pilot"]["images"])
    client.post(f"/v1/requests/{request}/pilot/accept", {"digest": pilot["digest"]})
    first = _delivered(stage, run=1)
    seen("first run delivered", sorted({name.split()[0] for name in first}), [row["sku"] for row in goods.rows])
    _proven(stage, goods, first)
    seen("plan of the same feed", _planned(stage, spec)["counts"], {"keep": len(goods.rows)})

    changed = goods.change()
    due = datetime.now(UTC) + timedelta(minutes=_MINUTES)
    spec["schedule"] = {"cron": f"{due.minute} {due.hour} * * *", "apply": "within-limits"}
    client.put(f"{url}/schedule", spec)
    print(f"       waits for {due:%H:%M} UTC", flush=True)
    tick = stage.until("scheduled run", lambda: _tick(stage, url))
    seen("scheduled run", (tick["outcome"], tick["run"]), ("applied", 2))
    client.delete(f"{url}/schedule")
    second = _delivered(stage, run=2)
    seen("made anew", sorted({name.split()[0] for name in first if second[name] != first[name]}), changed)
    seen("the row that is gone stays live", len(second), len(first))
    last = client.get(f"{url}/plans")["data"][0]
    kept = len(goods.rows) - _CHANGED
    seen("scheduled plan", last["counts"], {"change": _CHANGED, "missing": 1, "keep": kept})
    _proven(stage, goods, second)
    feed = _table(stage, "feed.csv")
    seen("feed.csv", [row["photo"] for row in feed], [_original(second, row["sku"]) for row in feed])
    seen("errors.csv", _table(stage, "errors.csv"), [])

    client.post(f"{url}/rollback", {"to_run": 1})
    seen("manifest after the rollback is that of run 1", _delivered(stage, run=3) == first, True)


def _original(delivered: dict[str, str], key: str) -> str:
    return f"https://cdn.example/{delivered[f'{key} original']}"


def _planned(stage: Stage, spec: dict[str, Any]) -> dict[str, Any]:
    url = f"/v1/catalogues/{stage.name}/plans"
    id = stage.client.plan_catalogue(stage.name, spec, None, {})["id"]

    def made() -> dict[str, Any] | None:
        plan = stage.client.get(f"{url}/{id}")
        return plan if plan["state"] != "planning" else None

    plan = stage.until("plan", made)
    seen("state of the plan", plan["state"] if not plan["errors"] else str(plan["errors"]), "ready")
    return plan


def _state_of(stage: Stage, target_id: str) -> str | None:
    state = str(stage.client.get(f"/v1/targets/{target_id}")["state"])
    return None if state == "checking" else state


def _pilot(stage: Stage, request: str) -> dict[str, Any] | None:
    if stage.client.get(f"/v1/requests/{request}")["phase"] != "awaiting_acceptance":
        return None
    return stage.client.get(f"/v1/requests/{request}/pilot")


def _tick(stage: Stage, url: str) -> dict[str, Any] | None:
    ticks: list[dict[str, Any]] = stage.client.get(f"{url}/schedule")["ticks"]
    return ticks[0] if ticks and ticks[0]["outcome"] else None


def _delivered(stage: Stage, *, run: int) -> dict[str, str]:
    """Place of each file (key and channel) in the delivered manifest, once it shows this run. Every one is there."""

    def shown() -> bool | None:
        told = stage.client.get(f"/v1/catalogues/{stage.name}")["delivery"]
        live = stage.client.get(f"/v1/catalogues/{stage.name}/runs")["data"][0]
        over = live["run"] == run and live["state"] == "finished"
        return True if over and told["run"] == run and not told["waiting"] else None

    stage.until(f"delivery of run {run}", shown)
    lines = map(json.loads, stage.read(f"shop/{stage.name}/manifest.jsonl").splitlines())
    found = {f"{line['key']} {line['channel']}": str(line["object"]) for line in lines}
    there = {key.removeprefix(f"shop/{stage.name}/") for key in stage.keys(f"shop/{stage.name}/")}
    seen(f"objects of run {run} that are missing", sorted(set(found.values()) - there), [])
    return found


def _table(stage: Stage, name: str) -> list[dict[str, str]]:
    text = stage.read(f"shop/{stage.name}/{name}").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _proven(stage: Stage, goods: _Goods, delivered: dict[str, str]) -> None:
    """What a buyer checks of each file, with the photo and the certificates alone."""
    reader, failed = ManifestReader(stage.anchors), list[str]()
    for name, place in delivered.items():
        content = stage.read(f"shop/{stage.name}/{place}")
        picture = open_picture(content)
        manifest = reader.read(content, picture.media_type)
        source = as_seen(open_picture(goods.photos[name.split()[0]], keep_alpha=True))
        steps, _, _ = proof.audit(picture.pixels, manifest, source)
        if any(step.holds is False for step in steps) or not any(step.name == "product" for step in steps):
            failed.append(f"{name}: {[(step.name, step.found) for step in steps if not step.holds]}")
    seen(f"files of {len(delivered)} whose product is not the photo's", failed, [])


if __name__ == "__main__":
    main()
