"""Tiles of a contact sheet: one a file, or one for an image without files, in the order of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

from PIL import Image

from deploy.client import Client
from deploy.errors import CallFailed
from policy.marks.renditions import RENDITIONS
from workers.delivery.outcome import OUTCOME_PREFIX

SIDE = 320  # pixels of the longer side of what is shown


@dataclass(frozen=True, slots=True)
class Tile:
    """One file of one image. `picture` is None where there is none to show."""

    row: int
    custom_id: str
    variant: int
    channel: str
    state: str
    why: str
    name: str
    note: str  # size, and the words of the label
    picture: Image.Image | None


def tiles(
    client: Client, request_id: str, *, channels: Sequence[str] = (), most: int = 300, sample: bool = False
) -> Iterator[Tile]:
    """The first tiles of a request, or of its pilot. Without channels: files made for places, else the everyday one."""
    lines = client.results(request_id, links=True, channel=list(channels), sample=sample)
    for line in islice(_chosen(lines, all_of_them=bool(channels)), most):
        yield _tile(client, line)


def _chosen(lines: Iterator[dict[str, Any]], *, all_of_them: bool) -> Iterator[dict[str, Any]]:
    """Of each image the files that a person wants to see: not the same picture in three formats."""
    group: list[dict[str, Any]] = []
    for line in lines:
        if group and group[0][f"{OUTCOME_PREFIX}item_id"] != line[f"{OUTCOME_PREFIX}item_id"]:
            yield from group if all_of_them else _worth_seeing(group)
            group = []
        group.append(line)
    yield from group if all_of_them else _worth_seeing(group)


def _worth_seeing(group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_name = {line[f"{OUTCOME_PREFIX}channel"]: line for line in group}
    for_places = [line for name, line in by_name.items() if name not in RENDITIONS]
    everyday = by_name.get("jpeg", group[0] if group else None)
    return for_places or ([everyday] if everyday else [])


def _tile(client: Client, line: dict[str, Any]) -> Tile:
    said = {name.removeprefix(OUTCOME_PREFIX): value for name, value in line.items() if name.startswith(OUTCOME_PREFIX)}
    picture, problem = _picture(client, said)
    why = ", ".join(filter(None, (said["code"], said["category"], said["rule"], problem)))
    note = f"{said['width']} x {said['height']}" if said["width"] else ""
    return Tile(
        row=said["row"],
        custom_id=said["custom_id"],
        variant=said["variant"],
        channel=said["channel"] or "",
        state=said["state"],
        why=why,
        name=said["file_name"] or said["custom_id"],
        note=f"{note}, {said['label']}" if said["label"] else note,
        picture=picture,
    )


def _picture(client: Client, said: dict[str, Any]) -> tuple[Image.Image | None, str]:
    """A small copy, or why there is none."""
    if not said["url"]:
        return None, ""
    try:
        content = client.fetch(said["url"], most=said["bytes"])
    except CallFailed as error:
        return None, str(error)
    if hashlib.sha256(content).hexdigest() != said["sha256"]:
        return None, "other bytes than the record says"
    try:
        with Image.open(BytesIO(content), formats=["PNG", "JPEG", "WEBP", "AVIF"]) as opened:
            opened.draft("RGB", (SIDE, SIDE))
            opened.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
            return opened.convert("RGB"), ""
    except (OSError, ValueError):
        return None, "cannot be shown"
