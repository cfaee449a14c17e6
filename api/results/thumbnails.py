"""Thumbnails of released images, for lists that a person scrolls: the one of finish, else one that is made now.

Only bytes whose SHA-256 is the recorded one are handed out or decoded: the API opens no foreign picture. A thumbnail is
no file of the asset: it has no manifest, and needs the key of a caller each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from api.edge.problems import Problem
from workers.errors import NotFound
from workers.jobs.types import StoredRendition
from workers.store import ObjectStore
from workers.thumbnails.picture import quickest, thumbnail


def small_picture(store: ObjectStore, made: StoredRendition | None, files: Sequence[StoredRendition]) -> bytes:
    """`made` is the thumbnail of finish. Raises Problem where nothing can be shown or a file is not the released one;
    NotFound, StoreUnavailable.
    """
    if made is not None:
        try:
            return _checked(store, made)
        except (NotFound, Problem):
            pass  # the file itself decides
    by_type = {file.media_type: file for file in reversed(files)}
    wanted = quickest(by_type)
    if wanted is None:
        raise Problem("not_found", "This asset has no file of a format that thumbnails are made of.")
    try:
        return thumbnail(_checked(store, by_type[wanted])).data
    except OSError as error:  # Pillow's word for what it cannot decode
        raise Problem("not_found", "The file of this asset cannot be shown as a small picture.") from error


def _checked(store: ObjectStore, file: StoredRendition) -> bytes:
    content = store.get(file.key)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise Problem("not_found", "The stored file is not the one that was released.")
    return content
