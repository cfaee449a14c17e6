"""Cut-outs drawn here, in place of the packages that the recipe fetches."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image, ImageDraw

from models.train.goods import GOODS


def make_cutouts(root: Path) -> Path:
    """A folder like the unpacked packages: a red disc with a handle for every good, in both styles."""
    renders = root / "fluent-emoji-3d" / "assets"
    renders.mkdir(parents=True)
    disc = Image.new("RGBA", (256, 256))
    pen = ImageDraw.Draw(disc)
    pen.ellipse((40, 40, 200, 200), fill=(220, 30, 30, 255))
    pen.rectangle((200, 100, 250, 140), fill=(120, 120, 120, 255))
    stored = io.BytesIO()
    disc.save(stored, "WEBP", lossless=True)
    for good in GOODS:
        (renders / f"{good.emoji}.webp").write_bytes(stored.getvalue())
    flat = root / "fluent-emoji-flat"
    flat.mkdir()
    body = '<circle fill="#d33" cx="15" cy="15" r="10"/>'
    (flat / "icons.json").write_text(json.dumps({"icons": {good.flat: {"body": body} for good in GOODS}}))
    return root
