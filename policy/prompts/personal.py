"""Personal data in a text, found by its shape and its check digits: kind and position, never the data itself.

Only data that can be distinguished from an article number is looked for: e-mail addresses, phone numbers (by the rules
of phonenumbers; a national number counts only in its usual grouping and only for the regions of the rule), IBANs,
payment cards, and national ids with a check digit or a fixed form. A street address has neither, so that kind exists
for those who ask for it and stands in no shipped rule. Patterns are bounded: the time grows with the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from policy.prompts.normalisation.variants import folded_by_letter
from policy.rulebook.prompts import Personal


class PersonalSpan(NamedTuple):
    """Characters [first, end) of the text as it was sent."""

    kind: Personal
    first: int
    end: int


_AT, _DOT = r"(?:@|\s?[\[(]\s?at\s?[\])]\s?)", r"(?:\.|\s?[\[(]\s?dot\s?[\])]\s?)"
_EMAIL = re.compile(rf"(?<![\w.+-])[\w.+-]{{1,64}}{_AT}(?:[a-z0-9-]{{1,63}}{_DOT}){{1,4}}[a-z]{{2,24}}(?![\w-])")
_IBAN = re.compile(r"(?<![a-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9])")
_CARD = re.compile(r"(?<![\d+.,-])\d(?:[ -]?\d){12,18}(?![\d.,]\d|\d)")
# Digits of any number of a kind: two of an IBAN are check digits, and six has the shortest national number here.
_FEWEST_OF = {Personal.IBAN: 4, Personal.PAYMENT_CARD: 13, Personal.NATIONAL_ID: 6, Personal.PHONE: 7}
_NATIONAL_DIGITS = re.compile(r"\d(?:[ .-]?\d){4}|[a-z]{6}\d\d")  # every form of _NATIONAL holds one of the two
_FEWEST_DIGITS = 6  # of a number without its country; some countries know shorter ones, and so do order forms
# Fewer digits, or digits with other letters than an x between them, make no phone number. The search itself is slow.
_MANY_DIGITS = re.compile(r"(?:\d\D{0,3}){7}")
_IN_A_ROW = re.compile(r"(?:\d[^\da-wyz]{0,4}){5}\d")
_STREET = re.compile(
    r"(?<!\w)(?:\d{1,5}[a-zA-Z]?,? (?:[A-Z][\w'.-]{1,30} ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Square|Terrace|Close|Crescent)(?!\w)"
    r"|\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|impasse|quai) (?:de |du |des |de la |la |le |d')?"
    r"[A-ZÀ-Ý][\w'-]{1,30}"
    r"|(?:[A-ZÄÖÜ][\w.-]{1,30}[ -]){0,2}[A-ZÄÖÜ]?[a-zäöüß]{2,30}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse) \d{1,4}"
    r"|(?:Calle|Avenida|Plaza|Via|Viale|Piazza) (?:[A-Z][\w'-]{1,30} ?){1,3},? \d{1,4})"
)
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "no", 16: "be", 18: "dk fi fo gl nl", 19: "mk si", 20: "at ba ee kz lt lu xk", 21: "ch hr li lv",
        22: "bg bh cr de gb ge ie me rs va", 23: "ae gi il iq tl", 24: "ad cz es md pk ro sa se sk tn vg",
        25: "ly pt st", 26: "is tr", 27: "fr gr it mc mr sm", 28: "al az by cy do gt hu lb pl sv", 29: "br eg ps qa ua",
        30: "jo kw mu", 31: "mt sc", 32: "lc",
    }.items()
    for country in countries.split()
}  # fmt: skip


def find_personal(text: str, kinds: Collection[Personal], regions: tuple[str, ...] = ()) -> Iterator[PersonalSpan]:
    """Every stretch of personal data of these kinds, in order. A stretch that is of two kinds is reported once."""
    if not kinds:
        return
    worth = _possible(text)
    if worth.isdisjoint(kinds) and Personal.STREET_ADDRESS not in kinds:
        return
    plain, origin = folded_by_letter(text)
    taken: list[tuple[int, int]] = []
    spans: list[PersonalSpan] = []
    for kind in Personal:  # in this order: an IBAN may hold the digits of a card, and both those of a phone
        if kind not in kinds:
            continue
        if kind is Personal.STREET_ADDRESS:
            found = [match.span() for match in _STREET.finditer(text)]
        else:
            ranges = _of_kind(kind, plain, regions) if kind in worth else ()
            found = [(origin[first], origin[end - 1] + 1) for first, end in ranges]
        for first, end in found:
            if all(end <= other_first or first >= other_end for other_first, other_end in taken):
                taken.append((first, end))
                spans.append(PersonalSpan(kind, first, end))
    yield from sorted(spans, key=lambda span: span.first)


@lru_cache(maxsize=16)
def _possible(text: str) -> frozenset[Personal]:
    """The kinds that a text can hold at all. Most prompts have neither an at sign nor enough digits for any.

    A street address is not counted: it is always looked for. Several rules ask for the same text, one after the other.
    """
    plain = text.lower() if text.isascii() else folded_by_letter(text)[0]
    at = "@" in plain or ("at" in plain and ("(" in plain or "[" in plain))  # name (at) example.org
    digits = sum(map(plain.count, "0123456789"))
    numbers = (kind for kind, fewest in _FEWEST_OF.items() if digits >= fewest)
    return frozenset((Personal.EMAIL, *numbers) if at else numbers)


def _of_kind(kind: Personal, plain: str, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    match kind:
        case Personal.EMAIL:
            yield from (match.span() for match in _EMAIL.finditer(plain))
        case Personal.IBAN:
            yield from (span for match in _IBAN.finditer(plain) if (span := _iban(match)))
        case Personal.PAYMENT_CARD:
            yield from (match.span() for match in _CARD.finditer(plain) if _card(_bare(match[0])))
        case Personal.NATIONAL_ID:
            for pattern, check in _NATIONAL if _NATIONAL_DIGITS.search(plain) else ():
                yield from (match.span() for match in pattern.finditer(plain) if check(_bare(match[0])))
        case Personal.PHONE:
            if _MANY_DIGITS.search(plain) and _IN_A_ROW.search(plain):
                yield from _phones(plain, regions)


def _bare(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _iban(match: re.Match[str]) -> tuple[int, int] | None:
    """The part of the match that is an IBAN of its country's length; words may follow it without a gap."""
    length = _IBAN_LENGTHS.get(match[0][:2], 0)
    ends = [place for place, letter in enumerate(match[0], 1) if letter.isalnum()]
    if not length or len(ends) < length or match[0][ends[length - 1] :][:1].isalnum():
        return None
    end = ends[length - 1]
    number = _bare(match[0][:end])
    turned = "".join(str(int(letter, 36)) for letter in number[4:] + number[:4])
    return (match.start(), match.start() + end) if int(turned) % 97 == 1 else None


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _card(digits: str) -> bool:
    """Luhn's check, and an issuer's range with the length that belongs to it."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    issued = (
        (digits[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((four == 6011 or 644 <= three <= 649 or two == 65) and size in (16, 19))
        or (3528 <= four <= 3589 and size == 16)
        or ((300 <= three <= 305 or two in (36, 38)) and size == 14)
    )
    return issued and len(set(digits)) > 1 and _luhn(digits)


def _cpf(digits: str) -> bool:
    """Brazil: two check digits, modulo 11."""
    for size in (9, 10):
        total = sum(int(digit) * weight for digit, weight in zip(digits[:size], range(size + 1, 1, -1), strict=True))
        if int(digits[size]) != (total * 10 % 11) % 10:
            return False
    return len(set(digits)) > 1


def _dni(number: str) -> bool:
    """Spain, DNI and NIE: a letter that is the number modulo 23."""
    digits = number[:-1].translate(str.maketrans("xyz", "012"))
    return number[-1] == "trwagmyfpdxbnjzsqvhlcke"[int(digits) % 23]


def _insee(digits: str) -> bool:
    """France: 97 minus the number modulo 97, Corsica's letters apart."""
    return int(digits[-2:]) == 97 - int(digits[:-2]) % 97


def _codice(number: str) -> bool:
    """Italy: a check letter over odd and even places."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    values = [int(letter) if letter.isdigit() else ord(letter) - ord("a") for letter in number[:-1]]
    total = sum(odd[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return number[-1] == chr(ord("a") + total % 26)


def _personnummer(digits: str) -> bool:
    """Sweden: an existing date, and Luhn's check."""
    try:
        date(2000 + int(digits[:2]) % 4, int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    return _luhn(digits)


def _as_it_is(_: str) -> bool:
    return True


# United Kingdom: with its usual gaps, or without them where it says what it is; else it is an article number.
_NINO = r"(?!bg|gb|kn|nk|nt|tn|zz)[abceghj-prstw-z][abceghj-nprstw-z]{0}\d{{2}}{0}\d{{2}}{0}\d{{2}}{0}[a-d]"

_NATIONAL = tuple(
    (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])"), check)
    for pattern, check in (
        (r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}", _as_it_is),  # United States, as it is always written
        (
            r"(?:ssn|social security(?: number| no\.?)?)[ :#]{1,3}(?!000|666|9)\d{3} ?(?!00)\d{2} ?(?!0000)\d{4}",
            _as_it_is,
        ),
        (
            _NINO.format(" ")
            + r"|(?:nino|ni number|national insurance(?: no\.?| number)?)[ :#]{1,3}"
            + _NINO.format(""),
            _as_it_is,
        ),
        (r"\d{3}\.\d{3}\.\d{3}-\d{2}", _cpf),
        (r"(?:\d{8}|[xyz]\d{7})-?[a-hj-np-tv-z]", _dni),
        (r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}", _insee),
        (r"[a-z]{6}\d{2}[abcdehlmprst]\d{2}[a-z]\d{3}[a-z]", _codice),
        (r"\d{6}[-+]\d{4}", _personnummer),
    )
)


def _phones(plain: str, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    import phonenumbers  # noqa: PLC0415 - 60 ms, and most processes never meet a number

    for region in (None, *regions) if "+" in plain else regions:  # without its + a number belongs to a region
        leniency = phonenumbers.Leniency.VALID if region is None else phonenumbers.Leniency.EXACT_GROUPING
        for found in phonenumbers.PhoneNumberMatcher(plain, region, leniency=leniency, max_tries=100):
            long_enough = len(str(found.number.national_number)) >= _FEWEST_DIGITS
            if long_enough and (region is None or not found.raw_string.isdigit()):
                yield found.start, found.end
