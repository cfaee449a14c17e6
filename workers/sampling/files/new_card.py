"""Card of a model that was just added: what its files say, what a person stated, and "unknown" for the rest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.errors import ModelRefused
from workers.sampling.cards.contents import CARD, file_of, paths_in, revision_of
from workers.sampling.families.family import Family
from workers.sampling.families.table import family_of, pipelines
from workers.sampling.files.needed import read_index

UNKNOWN = "unknown"
_BLOCKS = ("block_out_channels", "encoder_block_out_channels", "dim_mult")  # each halves a side, but for the first
_SIDE = 1024  # pixels, of a denoiser whose configuration names none


@dataclass(frozen=True, slots=True)
class Stated:
    """What only a person knows. What nobody stated is unknown, and says so on the card."""

    licence: str = UNKNOWN
    training_data_licence: str = UNKNOWN
    training_data: str = UNKNOWN
    owner: str = UNKNOWN
    allowed_use: str = UNKNOWN
    expires: str | None = None  # a date


def pipeline_of(folder: Path) -> str:
    """The pipeline class of a folder, of one of the families. Raises ModelRefused."""
    pipeline = str(read_index(folder).get("_class_name"))
    if pipeline not in pipelines():
        raise ModelRefused(f"{folder}: its pipeline {pipeline!r} belongs to no family of docs/models.md")
    return pipeline


def card_for(
    folder: Path, name: str, stated: Stated, *, variant: str | None, defaults: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    """The fields of a card for the files that lie in `folder` now.

    `defaults` are steps and guidance of the pipeline's own call, where it has them; `wanted` overrules everything.
    Raises ModelRefused where the folder's scheduler does not fit its family.
    """
    index, pipeline = read_index(folder), pipeline_of(folder)
    family = family_of(pipeline)
    scheduler = str((index.get("scheduler") or [None, None])[1])
    if scheduler not in family.schedulers:
        raise ModelRefused(f"{name}: its scheduler {scheduler!r} is none of {', '.join(family.schedulers)}")
    files = [file_of(folder, path) for path in paths_in(folder)]
    side, multiple = _native_side(folder, family), _multiple(folder, family)
    steps, guidance = int(defaults.get("num_inference_steps", 1)), float(defaults.get("guidance_scale") or 1.0)
    return {
        "name": name,
        "title": name,
        "description": f"{pipeline}, added with `presswork models add`.",
        **{field: value for field, value in asdict(stated).items() if value is not None},
        "training_pictures": [],
        "limits": [],
        "source": {"folder": "."} | ({"variant": variant} if variant else {}),
        "pipeline": pipeline,
        "revision": revision_of(files),
        "files": [asdict(file) for file in files],
        "width": side,
        "height": side,
        "min_side": min(side, 256),
        "max_side": 2 * side,
        "max_pixels": 2 * side * side,
        "size_multiple": multiple,
        "num_inference_steps": steps,
        "max_num_inference_steps": max(100, steps),
        "guidance_scale": guidance,
        "max_guidance_scale": max(20.0, guidance) if family.guidance != "none" else 1.0,
        "scheduler": scheduler,
        "schedulers": [scheduler, *(other for other in family.schedulers if other != scheduler)],
    } | wanted


def write_card(folder: Path, card: dict[str, Any]) -> None:
    import yaml  # noqa: PLC0415 - only where a card is written

    (folder / CARD).write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=120), "utf-8")


def stated_licence(folder: Path) -> str | None:
    """The licence in the front matter of a README, as hubs keep it: a suggestion for the person who is asked."""
    try:
        head = (folder / "README.md").read_text("utf-8").split("---")[1]
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    found = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("license:")]
    return found[0][:200] if found and found[0] else None


def _native_side(folder: Path, family: Family) -> int:
    """What the denoiser was trained at: its sample size, times what the autoencoder enlarges."""
    size = next((_config(folder, part).get("sample_size") for part in ("unet", "transformer")
                 if part in family.components), None)  # fmt: skip
    if not isinstance(size, int):
        return _SIDE
    return size * _enlarges(folder, family)


def _multiple(folder: Path, family: Family) -> int:
    """What sides must be a multiple of. Transformers read latents in patches of two; Kandinsky's UNet halves thrice."""
    patches = 2 if "transformer" in family.components else 8 if "movq" in family.components else 1
    return _enlarges(folder, family) * patches


def _enlarges(folder: Path, family: Family) -> int:
    part = next((part for part in ("vae", "movq") if part in family.components), None)
    if part is None:
        return 1
    config = _config(folder, part)
    blocks = next((config[key] for key in _BLOCKS if config.get(key)), [0] * 4)
    return int(2 ** (len(blocks) - 1))


def _config(folder: Path, part: str) -> dict[str, Any]:
    try:
        read = json.loads((folder / part / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
