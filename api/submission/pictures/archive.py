"""Archive of pictures that comes with a campaign: a ZIP whose files rows name by their path, or by their name alone.

Only the directory is read at first, and its size and the number of its entries before that. A path is a name to compare
with and never a path on our side. A file that no row names is not read.
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from api.edge.problems import Complaint, quoted
from policy.errors import PictureRefused
from policy.intake.picture import check_input
from workers.settings import Settings

MAX_FILES = 10_000
_MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
_END = b"PK\x05\x06"
_END_BYTES = 22
_LEFT_OUT = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")  # what file managers add by themselves
_FIELD = "pictures"
_AGAIN = "Pack the pictures again."


class ArchivedPicture(NamedTuple):
    """A file of the archive whose header is that of a picture."""

    name: str
    sha256: str
    bytes: int
    width: int
    height: int


class PictureUnusable(ValueError):
    """A file that is no picture for a task: a stable code, what is wrong, what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.remedy = code, remedy


class PictureArchive:
    """The pictures of one ZIP. The caller owns `file`. One thread."""

    def __init__(self, file: BinaryIO, settings: Settings) -> None:
        self._settings = settings
        self.complaints: list[Complaint] = []
        self._zip: zipfile.ZipFile | None = None
        self._by_name: dict[str, zipfile.ZipInfo] = {}
        self._by_ending: dict[str, list[zipfile.ZipInfo]] = {}
        self._looked: dict[str, ArchivedPicture | PictureUnusable] = {}
        if why := _too_large(file):
            self.complaints.append(why)
            return
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            self.complaints.append(_complaint(f"the ZIP of pictures cannot be opened: {error}", _AGAIN))
            return
        self._names(self._zip)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._entry(name) is not None

    def find(self, name: str) -> ArchivedPicture:
        """The picture that a cell names. Raises PictureUnusable, also for a name that is not there."""
        entry = self._entry(name)
        if entry is None:
            same = self._by_ending.get(_folded(name), [])
            if len(same) > 1:
                message = f"{quoted(name)} is the name of {len(same)} files in the ZIP"
                raise PictureUnusable("picture_ambiguous", message, "Write its whole path in the ZIP.")
            message = f"there is no file {quoted(name)} in the ZIP of pictures"
            raise PictureUnusable("picture_not_in_zip", message, "Add it to the ZIP, or correct the cell.")
        if entry.filename not in self._looked:
            self._looked[entry.filename] = self._look(entry)
        looked = self._looked[entry.filename]
        if isinstance(looked, PictureUnusable):
            raise looked
        return looked

    def used(self) -> Iterator[ArchivedPicture]:
        """The pictures that rows named."""
        return (looked for looked in self._looked.values() if isinstance(looked, ArchivedPicture))

    def read(self, picture: ArchivedPicture) -> bytes:
        """Its bytes, which are those that were looked at. Raises PictureUnusable."""
        data = self._read(self._by_name[_folded(picture.name)])
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            raise PictureUnusable("damaged", f"{quoted(picture.name)} in the ZIP changed while it was read", _AGAIN)
        return data

    def _names(self, archive: zipfile.ZipFile) -> None:
        total = 0
        for entry in archive.infolist():
            name = entry.filename
            if entry.is_dir() or _folded(name).startswith(_LEFT_OUT) or _folded(name).endswith(_LEFT_OUT):
                continue
            total += entry.file_size
            if why := _hostile(entry):
                self.complaints.append(_complaint(f"the ZIP of pictures holds {quoted(name)}: {why}", _AGAIN))
                return
            twin = self._by_name.setdefault(_folded(name), entry)
            if twin is not entry:
                message = f"the ZIP of pictures holds {quoted(twin.filename)} and {quoted(name)}: one name but for case"
                self.complaints.append(_complaint(message, "Rename one of them."))
                return
            self._by_ending.setdefault(_folded(name.rpartition("/")[2]), []).append(entry)
        most = self._settings.input_archive_max_bytes
        if total > 4 * most:
            message = f"the pictures of the ZIP unpack to {total:,} bytes; {4 * most:,} are allowed"
            self.complaints.append(_complaint(message, "Send several campaigns."))

    def _entry(self, name: str) -> zipfile.ZipInfo | None:
        folded = _folded(name)
        if found := self._by_name.get(folded):
            return found
        ending = self._by_ending.get(folded, [])
        return ending[0] if len(ending) == 1 else None

    def _look(self, entry: zipfile.ZipInfo) -> ArchivedPicture | PictureUnusable:
        try:
            data = self._read(entry)
            header = check_input(data)
        except PictureUnusable as unusable:
            return unusable
        except PictureRefused as refused:
            message = f"{quoted(entry.filename)} in the ZIP: {refused}"
            return PictureUnusable("picture_unusable", message, "Save it again as PNG, JPEG, WebP or AVIF.")
        digest = hashlib.sha256(data).hexdigest()
        return ArchivedPicture(entry.filename, digest, len(data), *header.upright)

    def _read(self, entry: zipfile.ZipInfo) -> bytes:
        most = self._settings.input_max_bytes
        try:
            if self._zip is None or entry.file_size > most:
                message = f"{quoted(entry.filename)} in the ZIP has more than {most:,} bytes"
                raise PictureUnusable("picture_unusable", message, "Send a smaller file, such as a JPEG.")
            with self._zip.open(entry) as stream:
                data = stream.read(most + 1)
        except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, OSError, RuntimeError) as error:
            message = f"{quoted(entry.filename)} in the ZIP is damaged: {error}"
            raise PictureUnusable("picture_unusable", message, _AGAIN) from error
        return data


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _hostile(entry: zipfile.ZipInfo) -> str:
    parts = entry.filename.split("/")
    if entry.flag_bits & 0x1:
        return "it is encrypted"
    if ".." in parts or "" in parts or "\\" in entry.filename or ":" in parts[0] or not entry.filename.isprintable():
        return "the name leads out of the ZIP, or holds what no name may"
    return ""


def _too_large(file: BinaryIO) -> Complaint | None:
    """By the record at its end, before any of its directory is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_535 - _END_BYTES))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        return _complaint("the part 'pictures' is no ZIP, or it is cut off", "Pack the pictures as a ZIP.")
    entries, directory_bytes = struct.unpack("<HI", tail[at + 10 : at + 16])
    if entries > MAX_FILES or directory_bytes > _MAX_DIRECTORY_BYTES:
        return _complaint(f"the ZIP holds more than {MAX_FILES:,} files", "Send several campaigns.")
    return None


def _complaint(message: str, remedy: str) -> Complaint:
    return Complaint("picture_archive", message, remedy, field=_FIELD)
