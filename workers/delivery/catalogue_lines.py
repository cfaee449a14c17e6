"""Lines of a catalogue's manifest: what is live, one line for each file, under the names that its channels give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from workers.delivery.lines import ResultLines
from workers.jobs.catalogue.views import LiveSlot
from workers.jobs.types import StoredRendition

COLUMNS = ("key", "view", "channel", "file_name", "sha256", "bytes", "width", "height", "media_type", "asset_id")
BEHIND = ("run", "released_at")
_DIGITS = 16  # of a digest, that tell objects of one name apart


def slot_lines(slot: LiveSlot) -> Iterator[tuple[StoredRendition, dict[str, Any]]]:
    """Each file of a slot with its line."""
    lines = ResultLines(slot.columns, slot.templates)
    for file in slot.files:
        yield (
            file,
            {
                "key": slot.key,
                "view": slot.view,
                "channel": file.name,
                "file_name": lines.file_name(slot, file),
                "sha256": file.sha256,
                "bytes": file.bytes,
                "width": file.width,
                "height": file.height,
                "media_type": file.media_type,
                "asset_id": slot.asset_id,
                "run": slot.run,
                "released_at": slot.released_at.isoformat(timespec="milliseconds"),
            },
        )


def object_name(line: dict[str, Any]) -> str:
    """Where a file lies at a target, below the catalogue's prefix: other bytes have another name."""
    return f"{line['sha256'][:_DIGITS]}/{line['file_name']}"


def about_run(name: str, run: Row[Any], plan: Row[Any]) -> dict[str, Any]:
    """A run, and the plan that it carried out, as run.json says it."""
    times = {name: getattr(run, name) for name in ("started_at", "ended_at")}
    return {
        "catalogue": name,
        **{name: getattr(run, name) for name in ("number", "state", "request_id", "slots", "flipped", "counts")},
        **{name: at.isoformat(timespec="milliseconds") if at else None for name, at in times.items()},
        "plan": {
            "id": plan.id,
            **{name: getattr(plan, name) for name in ("version", "digest", "feed_sha256", "feed_rows", "counts")},
            "safeguards": [one["code"] for one in plan.safeguards],
        },
    }
