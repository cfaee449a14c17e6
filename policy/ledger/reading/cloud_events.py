"""CloudEvents 1.0 in JSON, for a SIEM or an event bus: one for every entry of the ledger.

`id` is the event's own, so that a receiver that gets one twice can tell. `leafindex` is the extension by which a
delivery is resumed. Commitments to text that was erased are kept, the text is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from policy.ledger.reading.events import Recorded

MEDIA_TYPE = "application/cloudevents-batch+json"
_TYPES = "presswork."  # before the kind of an event


def cloud_event(recorded: Recorded, source: str) -> dict[str, Any]:
    """`source` is a URI reference that names the ledger, such as its origin."""
    written = recorded.to_json()
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": recorded.event_id,
        "source": source,
        "type": f"{_TYPES}{recorded.kind}",
        "time": recorded.at,
        "datacontenttype": "application/json",
        "tenant": recorded.tenant,
        "data": {name: written[name] for name in ("actor", "subjects", "event")},
    }
    if recorded.subjects:
        made["subject"] = recorded.subjects[0]
    if recorded.index is not None:
        made["leafindex"] = recorded.index
    return made


def batch(page: Iterable[Recorded], source: str) -> bytes:
    """Many as one JSON array (section 4 of the JSON format)."""
    return json.dumps([cloud_event(one, source) for one in page], ensure_ascii=False).encode()


def lines(pages: Iterable[list[Recorded]], source: str) -> Iterator[bytes]:
    """Each page as UTF-8 lines, one CloudEvent a line."""
    for page in pages:
        yield "".join(f"{json.dumps(cloud_event(one, source), ensure_ascii=False)}\n" for one in page).encode()
