"""Captions for scenes, as people write them: articles, plurals, synonyms, clauses in any order, marketing filler."""

from __future__ import annotations

import random

from models.train.goods import BY_NAME, Good
from models.train.scenes import Scene

FILLER = (
    "high quality", "product photo", "studio lighting", "for the summer sale", "new collection", "4k", "best seller",
    "clean composition", "for an online shop", "catalog image", "sharp focus", "advertising shot", "on sale now",
    "premium brand", "limited edition", "social media banner", "spring campaign", "hero image", "minimal", "8k",
    "best quality", "our favourite", "for the homepage", "black friday", "free shipping", "professional", "trending",
    "bright and friendly", "e-commerce", "winter sale", "centered composition", "no people", "soft shadow",
)  # fmt: skip
_OPENINGS = ("", "", "", "a photo of ", "a picture of ", "product shot of ", "an image of ", "photo of ", "show me ")
_RENDER = ("3d render of ", "a 3d render of ", "3d rendered ", "a 3d icon of ")
_FLAT = ("flat illustration of ", "a flat illustration of ", "flat icon of ", "a vector illustration of ")
_FLAT_ENDS = ("flat illustration", "flat style", "vector illustration", "flat design")
_RENDER_ENDS = ("3d render", "3d style")
_STAGES = {
    "plain": ("on a {} background", "on a plain {} background", "{} background", "on {}", "against a {} background"),
    "gradient": ("on a {} gradient background", "on a {} gradient", "{} gradient background"),
    "spotlight": ("on a {} spotlight background", "{} background with a spotlight", "under a spotlight on {}"),
    "studio": ("in a {} studio", "in a {} photo studio", "on a {} studio background"),
}
_PLACES = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top", "in the upper half"),
    "bottom": ("at the bottom", "in the lower half"),
    "center": ("in the center", "centered", "in the middle"),
}
_SIZES = {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge"), "medium": ("medium-sized", "medium")}
# What captions say beside goods, colours and filler; for the card.
WORDS = (
    "background", "plain background", "gradient", "spotlight", "under a spotlight", "studio", "photo studio",
    "3d render", "3d rendered", "3d icon", "3d style", "flat illustration", "flat icon", "flat style", "flat design",
    "vector illustration", "photo", "picture", "product shot", "image", "show me",
    *(word for words in _SIZES.values() for word in words), *(word for words in _PLACES.values() for word in words),
)  # fmt: skip
_VOWELS = "aeiou"


def caption(chance: random.Random, scene: Scene, own_colour: str | None) -> str:
    """One way of asking for the scene. What is left out of it is what a seed may decide."""
    good = BY_NAME[scene.good]
    opening, end = _style(chance, scene)
    subject = _subject(chance, scene, good, own_colour)
    clauses = [clause for clause in (_place(chance, scene), _ground(chance, scene)) if clause]
    if chance.random() < 0.3:
        chance.shuffle(clauses)
    text = opening + subject
    for clause in clauses:
        text += (
            ", " if chance.random() < 0.4 or not clause.startswith(("on", "in", "at", "ag", "un")) else " "
        ) + clause
    extras = chance.sample(FILLER, chance.choice((1, 1, 2, 3))) if chance.random() < 0.35 else []
    if end:
        extras.insert(chance.randrange(len(extras) + 1), end)
    return ", ".join((text, *extras))


def plain_caption(scene: Scene) -> str:
    """The scene in one fixed form, every attribute named: what the evaluation asks for."""
    good = BY_NAME[scene.good]
    subject = _with_article(" ".join((*_attributes(scene), good.name)), good)
    place = "" if scene.place == "center" else f" {_PLACES[scene.place][0]}"
    style = "flat illustration of " if scene.style == "flat" else ""
    return f"{style}{subject}{place} {_STAGES[scene.stage][0].format(scene.background)}"


def varied_caption(chance: random.Random, scene: Scene) -> str:
    """As `plain_caption` asks, in other words: synonym or plural, and filler around it."""
    good = BY_NAME[scene.good]
    noun = chance.choice((*good.nouns, *good.plurals))
    said = plain_caption(scene)
    exact = _with_article(" ".join((*_attributes(scene), good.name)), good)
    words = " ".join((*_attributes(scene), noun))
    other = words if noun in good.plurals else _with_article(words, good)
    return ", ".join((said.replace(exact, other, 1), *chance.sample(FILLER, chance.choice((1, 2)))))


def _attributes(scene: Scene) -> list[str]:
    """Size and colour as words before the noun."""
    words = [] if scene.size == "medium" else [scene.size]
    return words + ([scene.colour] if scene.colour else [])


def _style(chance: random.Random, scene: Scene) -> tuple[str, str]:
    """How the caption opens and ends. Flat drawings always say so; renders are what nothing said means."""
    if scene.style == "flat":
        return (
            (chance.choice(_FLAT), "")
            if chance.random() < 0.6
            else (chance.choice(_OPENINGS), chance.choice(_FLAT_ENDS))
        )
    if chance.random() < 0.2:
        return (chance.choice(_RENDER), "") if chance.random() < 0.6 else ("", chance.choice(_RENDER_ENDS))
    return chance.choice(_OPENINGS), ""


def _subject(chance: random.Random, scene: Scene, good: Good, own_colour: str | None) -> str:
    plural = bool(good.plurals) and chance.random() < 0.08
    noun = chance.choice(good.plurals if plural else good.nouns) if chance.random() < 0.45 else good.name
    words = []
    said = {"medium": 0.12}.get(scene.size, 0.93)
    if chance.random() < said:
        words.append(chance.choice(_SIZES[scene.size]))
    colour = scene.colour or (own_colour if chance.random() < 0.35 else None)
    if colour:
        words.append(colour)
    text = " ".join((*words, noun))
    return text if noun in good.plurals or chance.random() < 0.12 else _with_article(text, good)


def _with_article(text: str, good: Good) -> str:
    if good.always_plural:
        return text
    return f"{'an' if text[0] in _VOWELS else 'a'} {text}"


def _place(chance: random.Random, scene: Scene) -> str:
    if scene.place == "center" and chance.random() > 0.12:
        return ""
    return chance.choice(_PLACES[scene.place])


def _ground(chance: random.Random, scene: Scene) -> str:
    return chance.choice(_STAGES[scene.stage]).format(scene.background) if chance.random() < 0.95 else ""
