"""Adding a model: the files that it needs, checked by every loading rule, under its name in one rename.

Killed before the rename: the models directory has no new model, and the next try begins afresh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workers.errors import CardInvalid
from workers.sampling.calls import check_signature, defaults_of
from workers.sampling.cards.contents import CARD
from workers.sampling.cards.extras import Name
from workers.sampling.cards.registry import ModelCard, read_card
from workers.sampling.families.table import family_of
from workers.sampling.files.folder_rules import check_folder
from workers.sampling.files.needed import Needed
from workers.sampling.files.new_card import Stated, card_for, pipeline_of, write_card
from workers.sampling.files.sources import copy_files, staging


def check_name(models_dir: Path, name: str) -> None:
    """Raises CardInvalid unless a model may have this name: free, also of one that differs in case alone."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise CardInvalid(
            f"{name!r} is no name of a model: letters, digits, '.', '_' and '-'; give one with --name"
        ) from (error)
    taken = [path.name for path in models_dir.glob("*") if path.name.lower() == name.lower()]
    if taken:
        raise CardInvalid(f"there is a model {taken[0]!r} already; give another name with --name")


def add_folder(folder: Path, needed: Needed, target: Path, *, stated: Stated, wanted: dict[str, Any]) -> ModelCard:
    """The card of the model that is now in the models directory. Raises ModelRefused, ModelMissing and CardInvalid."""
    pipeline = pipeline_of(folder)
    call = family_of(pipeline).call_for(pipeline)
    check_signature(call)
    models_dir, name = target.parent, target.name
    with staging(models_dir, name) as place:
        copy_files(folder, needed.paths, place)
        card = card_for(place, name, stated, variant=needed.variant, defaults=defaults_of(call), wanted=wanted)
        write_card(place, card)
        check_folder(read_card(place / CARD), place, place)
        place.rename(target)
    return read_card(target / CARD)
