"""Pictures beside a feed: the files that it names are sent as inputs, each once, and the plan is told which is which.

A name of the feed never leads out of the folder that was given.
"""

from __future__ import annotations

from pathlib import Path

from api.catalogues.feed import CatalogueFeed
from api.schemas.catalogues import CatalogueBody
from deploy.client import Client
from deploy.errors import CallFailed
from workers.sheets.errors import SheetInvalid


def sent_pictures(client: Client, body: CatalogueBody, feed: Path, folder: Path) -> dict[str, str]:
    """Ids of inputs by what the cells say, of those that name a file in the folder. Raises CallFailed."""
    found: dict[str, str] = {}
    inside = folder.resolve()
    with feed.open("rb") as file:
        try:
            rows = CatalogueFeed(body, file, None)
            try:
                named = dict.fromkeys(row.picture for row in rows.rows() if row.picture)
            finally:
                rows.close()
        except SheetInvalid as error:
            raise CallFailed(f"{feed}: {error.message}. Remedy: {error.remedy}") from error
    for name in named:
        picture = (inside / name).resolve()
        if "://" not in name and picture.is_relative_to(inside) and picture.is_file():
            found[name] = client.add_input(picture)["id"]
    return found
