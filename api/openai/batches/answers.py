"""Line of an output file: what POST to the endpoint would have answered for one row, with its custom_id."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from api.openai.asked import FORMATS, gives_links, notes_of
from api.openai.batches.lines import CARRIED, FILE, carried_of
from api.openai.drawn import nothing_made
from api.schemas.images import ImageReply, ImagesBody, ImagesReply
from workers.jobs.results import Result
from workers.jobs.types import StoredRendition
from workers.states import ITEM_OPEN, ItemState, RequestPhase

# Of a line none of whose images was begun, by the phase of its request.
_UNMADE = {
    RequestPhase.EXPIRED: ("batch_expired", "The batch expired before this line was made."),
    RequestPhase.CANCELLED: ("batch_cancelled", "The batch was cancelled before this line was made."),
}


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """A row that is over, with the files that its answer gives out."""

    request_id: str
    phase: str
    created_at: datetime
    results: tuple[Result, ...]  # its variants
    asked: ImagesBody
    files: tuple[tuple[Result, StoredRendition], ...]

    @property
    def part(self) -> str:
        """output or error."""
        return "output" if self.files else "error"

    @property
    def gives_links(self) -> bool:
        return gives_links(self.asked)

    def written(self, read: Callable[[str], bytes], link: Callable[[str], str]) -> bytes:
        """The line. `read` fetches a file, `link` makes a link to it."""
        images = [self._image(result, file, read, link) for result, file in self.files]
        return self._document(images)

    def size(self, link: Callable[[str], str]) -> int:
        """The bytes of the line, without reading a file."""
        images = [self._image(result, file, lambda key: b"", link) for result, file in self.files]
        inside = 0 if self.gives_links else sum(4 * -(-file.bytes // 3) for _, file in self.files)
        return len(self._document(images)) + inside

    def _image(
        self, result: Result, file: StoredRendition, read: Callable[[str], bytes], link: Callable[[str], str]
    ) -> ImageReply:
        return ImageReply(
            b64_json=None if self.gives_links else base64.b64encode(read(file.key)).decode(),
            url=link(file.key) if self.gives_links else None,
            revised_prompt=result.revised_prompt,
            asset_id=str(result.asset_id),
        )

    def _document(self, images: list[ImageReply]) -> bytes:
        first = self.results[0]
        line: dict[str, Any] = {"id": f"batch_req_{first.id}", "custom_id": first.custom_id}
        if images:
            line |= {"response": self._response(200, self._reply(images)), "error": None}
        elif (unmade := _UNMADE.get(RequestPhase(self.phase))) and self._states() == {ItemState.CANCELLED}:
            line |= {"response": None, "error": dict(zip(("code", "message"), unmade, strict=True))}
        else:
            problem = nothing_made(self.request_id, self.results)
            error = {"error": problem.document(self.request_id)["error"]}
            line |= {"response": self._response(problem.status, error), "error": None}
        return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def _response(self, status: int, body: dict[str, Any]) -> dict[str, Any]:
        return {"status_code": status, "request_id": self.request_id, "body": body}

    def _reply(self, images: list[ImageReply]) -> dict[str, Any]:
        file = self.files[0][1]
        reply = ImagesReply(
            created=int(self.created_at.timestamp()),
            data=images,
            background="transparent" if self.asked.background == "transparent" else "opaque",
            output_format=self.asked.output_format or "png",
            quality=self.asked.quality or "auto",
            size=f"{file.width}x{file.height}",
            safety_identifier=self.asked.safety_identifier,
            request_id=self.request_id,
            notes=notes_of(self.asked) or None,
            withheld=len(self.results) - len(images),
        )
        return reply.model_dump(mode="json", exclude_none=True)

    def _states(self) -> set[str]:
        return {result.state for result in self.results}


def answered_lines(
    pages: Iterable[Sequence[Result]], *, request_id: str, phase: str, created_at: datetime
) -> Iterator[AnsweredLine]:
    """The rows of a request that are over, in order."""
    flat = (result for page in pages for result in page)
    for _, variants in groupby(flat, attrgetter("row")):
        results = tuple(variants)
        if any(result.state in ITEM_OPEN for result in results):
            continue
        cells = dict(zip(CARRIED, results[0].carried, strict=False))
        asked = carried_of(cells)
        wanted = cells.get(FILE) or _file_before(asked)
        files = tuple((result, file) for result in results for file in result.files if file.name == wanted)
        yield AnsweredLine(request_id, phase, created_at, results, asked, files)


def _file_before(asked: ImagesBody) -> str:
    """Of a batch that was sent before lines carried the name of their file, and of one whose cells were erased."""
    if asked.output_compression in (None, 100):
        return FORMATS[asked.output_format or "png"]
    return f"{asked.output_format}-{asked.output_compression}"
