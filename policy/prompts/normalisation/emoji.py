"""Emoji of a prompt, read as words: what a picture in a sentence is used to say.

Only emoji that rules are about are in the table. Most stand for two words, the first of which is `emoji`, so that a
rule has to name the combination: an aubergine alone is a vegetable.
"""

from __future__ import annotations

_WORDS = {
    "\N{NO ONE UNDER EIGHTEEN SYMBOL}": "nsfw",
    "\N{BABY}": "baby",
    "\N{CHILD}": "child",
    "\N{BOY}": "little boy",
    "\N{GIRL}": "little girl",
    "\N{SMOKING SYMBOL}": "cigarette",
    "\N{AUBERGINE}": "emoji eggplant",
    "\N{PEACH}": "emoji peach",
    "\N{SPLASHING SWEAT SYMBOL}": "emoji splash",
    "\N{TONGUE}": "emoji tongue",
    "\N{HOCHO}": "emoji knife",
    "\N{DROP OF BLOOD}": "emoji blood",
    "\N{SKULL}": "emoji skull",
    "\N{BOMB}": "emoji bomb",
    "\N{PISTOL}": "emoji gun",
    "\N{SYRINGE}": "emoji syringe",
    "\N{PILL}": "emoji pill",
}
_READ = str.maketrans({sign: f" {words} " for sign, words in _WORDS.items()})


def read_emoji(text: str) -> str | None:
    """The text with these emoji as words; None where it holds none of them."""
    if text.isascii() or (read := text.translate(_READ)) == text:
        return None
    return read
