"""Watermark payload: a 48-bit id, a CRC-16, and an error-correcting code that corrects 10 wrong bits of 127.

id (48) + CRC-16 -> 64 bits -> BCH(127, 64, t = 10) -> 127 bits -> whitened with a fixed sequence. A read is right or
None: a random word falls within 10 bits of a codeword with probability 2.5e-5, and its CRC then fits with 2^-16,
together 3.8e-10. Whitening keeps the words that flat pictures give (all zeros, all ones) far away from every codeword.
The watermark is a pointer to a record, never proof of anything by itself.

Source: Lin and Costello, Error Control Coding, chapter 6 (Berlekamp-Massey, Chien search over GF(2^7)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]

ID_BITS = 48
CODE_BITS = 127
MESSAGE_BITS = 64
CORRECTABLE_BITS = 10

_ORDER = 127  # non-zero elements of GF(2^7)
_PRIMITIVE = 0b10001001  # x^7 + x^3 + 1
_PARITY_BITS = CODE_BITS - MESSAGE_BITS
_NO_LOG = -1


@dataclass(frozen=True, slots=True)
class Payload:
    """An id that was read, and how many of its 127 bits had to be corrected."""

    watermark_id: int
    bit_errors: int


def encode(watermark_id: int) -> Bits:
    """The 127 bits that stand for this id, uint8 0 or 1. Raises ValueError outside of 48 bits."""
    if not 0 <= watermark_id < 1 << ID_BITS:
        raise ValueError(f"a watermark id has {ID_BITS} bits, got {watermark_id}")
    message = watermark_id << 16 | _crc16(watermark_id)
    word = _codeword(message)
    return (_unpack(word) ^ _whitening()).astype(np.uint8)


def decode(bits: Bits, *, correct: int = CORRECTABLE_BITS) -> Payload | None:
    """The id that these 127 bits stand for, or None: not one of ours, or more than `correct` bits are wrong."""
    word = (np.asarray(bits, np.uint8) ^ _whitening()).astype(np.uint8)
    wrong = _wrong_positions(word)
    if wrong is None or len(wrong) > correct:
        return None
    word[wrong] ^= 1
    message = _pack(word[:MESSAGE_BITS])
    watermark_id, crc = message >> 16, message & 0xFFFF
    return Payload(watermark_id, len(wrong)) if crc == _crc16(watermark_id) else None


def distance(bits: Bits, watermark_id: int) -> int:
    """The number of these 127 bits that differ from those of an id, for a reader who knows the id."""
    return int(np.count_nonzero(np.asarray(bits, np.uint8) != encode(watermark_id)))


def _crc16(watermark_id: int) -> int:
    """CRC-16/IBM-3740 (polynomial 0x1021, start 0xFFFF) over the six bytes of the id."""
    crc = 0xFFFF
    for byte in watermark_id.to_bytes(ID_BITS // 8, "big"):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _codeword(message: int) -> int:
    """Systematic: the message, then the remainder of message * x^63 by the generator."""
    remainder = message << _PARITY_BITS
    for shift in range(MESSAGE_BITS - 1, -1, -1):
        if remainder >> shift + _PARITY_BITS & 1:
            remainder ^= _generator() << shift
    return message << _PARITY_BITS | remainder


def _wrong_positions(word: Bits) -> NDArray[np.intp] | None:
    """Indices of the wrong bits of a received word, or None if there are more than the code can locate."""
    syndromes = np.bitwise_xor.reduce(_syndromes_of_bits()[word > 0], axis=0)
    if not syndromes.any():
        return np.empty(0, np.intp)
    locator = _berlekamp_massey(syndromes.tolist())
    degree = len(locator) - 1
    if degree > CORRECTABLE_BITS:
        return None
    roots = _roots(locator)
    return (_ORDER - 1 - roots).astype(np.intp) if len(roots) == degree else None


def _berlekamp_massey(syndromes: list[int]) -> list[int]:
    """The shortest error locator polynomial, lowest coefficient first, that produces the syndromes.

    The code is binary, so every second discrepancy is zero and its step is left out (Berlekamp 1968, 7.6).
    """
    power, log = _scalars()
    locator, previous = [1], [1]
    length, gap, previous_discrepancy = 0, 1, 1
    for step in range(0, len(syndromes), 2):
        discrepancy = syndromes[step]
        for i in range(1, min(length, len(locator) - 1) + 1):
            a, b = locator[i], syndromes[step - i]
            if a and b:
                discrepancy ^= power[log[a] + log[b]]
        if not discrepancy:
            gap += 2
            continue
        factor = log[discrepancy] + _ORDER - log[previous_discrepancy]
        updated = locator + [0] * (len(previous) + gap - len(locator))
        for i, c in enumerate(previous, gap):
            if c:
                updated[i] ^= power[(factor + log[c]) % _ORDER]
        if 2 * length <= step:
            previous, previous_discrepancy = locator, discrepancy
            length, gap = step + 1 - length, 2
        else:
            gap += 2
        locator = updated
    while locator[-1] == 0:
        locator.pop()
    return locator


def _roots(locator: list[int]) -> NDArray[np.intp]:
    """Exponents e of the error positions: the locator vanishes at a^-e (Chien search, all 127 points at once)."""
    power, log = _field()
    degrees = np.flatnonzero(locator)
    exponents = log[np.take(locator, degrees)][:, None] - degrees[:, None] * np.arange(_ORDER)
    return np.flatnonzero(np.bitwise_xor.reduce(power[exponents % _ORDER], axis=0) == 0)


def _times(a: int, b: int) -> int:
    power, log = _scalars()
    return power[log[a] + log[b]] if a and b else 0


@lru_cache(maxsize=1)
def _syndromes_of_bits() -> NDArray[np.int64]:
    """What each bit of a word adds to the 20 syndromes, [127, 20]; bit 0 is the coefficient of x^126."""
    power, _ = _field()
    exponents = _ORDER - 1 - np.arange(_ORDER)[:, None]
    return np.asarray(power[exponents * np.arange(1, 2 * CORRECTABLE_BITS + 1) % _ORDER])


@lru_cache(maxsize=1)
def _field() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """GF(2^7): powers of the primitive element, and the logarithm of each element."""
    power = np.zeros(_ORDER, np.int64)
    log = np.full(_ORDER + 1, _NO_LOG, np.int64)
    element = 1
    for exponent in range(_ORDER):
        power[exponent], log[element] = element, exponent
        element <<= 1
        if element > _ORDER:
            element ^= _PRIMITIVE
    return power, log


@lru_cache(maxsize=1)
def _scalars() -> tuple[list[int], list[int]]:
    """The same tables as plain integers, ten times faster to read one by one. That of powers stands there twice."""
    power, log = _field()
    return [*power.tolist(), *power.tolist()], log.tolist()


@lru_cache(maxsize=1)
def _generator() -> int:
    """Product of the minimal polynomials of a^1 .. a^20, as an integer; its degree is 63."""
    generator, done = 1, set[int]()
    for root in range(1, 2 * CORRECTABLE_BITS + 1):
        conjugates = {root * (1 << i) % _ORDER for i in range(7)}
        if conjugates <= done:
            continue
        done |= conjugates
        generator = _carryless_product(generator, _minimal_polynomial(conjugates))
    return generator


def _minimal_polynomial(conjugates: set[int]) -> int:
    """The product of (x - a^c) over a class of conjugates; its coefficients are 0 and 1."""
    power, _ = _field()
    coefficients = [1]
    for exponent in conjugates:
        root = int(power[exponent])
        shifted = [0, *coefficients]
        coefficients = [a ^ _times(root, b) for a, b in zip(shifted, [*coefficients, 0], strict=True)]
    return sum(bit << i for i, bit in enumerate(coefficients))


def _carryless_product(a: int, b: int) -> int:
    product = 0
    for shift in range(b.bit_length()):
        if b >> shift & 1:
            product ^= a << shift
    return product


@lru_cache(maxsize=1)
def _whitening() -> Bits:
    """A fixed sequence of 127 bits: the maximal-length sequence of x^7 + x + 1."""
    state, bits = 0b1010101, []
    for _ in range(CODE_BITS):
        bits.append(state & 1)
        state = state >> 1 | ((state ^ state >> 1) & 1) << 6
    return np.array(bits, np.uint8)


def _unpack(word: int) -> Bits:
    whole = np.unpackbits(np.frombuffer(word.to_bytes(16, "big"), np.uint8))
    return whole[-CODE_BITS:]


def _pack(bits: NDArray[Any]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
