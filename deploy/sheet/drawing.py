"""Contact sheet as pictures of A4 across: the pages of a PDF, or the first of them as a PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from deploy.sheet.tiles import Tile

A_PAGE = 18
_Ink = tuple[int, int, int]
_COLUMNS, _SIZE = 6, (1754, 1240)  # A4 across at 150 dots an inch
_MARGIN, _GAP, _HEADER, _CAPTION, _FOOTER = 50, 16, 110, 62, 30
_PAPER, _INK, _FAINT, _CARD = (246, 246, 243), (28, 28, 30), (107, 107, 112), (255, 255, 255)
_STATE_INK = {"released": (32, 120, 72), "held": (154, 98, 0), "refused": (178, 40, 40), "failed": (178, 40, 40)}


def write_pdf(shown: Sequence[Tile], title: str, summary: str, path: Path) -> None:
    """Every tile, 18 a page."""
    first, *rest = _pages(shown, title, summary)
    first.save(path, "PDF", resolution=150, save_all=True, append_images=rest)


def write_png(shown: Sequence[Tile], title: str, summary: str, path: Path) -> None:
    """The first 18 tiles, and how many there are beyond."""
    next(_pages(shown, title, summary)).save(path, "PNG", optimize=True)


def _pages(shown: Sequence[Tile], title: str, summary: str) -> Iterator[Image.Image]:
    count = max(1, -(-len(shown) // A_PAGE))
    for n in range(count):
        sheet = Image.new("RGB", _SIZE, _PAPER)
        draw = ImageDraw.Draw(sheet)
        _text(draw, (_MARGIN, 34), title, size=30, ink=_INK, room=_SIZE[0] - 2 * _MARGIN)
        _text(draw, (_MARGIN, 74), summary.partition("\n")[0], size=17, ink=_FAINT, room=_SIZE[0] - 2 * _MARGIN)
        for place, tile in enumerate(shown[n * A_PAGE : (n + 1) * A_PAGE]):
            _draw(sheet, draw, tile, place)
        footer = f"page {n + 1} of {count}, {len(shown):,} files"
        draw.text((_SIZE[0] - _MARGIN, _SIZE[1] - 22), footer, _FAINT, font=ImageFont.load_default(14), anchor="rm")
        yield sheet


def _draw(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, place: int) -> None:
    width = (_SIZE[0] - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
    height = (_SIZE[1] - _HEADER - _FOOTER - _MARGIN) // (A_PAGE // _COLUMNS) - _GAP
    x = _MARGIN + place % _COLUMNS * (width + _GAP)
    y = _HEADER + place // _COLUMNS * (height + _GAP)
    draw.rounded_rectangle((x, y, x + width, y + height), 10, _CARD)
    ink, room = _STATE_INK.get(tile.state, _FAINT), height - _CAPTION
    if tile.picture is None:
        draw.text((x + width // 2, y + room // 2 - 12), tile.state, ink, font=ImageFont.load_default(24), anchor="mm")
        _text(draw, (x + 12, y + room // 2 + 12), tile.why, size=13, ink=_FAINT, room=width - 24)
    else:
        picture = tile.picture.copy()
        picture.thumbnail((width - 12, room - 8), Image.Resampling.LANCZOS)
        sheet.paste(picture, (x + (width - picture.width) // 2, y + 6 + (room - 8 - picture.height) // 2))
    _text(draw, (x + 12, y + room + 4), tile.name, size=15, ink=_INK, room=width - 24)
    draw.text((x + width - 12, y + height - 16), tile.state, ink, font=ImageFont.load_default(13), anchor="rm")
    _text(
        draw,
        (x + 12, y + height - 24),
        " ".join(filter(None, (tile.channel, tile.note))),
        size=13,
        ink=_FAINT,
        room=width - 100,
    )


def _text(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *, size: int, ink: _Ink, room: int) -> None:
    """One line, cut where it leaves its room."""
    font = ImageFont.load_default(size)
    while text and draw.textlength(text, font) > room:
        text = f"{text.removesuffix('...')[:-1]}..." if len(text) > 4 else ""
    draw.text(at, text, ink, font=font)
