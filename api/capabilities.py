"""Capabilities of the installed models and the limits of this installation, as JSON Schema.

The OpenAPI document of a running API names what its own models can make: sizes, steps, schedulers, LoRAs. With several
models, a field allows what any of them does, and the submission is checked against the one that is asked.
"""

from __future__ import annotations

from typing import Any

from workers.sampling.cards.registry import ModelCard, Registry
from workers.settings import Settings


def narrow_options(schema: dict[str, Any], registry: Registry, settings: Settings) -> None:
    """Narrow the schema of a request's options in place."""
    cards = [registry.get(name) for name in registry.names()]
    loras = sorted({name for card in cards for name in registry.adapters_of(card)})
    factors = sorted({1, *(factor for card in cards for factor in registry.upscalers_of(card))})
    most = min(settings.max_variants, settings.max_items)
    properties: dict[str, dict[str, Any]] = schema["properties"]
    names = [card.name for card in cards]
    further = [alias for alias, name in settings.model_alias_names.items() if name in names and alias not in names]
    _narrow(properties["model"], {"enum": [*names, *further]})
    for side in ("width", "height"):
        _narrow(properties[side], _sides(cards))
    steps = min(settings.max_steps, max(card.max_num_inference_steps for card in cards))
    _narrow(properties["num_inference_steps"], {"maximum": steps})
    _narrow(properties["guidance_scale"], {"maximum": max(card.max_guidance_scale for card in cards)})
    _narrow(properties["scheduler"], {"enum": sorted({name for card in cards for name in card.schedulers})})
    properties["upscale"] |= {"enum": factors}
    properties["variants"] |= {"maximum": most}
    if not loras:
        properties["loras"] |= {"maxItems": 0}
    properties["negative_prompt"] |= {"maxLength": settings.max_prompt_chars}
    if "prompt" in properties:
        properties["prompt"] |= {"maxLength": settings.max_prompt_chars}
    if len(cards) > 1:
        schema["required"] = [*schema.get("required", []), "model"]
    schema |= _without_guidance(cards)


def narrow_lora(schema: dict[str, Any], registry: Registry) -> None:
    """Narrow the schema of one LoRA of a request in place."""
    cards = [registry.get(name) for name in registry.names()]
    adapters = {name: adapter for card in cards for name, adapter in registry.adapters_of(card).items()}
    if adapters:
        schema["properties"]["name"] |= {"enum": sorted(adapters)}
        _narrow(schema["properties"]["scale"], {"maximum": max(one.max_scale for one in adapters.values())})


def narrow_budget(schema: dict[str, Any], currency: str) -> None:
    """Narrow the schema of a budget in place: a limit is named, and money is in the currency of the price list."""
    properties: dict[str, dict[str, Any]] = schema["properties"]
    if currency:
        _narrow(properties["currency"], {"enum": [currency]})
        money = {"required": ["cost"], "properties": {"cost": {"type": "number"}}}
        named = {"required": ["currency"], "properties": {"currency": {"type": "string"}}}
        schema |= {"if": money, "then": named}
        examples = [{**one, "currency": currency} if "cost" in one else one for one in schema["examples"]]
    else:
        properties["cost"] = {"type": "null", "description": "this installation has no price list"}
        examples = [one for one in schema["examples"] if "cost" not in one]
    # Twice `not`: a bare anyOf reads as a union of classes to generators of clients.
    any_limit = {"anyOf": [{"required": [name]} for name in ("images", "gpu_seconds", "cost")]}
    schema |= {"examples": examples, "not": {"not": any_limit}}


def _sides(cards: list[ModelCard]) -> dict[str, int]:
    multiples = {card.size_multiple for card in cards}
    return {
        "minimum": min(card.min_side for card in cards),
        "maximum": max(card.max_side for card in cards),
        **({"multipleOf": multiples.pop()} if len(multiples) == 1 else {}),
    }


def _without_guidance(cards: list[ModelCard]) -> dict[str, Any]:
    """A negative prompt acts through guidance: where there is none, there is no negative prompt."""
    asked_for_none = {
        "required": ["guidance_scale"],
        "properties": {"guidance_scale": {"type": "number", "maximum": 1}},
    }
    none: dict[str, Any] = {"properties": {"negative_prompt": {"maxLength": 0}}}
    if all(card.guidance_scale <= 1 for card in cards):
        asked = {"required": ["guidance_scale"], "properties": {"guidance_scale": {"type": "number"}}}
        return {"if": {"anyOf": [asked_for_none, {"not": asked}]}, "then": none}
    return {"if": asked_for_none, "then": none}


def _narrow(field: dict[str, Any], more: dict[str, Any]) -> None:
    """Add to the branch of a field that is not null."""
    branches = [branch for branch in field.get("anyOf", [field]) if branch.get("type") != "null"]
    if "enum" in more:
        for implied in ("pattern", "minLength", "maxLength"):
            branches[0].pop(implied, None)
    branches[0].update(more)
