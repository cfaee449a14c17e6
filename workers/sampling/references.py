"""Reference pictures: what a network makes of them (IP-Adapter), and the pipeline that is shown it.

The network is put on for one run and taken off after it: without one, a pipeline is as it was loaded, to the last bit.
Each item of a run has a picture of its own; diffusers' own argument for pictures would show all of them to each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
import torch
from diffusers.models.embeddings import ImageProjection
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from workers.errors import ModelMissing, ModelRefused, OutOfMemory
from workers.recipes import Recipe
from workers.sampling.cards.references import ADAPTER, ENCODER, ReferenceCard
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.device.faults import is_out_of_memory
from workers.sampling.files.folder_rules import check_extra
from workers.sampling.pipelines import Loaded, in_a_line

log = structlog.get_logger()
_PARTS = ("image_proj", "ip_adapter")  # of the file, as its authors wrote it


class ReferenceNetwork:
    """A network beside one loaded pipeline. One thread at a time: the one that holds the GPU lock."""

    def __init__(self, card: ReferenceCard, loaded: Loaded) -> None:
        """Raises ModelMissing, ModelRefused and OutOfMemory; the pipeline is then as it was."""
        check_extra(card)
        self.card, self._unet = card, loaded.pipe.unet
        self._plain = self._worn()
        try:
            self._encoder, self._reader = _encoder(card, loaded)
            self._unet._load_ip_adapter_weights([_tensors(card)])
            self._own = self._worn()
        except ModelRefused:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(f"reference network {card.name} does not fit beside its model") from None
            raise ModelRefused(
                f"reference network {card.name}: diffusers cannot load it: {in_a_line(error)}"
            ) from error
        finally:
            self._wear(self._plain)
        log.info("reference_loaded", reference=card.name, revision=card.revision)

    def fits(self, card: ReferenceCard, loaded: Loaded) -> bool:
        return self.card.revision == card.revision and self._unet is loaded.pipe.unet

    @contextmanager
    def put_on(self, pipe: Any, scale: float, shown: list[torch.Tensor]) -> Iterator[None]:
        """A pipeline of these weights with this network at this scale, and what is shown, while the context lasts.

        The pipeline's own preparation takes pictures for one prompt and repeats them for every item of the run.
        """
        processors, _, _ = self._own
        for processor in processors.values():
            if hasattr(processor, "scale"):
                processor.scale = [scale]
        self._wear(self._own)
        pipe.prepare_ip_adapter_image_embeds = lambda *_: shown
        try:
            yield
        finally:
            del pipe.prepare_ip_adapter_image_embeds
            self._wear(self._plain)

    def shown(self, pictures: Sequence[Image.Image], *, guided: bool) -> list[torch.Tensor]:
        """What the pipeline's call takes: for each item one picture, [N, 1, ...], below zeros where it is guided."""
        (projection,) = self._own[1].image_projection_layers
        weight = next(self._encoder.parameters())
        pixels = self._reader([*pictures], return_tensors="pt").pixel_values.to(weight.device, weight.dtype)
        with torch.inference_mode():
            seen, unseen = self._read(pixels, projected=isinstance(projection, ImageProjection))
        return [torch.cat([unseen, seen])[:, None] if guided else seen[:, None]]

    def _read(self, pixels: torch.Tensor, *, projected: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """What is read of the pictures, and of no picture, as its network was trained: one vector, or one a place."""
        if projected:
            seen = self._encoder(pixels).image_embeds
            return seen, torch.zeros_like(seen)
        both = (pixels, torch.zeros_like(pixels))
        seen, unseen = (self._encoder(one, output_hidden_states=True).hidden_states[-2] for one in both)
        return seen, unseen

    def _worn(self) -> tuple[dict[str, Any], Any, Any]:
        return dict(self._unet.attn_processors), self._unet.encoder_hid_proj, self._unet.config.encoder_hid_dim_type

    def _wear(self, worn: tuple[dict[str, Any], Any, Any]) -> None:
        processors, self._unet.encoder_hid_proj, kind = worn
        self._unet.set_attn_processor(dict(processors))  # it empties what it is given
        self._unet.config.encoder_hid_dim_type = kind


class References:
    """The network that was used last, and its pipeline. An encoder may be larger than its model: no second is kept."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._last = registry, None

    _last: ReferenceNetwork | None

    def card_for(self, card: ModelCard, recipe: Recipe) -> ReferenceCard | None:
        """The network that the recipe names. Raises ModelMissing where this worker has another, or none."""
        wanted = recipe.reference
        if wanted is None:
            return None
        found = self._registry.references_of(card).get(recipe.task)
        if found is None or (found.name, found.revision) != (wanted.name, wanted.revision):
            raise ModelMissing(
                f"model {card.name}: this worker has no reference network {wanted.name} at {wanted.revision}"
            )
        return found

    def beside(self, card: ReferenceCard | None, loaded: Loaded) -> ReferenceNetwork | None:
        """The network, loaded. Raises as its constructor does."""
        if card is None:
            return None
        if self._last is None or not self._last.fits(card, loaded):
            self._last = None  # two do not lie in memory at once
            self._last = ReferenceNetwork(card, loaded)
        return self._last


def _encoder(card: ReferenceCard, loaded: Loaded) -> tuple[Any, Any]:
    folder = card.home / ENCODER
    encoder = CLIPVisionModelWithProjection.from_pretrained(
        str(folder), dtype=loaded.dtype, use_safetensors=True, local_files_only=True
    )
    side = encoder.config.image_size
    return encoder.to(loaded.pipe.device).eval(), CLIPImageProcessor(size=side, crop_size=side)


def _tensors(card: ReferenceCard) -> Mapping[str, Mapping[str, torch.Tensor]]:
    """By part. Raises ModelRefused for a file that is no such network."""
    found: dict[str, dict[str, torch.Tensor]] = {part: {} for part in _PARTS}
    for name, tensor in load_file(card.home / ADAPTER).items():
        part, _, rest = name.partition(".")
        if part not in found:
            raise ModelRefused(f"reference network {card.name}: {name!r} is no tensor of {' or '.join(_PARTS)}")
        found[part][rest] = tensor
    return found
