"""Parts of a plan: the catalogue, perhaps its feed, and which inputs the files are that its cells name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import UploadFile

from api.edge.bodies import MAX_JSON_BYTES
from api.edge.dependencies import PartsOf
from api.edge.multipart import form_parts, other_parts


@dataclass(frozen=True, slots=True)
class SentCatalogue:
    """As it was sent: JSON twice, and a file on disk."""

    catalogue: bytes
    pictures: bytes  # b"" for none
    file: BinaryIO | None


async def catalogue_upload(request: Request, parts: PartsOf) -> AsyncIterator[SentCatalogue]:
    """A dependency: the parts of a plan, closed when the answer is sent."""
    most = parts.settings.max_body_bytes
    async with form_parts(request, parts, most=most, fields=2, field_bytes=MAX_JSON_BYTES, files=1) as form:
        sent = form.multi_items()
        texts = {name: value for name, value in sent if isinstance(value, str)}
        files = [value for name, value in sent if name == "file" and isinstance(value, UploadFile)]
        if len(texts) + len(files) != len(sent) or "catalogue" not in texts or texts.keys() - {"catalogue", "pictures"}:
            raise other_parts(
                sent,
                "A plan has the part 'catalogue' (JSON); 'file' (the feed, with a file name) and 'pictures' (JSON:"
                " name in the feed to id of an input) may stand beside it.",
                "Send each once.",
            )
        yield SentCatalogue(
            texts["catalogue"].encode(), texts.get("pictures", "").encode(), files[0].file if files else None
        )
