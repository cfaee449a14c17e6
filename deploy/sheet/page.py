"""HTML pages of a contact sheet: self-contained, no script, no request to anywhere. Filters are check boxes and CSS."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from io import BytesIO
from itertools import groupby

from PIL import Image

from deploy.sheet.tiles import Tile

A_PAGE = 120  # tiles: a page of 3 MB that a browser opens at once
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_STATES = ("released", "held", "refused", "failed", "cancelled", "recalled", "pending", "planned")


def pages(shown: Sequence[Tile], title: str, summary: str, names: Sequence[str]) -> Iterator[str]:
    """One page for each name, which are those of their files."""
    template = files("deploy.sheet").joinpath("sheet.html").read_text()
    for n, name in enumerate(names):
        part = shown[n * A_PAGE : (n + 1) * A_PAGE]
        links = " ".join(
            f"<b>{number}</b>" if other == name else f'<a href="{html.escape(other)}">{number}</a>'
            for number, other in enumerate(names, 1)
        )
        filled = {
            "title": html.escape(title),
            "summary": html.escape(summary),
            "pages": f"<nav>page {links}</nav>" if len(names) > 1 else "",
            "filters": "".join(_filter(state) for state in _STATES if any(tile.state == state for tile in part)),
            "rows": "\n".join(_row(list(tiles)) for _, tiles in groupby(part, key=lambda tile: tile.row)),
        }
        # In one pass: braces in the text of a row or a name stay what they are.
        parts = _PLACE.split(template)
        yield "".join(filled[part] if n % 2 else part for n, part in enumerate(parts))


def page_count(shown: Sequence[Tile]) -> int:
    return max(1, -(-len(shown) // A_PAGE))


def _filter(state: str) -> str:
    return f'<label><input type="checkbox" class="f-{state}" checked> {state}</label>'


def _row(tiles: Sequence[Tile]) -> str:
    states = " ".join(sorted({f"has-{tile.state}" for tile in tiles}))
    first = tiles[0]
    shown = "".join(map(_figure, tiles))
    heading = f"<h2>{first.row} <b>{html.escape(first.custom_id)}</b></h2>"
    return f'<section class="{states}">{heading}<div>{shown}</div></section>'


def _figure(tile: Tile) -> str:
    escape = html.escape
    image = (
        f'<img alt="{escape(tile.name)}" src="data:image/jpeg;base64,{_base64(tile.picture)}">'
        if tile.picture is not None
        else f'<div class="none">{escape(tile.state)}<small>{escape(tile.why)}</small></div>'
    )
    channel = f"<b>{escape(tile.channel)}</b>" if tile.channel else f"variant {tile.variant}"
    return (
        f'<figure class="{escape(tile.state)}">{image}<figcaption>{channel}<i>{escape(tile.state)}</i>'
        f"<p>{escape(tile.name)}</p><p>{escape(tile.note)}</p></figcaption></figure>"
    )


def _base64(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return base64.b64encode(buffer.getvalue()).decode()
