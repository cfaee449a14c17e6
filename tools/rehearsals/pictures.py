"""Rehearsal of pictures that are sent in: twelve photos in a ZIP with a spreadsheet, each row with a task of its own.

    presswork up --data DIRECTORY
    python -m tools.rehearsals.pictures --data DIRECTORY --output FOLDER

Six backgrounds are removed, three replaced by grounds of the prompt, one photo is restyled, one inpainted, one
upscaled. What is held is released by the stack's reviewer. Every file is read with c2pa, the source of one is asked of
the ledger, and recalling one source recalls what was made from it. FOLDER has files, masks and a sheet of them.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.client import Client
from deploy.demo.goods.photos import SIDE, photo
from deploy.embedded.passwords import reviewer_key_file
from policy.marks.provenance.manifest import Manifest, ManifestReader
from tools.rehearsals.stage import Stage, seen

_PAPER = (236, 235, 231)  # of the ground on which the goods are photographed
_COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
_TASKS = {
    **{f"cut-{n}": ("remove-background", "") for n in range(1, 7)},
    **{f"ground-{ground}": ("replace-background", f"{ground} background") for ground in ("blue", "green", "grey")},
    "restyled": ("image-to-image", "a cup of coffee on a grey background"),
    "inpainted": ("inpaint", "a gift on a white background"),
    "upscaled": ("upscale", "a soccer ball"),
}
_GOODS = [(form, colour) for colour in ("red", "blue", "green") for form in ("mug", "bottle", "box", "ball")]
_COLUMNS = ("id", "words", "task", "image", "mask", "strength", "upscale")


def main(arguments: list[str] | None = None) -> None:
    """Runs it once."""
    parser = argparse.ArgumentParser(prog="python -m tools.rehearsals.pictures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory of the running stack")
    parser.add_argument("--output", type=Path, required=True, help="folder for files, masks and the sheet")
    asked = parser.parse_args(arguments)
    asked.output.mkdir(parents=True, exist_ok=True)
    stage = Stage(asked.data)
    with stage.client:
        _run(stage, asked.data, asked.output)


def _run(stage: Stage, data: Path, output: Path) -> None:
    client, (sheet, pictures, photos) = stage.client, _sent()
    spec = {"template": "{words?}", "name": stage.name}
    sent = client.submit_campaign(_named(sheet), spec, pictures=pictures)
    request = str(sent["id"])
    seen("images asked of the ZIP", sent["items"], len(_TASKS))
    _released(stage, data, request)
    lines = [dict(line) for line in client.results(request, channel="original")]
    seen("released", sorted(line["id"] for line in lines if line["presswork_state"] == "released"), sorted(_TASKS))
    reader, tiles = ManifestReader(stage.anchors), list[tuple[str, Image.Image]]()
    inputs, manifests = dict[str, str](), dict[str, Manifest]()
    ids = {str(one["name"]): str(one["id"]) for one in reversed(list(client.pages("/v1/inputs")))}
    for line in lines:
        for name, content in _files(client, str(line["presswork_asset_id"])):
            (output / f"{line['id']}-{name}.png").write_bytes(content)
            tiles.append((f"{line['id']} {name}", Image.open(io.BytesIO(content))))
            if name == "original" and (manifest := reader.read(content, "image/png")):
                manifests[line["id"]] = manifest
        inputs[line["id"]] = ids[str(line["image"])]
    seen("names", sorted(line["presswork_file_name"] for line in lines), sorted(f"{id}.png" for id in _TASKS))
    seen("declared", {line["presswork_ai_declaration"] for line in lines}, {"modified"})
    seen("manifests", {one.state for one in manifests.values()}, {"Trusted"})
    sources = {one.digital_source_type.rpartition("/")[2] for one in manifests.values()}
    seen("digital source type", sources, {_COMPOSITE})
    parents = {
        id: [one.title for one in m.ingredients if one.relationship == "parentOf"] for id, m in manifests.items()
    }
    seen("parent ingredient is the photo", parents == {id: [inputs[id]] for id in inputs}, True)
    _shown(tiles + [(f"{id} sent", picture) for id, picture in photos.items()], output / "sheet.png")
    last = next(line for line in lines if line["id"] == "restyled")
    told = _audit(data, str(last["presswork_asset_id"]))
    seen("presswork audit asset names the photo", inputs["restyled"] in told, True)
    order = {"input_id": inputs["cut-1"], "reason_code": "licence", "reason": "the photo is not ours"}
    client.post("/v1/recalls", order)

    def recalled() -> list[str] | None:
        found = [line["id"] for line in client.results(request) if line["presswork_state"] == "recalled"]
        return found or None

    seen("recalled with its photo", sorted(set(stage.until("recall", recalled))), ["cut-1"])


def _sent() -> tuple[bytes, io.BytesIO, dict[str, Image.Image]]:
    """Spreadsheet, ZIP, and the photos by row: opaque, on a light ground, so that a network finds the product."""
    rows, packed, photos = list[dict[str, str]](), io.BytesIO(), dict[str, Image.Image]()
    with zipfile.ZipFile(packed, "w") as archive:
        for (id, (task, words)), good in zip(_TASKS.items(), _GOODS, strict=True):
            photos[id] = _photographed(*good)
            row = {"id": id, "words": words, "task": task, "image": f"photos/{'-'.join(good)}.png"}
            archive.writestr(row["image"], _png(photos[id]))
            if task == "inpaint":
                row["mask"] = "photos/mask.png"
                area = np.zeros((SIDE, SIDE), np.uint8)
                area[SIDE // 4 : SIDE // 2, SIDE // 4 : 3 * SIDE // 4] = 255
                archive.writestr(row["mask"], _png(Image.fromarray(area)))
            row["strength"] = "0.5" if task == "image-to-image" else ""
            row["upscale"] = "4" if task == "upscale" else ""
            rows.append(row)
    packed.seek(0)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(), packed, photos


def _photographed(form: str, colour: str) -> Image.Image:
    cut = photo(form, colour)
    ground = Image.new("RGBA", cut.size, (*_PAPER, 255))
    return Image.alpha_composite(ground, cut).convert("RGB")


def _released(stage: Stage, data: Path, request: str) -> None:
    """Everything is settled; what is held, the reviewer releases."""
    client = stage.client
    stage.until("all is made", lambda: True if _open(client, request) == 0 else None)
    held = [line for line in client.results(request) if line["presswork_state"] == "held"]
    for line in held:
        print(f"       held: {line['id']}, {line['presswork_rule']}", flush=True)
    with Client.of(data, reviewer_key_file(data)) as reviewer:
        for line in held:
            reviewer.post(f"/v1/reviews/{line['presswork_item_id']}", {"decision": "release", "comment": "looked at"})

    def released() -> bool | None:
        return None if any(line["presswork_state"] == "held" for line in client.results(request)) else True

    stage.until("reviews are carried out", released)


def _open(client: Client, request: str) -> int:
    return int(client.request(request)["summary"]["open"])


def _files(client: Client, asset_id: str) -> list[tuple[str, bytes]]:
    """Original and mask of an asset."""
    found = client.get(f"/v1/assets/{asset_id}")["renditions"]
    return [(one["name"], client.fetch(one["url"])) for one in found if one["name"] in ("original", "mask")]


def _parents(manifest: Manifest) -> list[str]:
    return [one.title for one in manifest.ingredients if one.relationship == "parentOf"]


def _audit(data: Path, asset_id: str) -> str:
    command = [sys.executable, "-m", "deploy.cli", "audit", "asset", asset_id, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _shown(tiles: list[tuple[str, Image.Image]], path: Path) -> None:
    """All of them on one sheet, cut-outs over grey."""
    side, across = 160, 8
    sheet = Image.new("RGB", (across * side, -(-len(tiles) // across) * side), (120, 120, 120))
    for n, (_, picture) in enumerate(sorted(tiles, key=lambda tile: tile[0])):
        small = picture.convert("RGBA").resize((side - 4, side - 4))
        sheet.paste(small, (n % across * side + 2, n // across * side + 2), small)
    sheet.save(path)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _named(sheet: bytes) -> io.BytesIO:
    file = io.BytesIO(sheet)
    file.name = "goods.csv"
    return file


if __name__ == "__main__":
    main()
