"""One character -> the plain Latin text it passes for: look-alikes that Unicode's decomposition leaves alone.

NFKD already turns full-width, mathematical and circled letters into plain ones and takes accents
off. This table adds letters of other scripts drawn like Latin ones, Latin letters with strokes and
hooks, small capitals, enclosed letters, and the tag characters, which no screen shows at all. It is
written from the letters' shapes; Unicode Technical Standard 39 describes the idea.
"""

# ruff: noqa: RUF001  (look-alikes are what this file is about)
from __future__ import annotations

import unicodedata

_PAIRS = {
    "a": "аαɑᴀⲁꭺᗅΑАɐᎪꓮⱥⱯ",
    "b": "вьƅʙΒВЬᏴᗷꓐɓƀЪъβƃ",
    "c": "сϲᴄСϹᏟꓚƈȼⲥↃ",
    "d": "ԁɗđᴅᎠᗞꓓԀɖðƋ",
    "e": "еεєɛᴇЕΕɇҽᎬꓰЭэəǝ",
    "f": "ғƒꜰϝᖴꓝꞙ",
    "g": "ɡɢցԌԍᏀꓖǥɠ",
    "h": "һнʜНΗᎻꓧћђħɦⱨⱧҥ",
    "i": "іιɪıΙІӀᎥꓲɩɨ",
    "j": "јϳᴊЈᎫꓙɉʝյ",
    "k": "кκᴋКΚᏦꓗƙҝқҡⱪ",
    "l": "ʟӏᏞꓡłƚɭⱡɬǀ",
    "m": "мᴍМΜᎷꓟϻɱ",
    "n": "ոηпɴΝԴꓠŋɲƞח",
    "o": "оοσօᴏОΟՕꓳøɵөΘθ०๐໐ⵔ",
    "p": "рρᴘРΡᏢꓑƿþƥ",
    "q": "ԛզɋԚ",
    "r": "гʀᎡꓣɍɾɼяЯɹ",
    "s": "ѕꜱЅՏᏚꓢʂƨꞩ",
    "t": "тτᴛТΤᎢꓔŧƭʈ",
    "u": "υսᴜՍꓴʉцμⴎ",
    "v": "νѵᴠѴᏙꓦ",
    "w": "ѡԝᴡшщωԜᎳꓪɯ",
    "x": "хχХΧ᙭ꓫ",
    "y": "уγүʏУΥҮꓬɏƴч",
    "z": "ᴢΖᏃꓜƶȥʐ",
    "ss": "ß",
    "ae": "æÆ",
    "oe": "œŒ",
    "'": "\u2019\u2018\u02bc\u2032",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    " ": "\u3164\u115f\u1160\uffa0\u2800",  # look empty, yet are letters or symbols to Unicode
}

_ENCLOSED = ((0x1F130, 26), (0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))  # squared, circled and flag letters
_TAGS = range(0xE0020, 0xE007F)
_UNSEEN = frozenset({"Mn", "Me", "Cf"})  # marks that ride on letters, and characters that show nothing


class _Plain(dict[int, str | None]):
    """The table for str.translate, completed from Unicode's own categories as characters turn up."""

    def __missing__(self, code: int) -> str | None:
        seen = chr(code)
        self[code] = None if unicodedata.category(seen) in _UNSEEN else seen
        return self[code]


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {ord(twin): plain for plain, twins in _PAIRS.items() for twin in twins}
    for first, count in _ENCLOSED:
        table |= {first + offset: chr(ord("a") + offset) for offset in range(count)}
    return table | {code: chr(code - 0xE0000) for code in _TAGS}


PLAIN = _Plain(_table())
"""For str.translate, on decomposed text: look-alike -> Latin, invisible -> nothing, the rest as it is."""
