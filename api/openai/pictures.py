"""Pictures of an edit: bytes, a data URL, an address, a file or an input; each becomes an input of the tenant.

The pictures become inputs before the request is stored. Killed in between: the inputs are there and used by nothing,
and go with their retention period; the client sends the call again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.edge.uploads.inputs import SentInput, checked
from api.schemas.images import EditsBody, PictureBody
from api.submission.pictures.receiving import received
from workers.jobs.inputs.received import receive
from workers.jobs.uploads.files import VISION
from workers.jobs.uploads.views import get_file
from workers.store import file_key

_DATA = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)


class EditPicture(NamedTuple):
    """A picture as it came: one of the four."""

    data: bytes = b""
    address: str = ""
    input_id: str = ""
    file_id: str = ""

    @property
    def content(self) -> bytes:
        """What tells it from another, for a fingerprint."""
        return self.data or f"{self.address}\n{self.input_id}\n{self.file_id}".encode()


def pictures_of(asked: EditsBody, most: int) -> dict[str, EditPicture]:
    """The pictures of an edit in JSON by role. Raises Problem naming the field; `most` bytes are taken of each."""
    if len(asked.images) != 1:
        message = f"{len(asked.images)} images are sent; one is edited"
        raise _wrong(Complaint("not_available", message, "Send one.", field="images"))
    if asked.input_fidelity == "high":
        message = "the fidelity to the picture cannot be chosen by this field"
        raise _wrong(Complaint("not_available", message, "Send strength instead.", field="input_fidelity"))
    named = {"image": ("images", asked.images[0]), "mask": ("mask", asked.mask)}
    return {role: _picture(field, body, most) for role, (field, body) in named.items() if body}


def inputs_of(
    caller: Caller, parts: Parts, pictures: Mapping[str, EditPicture], taken: dict[str, str] | None = None
) -> dict[str, str]:
    """Ids by role: the pictures are stored as inputs, where they are not already.

    `taken` remembers the inputs of files from call to call, so that 50,000 lines may name one file and it is read once.
    """
    taken = {} if taken is None else taken
    ids = {}
    for role, picture in pictures.items():
        if picture.input_id:
            ids[role] = picture.input_id
            continue
        if picture.file_id in taken:
            ids[role] = taken[picture.file_id]
            continue
        if picture.file_id:
            sent = _of_file(caller, parts, picture.file_id)
        else:
            sent = SentInput(data=picture.data, address=picture.address)
        new = received(caller, parts, sent, hashlib.sha256(sent.data).hexdigest())
        with parts.transaction(caller.tenant) as conn:
            ids[role] = receive(conn, new)
        if picture.file_id:
            taken[picture.file_id] = ids[role]
    return ids


def _picture(field: str, body: PictureBody, most: int) -> EditPicture:
    if body.file_id is not None:
        if body.file_id.startswith("file-"):
            return EditPicture(file_id=uuid_or_not_found(body.file_id.removeprefix("file-"), "file"))
        return EditPicture(input_id=uuid_or_not_found(body.file_id, "input"))
    url = body.image_url or ""
    if not url.startswith("data:"):
        return EditPicture(address=url)
    head = _DATA.match(url)
    try:
        data = base64.b64decode(url[head.end() :], validate=True) if head else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        message, remedy = "this is no data URL of a picture", "Write data:image/png;base64, and base64."
        raise _wrong(Complaint("data_url", message, remedy, field=field))
    if len(data) > most:
        message = f"the picture has more than {most:,} bytes"
        raise _wrong(Complaint("too_many_bytes", message, "Send a smaller file.", field=field))
    return EditPicture(data=checked(data, field))


def _of_file(caller: Caller, parts: Parts, file_id: str) -> SentInput:
    """Raises NotFound, and Problem for a file that is no picture."""
    with parts.transaction(caller.tenant) as conn:
        view = get_file(conn, caller.tenant, file_id)
    if view.purpose != VISION:
        message = f"file-{file_id} has the purpose {view.purpose}"
        raise _wrong(Complaint("input_unknown", message, "Upload the picture with purpose vision.", field="images"))
    return SentInput(name=view.name, data=parts.store.get(file_key(caller.tenant, file_id)))


def _wrong(complaint: Complaint) -> Problem:
    return Problem("invalid_body", f"{complaint.field}: {complaint.message}.", errors=[complaint])
