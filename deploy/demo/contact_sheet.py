"""Contact sheet of a request: one HTML page and one PNG that show every item, its state and the reason."""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from deploy.demo.gallery import Frame

COLUMNS = 6
_TILE = 320  # pixels of a picture on the sheet; the page shows them whole
_GAP, _MARGIN, _CAPTION, _HEADER = 20, 36, 58, 104
_PAPER, _INK, _FAINT, _CARD = (246, 246, 243), (28, 28, 30), (120, 120, 124), (255, 255, 255)
_STATE_INK = {"released": (32, 120, 72), "held": (176, 112, 0), "refused": (178, 40, 40), "failed": (178, 40, 40)}


def write_page(frames: Sequence[Frame], title: str, path: Path) -> Path:
    """A self-contained HTML page: no script, no request to anywhere."""
    tiles = "\n".join(_tile_html(frame) for frame in frames)
    template = files("deploy.demo").joinpath("contact_sheet.html").read_text()
    page = template.replace("{{title}}", html.escape(title)).replace("{{counts}}", html.escape(counts(frames)))
    path.write_text(page.replace("{{tiles}}", tiles))
    return path


def write_picture(frames: Sequence[Frame], title: str, path: Path) -> Path:
    """The same sheet as one PNG."""
    rows = -(-len(frames) // COLUMNS)
    width = 2 * _MARGIN + COLUMNS * _TILE + (COLUMNS - 1) * _GAP
    height = _HEADER + rows * (_TILE + _CAPTION + _GAP) + _MARGIN - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 30), title, _INK, font=ImageFont.load_default(30))
    draw.text((_MARGIN, 68), counts(frames), _FAINT, font=ImageFont.load_default(17))
    for n, frame in enumerate(frames):
        x = _MARGIN + n % COLUMNS * (_TILE + _GAP)
        y = _HEADER + n // COLUMNS * (_TILE + _CAPTION + _GAP)
        _draw_tile(sheet, draw, frame, x, y)
    sheet.save(path, optimize=True)
    return path


def counts(frames: Sequence[Frame]) -> str:
    """ "28 released, 1 held for review, 1 refused": every item is in it."""
    words = {"held": "held for review", "refused": "refused by policy"}
    tally = Counter(frame.state for frame in frames)
    return ", ".join(f"{n} {words.get(state, state)}" for state, n in tally.most_common())


def _draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, frame: Frame, x: int, y: int) -> None:
    draw.rounded_rectangle((x, y, x + _TILE, y + _TILE + _CAPTION), 10, _CARD)
    ink = _STATE_INK.get(frame.state, _FAINT)
    if frame.picture is not None:
        picture = frame.picture.resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        corners = Image.new("L", (_TILE, _TILE), 0)
        ImageDraw.Draw(corners).rounded_rectangle((0, 0, _TILE, _TILE + 20), 10, 255)
        sheet.paste(picture, (x, y), corners)
    else:
        middle = (x + _TILE // 2, y + _TILE // 2)
        draw.text((middle[0], middle[1] - 12), frame.state, ink, font=ImageFont.load_default(26), anchor="mm")
        draw.text((middle[0], middle[1] + 16), frame.why, _FAINT, font=ImageFont.load_default(14), anchor="mm")
    draw.text((x + 12, y + _TILE + 8), _cut(draw, frame.custom_id, 16), _INK, font=ImageFont.load_default(16))
    draw.text((x + _TILE - 12, y + _TILE + 9), frame.state, ink, font=ImageFont.load_default(14), anchor="ra")
    draw.text((x + 12, y + _TILE + 33), _cut(draw, subject(frame), 13), _FAINT, font=ImageFont.load_default(13))


def subject(frame: Frame) -> str:
    """The part of the prompt that differs from row to row: what stands before the first comma."""
    return frame.prompt.partition(",")[0].strip()


def _cut(draw: ImageDraw.ImageDraw, text: str, size: int) -> str:
    font, room = ImageFont.load_default(size), _TILE - (24 if size < 16 else 100)
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(text + "...", font) > room:
        text = text[:-1]
    return text.rstrip() + "..."


def _tile_html(frame: Frame) -> str:
    escape = html.escape
    facts = [("seed", str(frame.seed))]
    if frame.asset is not None:
        rendition = frame.asset["renditions"][0]
        facts += [
            ("asset", frame.asset["id"]),
            ("watermark", frame.asset["watermark_id"]),
            ("manifest", frame.asset["provenance"]["marks"]["manifest"]["state"]),
            ("sha-256", rendition["sha256"][:16]),
        ]
    if frame.why:
        facts.append(("why", frame.why))
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    image = (
        f'<img alt="{escape(subject(frame))}" src="data:image/png;base64,{_base64(frame.picture)}">'
        if frame.picture is not None
        else f'<div class="none">{escape(frame.state)}<small>{escape(frame.why)}</small></div>'
    )
    return (
        f'<figure class="{escape(frame.state)}">{image}<figcaption><b>{escape(frame.custom_id)}</b>'
        f"<i>{escape(frame.state)}</i><p>{escape(frame.prompt)}</p><dl>{rows}</dl></figcaption></figure>"
    )


def _base64(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
