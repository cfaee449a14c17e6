"""Pictures that the rows of a campaign name: inputs of the tenant by id, files of its archive by name.

The files of the archive become inputs in the transaction that stores the request; until then each is named by the
digest of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from uuid import UUID

from sqlalchemy import Connection

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, quoted
from api.submission.pictures.archive import PictureArchive, PictureUnusable
from api.submission.pictures.known import KnownInput, known_inputs
from workers.jobs.inputs.received import NewInput, known, receive_all
from workers.jobs.types import NewItem, new_id
from workers.states import InputState
from workers.store import inbox_key

_DIGEST = "sha256:"


class RowPictures:
    """What a campaign may name. One thread, one request."""

    def __init__(self, parts: Parts, tenant: str, archive: PictureArchive | None, consent: str = "") -> None:
        """`consent` is stated of the people whom pictures of the archive show."""
        self._parts, self._tenant, self.archive, self._consent = parts, tenant, archive, consent
        self._found: dict[str, KnownInput] = {}  # by what cells say
        self._by_id: dict[str, KnownInput] = {}
        self._ids: Mapping[str, str] = {}  # of the archive's pictures by digest, once they are received

    def __contains__(self, text: object) -> bool:
        """Whether a cell may name a picture: an id, or a file of the archive."""
        if not isinstance(text, str):
            return False
        return _as_id(text) is not None or (self.archive is not None and text in self.archive)

    @property
    def complaints(self) -> list[Complaint]:
        return self.archive.complaints if self.archive else []

    def find(self, text: str) -> KnownInput:
        """The input that a cell names. Raises PictureUnusable."""
        if text not in self._found:
            found = self._found[text] = self._look(text)
            self._by_id[found.id] = found
        return self._found[text]

    def learn(self, ids: Iterable[str]) -> None:
        """Looks these inputs up together, before rows name them one by one."""
        new = [id for id in ids if id not in self._found]
        with self._parts.transaction(self._tenant) as conn:
            found = known_inputs(conn, self._tenant, new)
        self._found |= found
        self._by_id |= found

    def known(self, inputs: Iterable[tuple[str, str]]) -> list[KnownInput]:
        """The inputs of (role, id), as they were found."""
        return [self._by_id[id] for _, id in inputs if id in self._by_id]

    def upload(self, step: Callable[[], None] = lambda: None) -> None:
        """Puts the named files of the archive that are new into the inbox, before any row is written.

        `step` is called before each, and may raise to leave the rest.
        """
        if self.archive is None:
            return
        for picture in self.archive.used():
            step()
            with self._parts.transaction(self._tenant) as conn:
                if known(conn, self._tenant, picture.sha256):
                    continue
            key = inbox_key(self._tenant, self._new[picture.sha256])
            self._parts.store.put(key, self.archive.read(picture), "application/octet-stream")

    def receive(self, conn: Connection, caller: Caller) -> None:
        """The rows of the archive's named files, in the transaction that stores the request."""
        if self.archive is None:
            return
        self._ids = receive_all(
            conn,
            [
                NewInput(
                    id=self._new[picture.sha256],
                    tenant=self._tenant,
                    key_id=caller.key_id,
                    origin="archive",
                    name=picture.name[-200:],
                    consent=self._consent,
                    object=inbox_key(self._tenant, self._new[picture.sha256]),
                    sent_sha256=picture.sha256,
                    sent_bytes=picture.bytes,
                    width=picture.width,
                    height=picture.height,
                )
                for picture in self.archive.used()
            ],
        )

    def named(self, new_items: Iterable[NewItem]) -> Iterator[NewItem]:
        """The items, with the ids of inputs where a digest stood."""
        for item in new_items:
            if any(id.startswith(_DIGEST) for id in item.inputs.values()):
                by_role = {role: self._ids.get(id.removeprefix(_DIGEST), id) for role, id in item.inputs.items()}
                yield replace(item, inputs=by_role)
            else:
                yield item

    @cached_property
    def _new(self) -> dict[str, str]:
        """An id for each named file, by its digest."""
        pictures = self.archive.used() if self.archive else ()
        return {picture.sha256: new_id() for picture in pictures}

    def _look(self, text: str) -> KnownInput:
        if (id := _as_id(text)) is not None:
            with self._parts.transaction(self._tenant) as conn:
                found = known_inputs(conn, self._tenant, [id])
            if id not in found:
                raise PictureUnusable("input_unknown", f"there is no input {id}", "Send it with POST /v1/inputs.")
            return found[id]
        if self.archive is None:
            message = f"{quoted(text)} is no id of an input, and no ZIP of pictures came with the campaign"
            raise PictureUnusable("picture_not_in_zip", message, "Send the ZIP as the part 'pictures', or write an id.")
        picture = self.archive.find(text)
        name, size = picture.name, (picture.width, picture.height)
        consented = bool(self._consent)
        return KnownInput(_DIGEST + picture.sha256, InputState.RECEIVED, *size, None, name, consented)


def _as_id(text: str) -> str | None:
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None
