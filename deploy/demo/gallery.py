"""Gallery of a request: its items with their images, fetched through the API and presigned links."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from deploy.client import Client
from deploy.client.targets import harmless


@dataclass(frozen=True, slots=True)
class Frame:
    """One item of the request; `picture` and `asset` are None if it was not released."""

    row: int
    custom_id: str
    variant: int
    prompt: str
    seed: int
    state: str
    why: str  # category and rule of a refusal or hold, code of a failure
    asset: dict[str, Any] | None
    picture: Image.Image | None


def frames(client: Client, request_id: str, folder: Path) -> list[Frame]:
    """Every item in row order. Released images are also stored in `folder`, byte for byte."""
    folder.mkdir(parents=True, exist_ok=True)
    assets = {asset["item_id"]: asset for asset in client.assets(request_id)}
    return [_frame(client, item, assets.get(item["id"]), folder) for item in client.items(request_id)]


def _frame(client: Client, item: dict[str, Any], asset: dict[str, Any] | None, folder: Path) -> Frame:
    picture = None
    if asset is not None:
        original = asset["renditions"][0]
        content = client.fetch(original["url"], most=original["bytes"])
        (folder / harmless(original["file_name"])).write_bytes(content)
        picture = Image.open(BytesIO(content)).convert("RGB")
    return Frame(
        item["row"], item["custom_id"], item["variant"], item["prompt"], item["seed"], item["state"],
        _why(item), asset, picture,
    )  # fmt: skip


def _why(item: dict[str, Any]) -> str:
    findings = (item["verdict"] or {}).get("findings", [])
    return item["reason"] or ", ".join(dict.fromkeys(finding["rule"] for finding in findings))
