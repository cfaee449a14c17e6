"""Confusable characters: one character -> the plain Latin text that it looks like, beyond Unicode's decomposition.

NFKD already turns full-width, mathematical and circled letters into plain ones and separates accents. This table adds
letters of other scripts that are drawn like Latin ones, Latin letters with strokes and hooks, small capitals, enclosed
letters, digits of all scripts, and the tag characters, which are never displayed. Han, kana and Thai letters stand for
Latin ones in what "fancy text" pages make. In a sentence of their own script they are matched as written, since
variants.py reads both forms. The table is written from the letters' shapes; Unicode Technical Standard 39 describes
the idea.
"""

# ruff: noqa: RUF001  (look-alikes are what this file is about)
from __future__ import annotations

import unicodedata

_PAIRS = {
    "a": "аαɑᴀⲁꭺᗅΑАɐᎪꓮⱥⱯ⍺𖽀𐊠ᗩค卂∀Λλ",
    "b": "вьƅʙΒВЬᏴᗷꓐɓƀЪъβƃƄᏏᑲᖯꞴ𐊂𐊡𐌁乃๒Ᏸ",
    "c": "сϲᴄСϹᏟꓚƈȼⲥↃꮯ𐐽𑣲𐊢𐌂𐐕𐔜ᑕ匚",
    "d": "ԁɗđᴅᎠᗞꓓԀɖðƋᏧᑯꓒᗪժ๔ᑰ",
    "e": "еεєɛᴇЕΕɇҽᎬꓰЭэəǝ℮ꬲ⋿ⴹ𑢦𑢮𐊆ᗴ乇ⲈΣ",
    "f": "ғƒꜰϝᖴꓝꞙꬵẝքꞘϜ𑣂𑢢𐊇𐊥𐔥千ʄꮀ",
    "g": "ɡɢցԌԍᏀꓖǥɠᶃƍᏳᎶᘜ",
    "h": "һнʜНΗᎻꓧћђħɦⱨⱧҥհᏂⲎᕼ𐋏卄",
    "i": "іιɪıΙІӀᎥꓲɩɨꙇꭵ𑣃丨ⵏเ",
    "j": "јϳᴊЈᎫꓙɉʝյꞲͿᒍןᒚ",
    "k": "кκᴋКΚᏦꓗƙҝқҡⱪⲔᛕ𐔘ҜҞ",
    "l": "ʟӏᏞꓡłƚɭⱡɬǀƖⲒᛁ𖼨𐊊𐌉Ⳑᒪ𖼖𑢣𑢲𐐛𐔦ㄥ",
    "m": "мᴍМΜᎷꓟϻɱϺⲘᗰᛖ𐊰𐌑爪๓",
    "n": "ոηпɴΝԴꓠŋɲƞחռⲚ𐔓ᑎ几ภทຖ",
    "o": "оοσօᴏОΟՕꓳøɵөΘθ०๐໐ⵔᴑꬽჿഠဝ𐓪𑣈𑣗𐐬〇Ⲟዐଠ𐓂𑢵𐊒𐊫𐐄𐔖ㄖ๏ಂ",
    "p": "рρᴘРΡᏢꓑƿþƥⲣⲢᑭ𐊕卩ק",
    "q": "ԛզɋԚգⵕɊᑫ",
    "r": "гʀᎡꓣɍɾɼяЯɹꭇꭈᴦⲅꮁƦᏒ𐒴ᖇ𖼵尺尸ґ",
    "s": "ѕꜱЅՏᏚꓢʂƨꞩƽꮪ𑣁𐑈Ꮥ𖼺𐊖𐐠丂ᔕร",
    "t": "тτᴛТΤᎢꓔŧƭʈⲦ𖼊𑢼𐊗𐊱𐌕ㄒ丅†",
    "u": "υսᴜՍꓴʉцμⴎꞟꭎꭒʋ𐓶𑣘ሀ𐓎ᑌ𖽂𑢸ㄩนմย",
    "v": "νѵᴠѴᏙꓦꮩ𑣀ⴸᐯꛟ𖼈𑢠𐔝ש",
    "w": "ѡԝᴡшщωԜᎳꓪɯաꮃᏔ山ᗯฬ",
    "x": "хχХΧ᙭ꓫᕁᕽ𐌢ꞳⲬⵝᚷ𐊐𐊴𐌗𐔧乂",
    "y": "уγүʏУΥҮꓬɏƴчɣᶌỿꭚყ𑣜ⲨᎩᎽ𖽃𑢤𐊲ㄚץ",
    "z": "ᴢΖᏃꓜƶȥʐꮓ𑣄𐋵𑢩乙ᘔ",
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
    """The table for str.translate, completed from Unicode's categories as characters occur."""

    def __missing__(self, code: int) -> str | None:
        seen, kind = chr(code), unicodedata.category(chr(code))
        self[code] = None if kind in _UNSEEN else str(unicodedata.decimal(seen)) if kind == "Nd" else seen
        return self[code]


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {ord(twin): plain for plain, twins in _PAIRS.items() for twin in twins}
    for first, count in _ENCLOSED:
        table |= {first + offset: chr(ord("a") + offset) for offset in range(count)}
    return table | {code: chr(code - 0xE0000) for code in _TAGS}


TO_LATIN = _Plain(_table())
"""For str.translate, on decomposed text: look-alike -> Latin, foreign digit -> digit, invisible -> nothing."""
