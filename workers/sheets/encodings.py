"""Text encoding of a file: byte order marks, UTF-16 without one, UTF-8, and the 8-bit encodings of office programs.

A wrong guess garbles names without an error, so the order is strict: a mark is believed, then UTF-16 that shows itself
by its zero bytes, then UTF-8 if every byte fits. Only then is the file 8-bit: Windows-1252, which Excel writes as plain
"CSV" in Western Europe and America, unless the words do not look like it and charset-normalizer knows better.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

from workers.sheets.errors import SheetInvalid

_CHUNK_BYTES = 1024 * 1024
_SAMPLE_BYTES = 4096  # looked at for zero bytes
_GUESSED_BYTES = 256 * 1024  # of lines with foreign letters, handed to charset-normalizer
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_RUN = re.compile("[\u0080-\uffff]{3,}")  # three foreign letters in a row: rare in Western languages
_NO_WORDS = re.compile("[\x80-\x9f\u00a4-\u00aa\u00ac-\u00af\u00b1-\u00b4\u00b6-\u00b9\u00bc-\u00be\u00d7\u00f7]")
_OTHERS = [
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1257",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
    "koi8_r",
]


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How to read a file's text: codec, length of the mark, and how many lines there may be at most."""

    codec: str
    mark_bytes: int
    guessed: bool
    lines: int


def find_encoding(file: BinaryIO, wanted: str = "") -> TextEncoding:
    """The encoding in which the whole file decodes. Raises SheetInvalid with the first line that does not.

    `wanted` is the codec that the sender named; only marks are still looked for then.
    """
    file.seek(0)
    start = file.read(_SAMPLE_BYTES)
    if start[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise SheetInvalid("encoding", "the file is UTF-32", "Save it as 'CSV UTF-8'.", line=1)
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return TextEncoding(codec, len(mark), False, _lines(file, codec, len(mark)))
    if wanted:
        return TextEncoding(wanted, 0, False, _lines(file, wanted, 0))
    if codec := _unmarked_utf16(start):
        return TextEncoding(codec, 0, True, _lines(file, codec, 0))
    try:
        return TextEncoding("utf-8", 0, False, _lines(file, "utf-8", 0))
    except SheetInvalid as error:
        codec = _eight_bit(file, error)
        return TextEncoding(codec, 0, True, _lines(file, codec, 0))


def _lines(file: BinaryIO, codec: str, mark: int) -> int:
    """Line ends of the whole file, decoded strictly, so that a wrong byte is found before any row is believed."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    file.seek(mark)
    lines, last, more = 1, "", True
    while more:
        chunk = file.read(_CHUNK_BYTES)
        more = bool(chunk)
        try:
            text = decoder.decode(chunk, final=not more)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(codec, "ignore")
            raise _undecodable(error, lines + _ends(last, good)) from error
        lines += _ends(last, text)
        last = text[-1:] or last
    return lines


def _ends(last: str, text: str) -> int:
    r"""Line ends in `text`, with `\r\n` counted once, also where a chunk ends between the two."""
    ends = text.count("\n")
    if "\r" in text:
        ends += text.count("\r") - text.count("\r\n")
    return ends - (last == "\r" and text.startswith("\n"))


def _undecodable(error: UnicodeDecodeError, line: int) -> SheetInvalid:
    wrong = error.object[error.start]
    message = f"line {line} is not {error.encoding.upper()}: byte 0x{wrong:02X} makes no character there"
    return SheetInvalid("encoding", message, "Save the file as 'CSV UTF-8', or name its `encoding`.", line=line)


def _unmarked_utf16(start: bytes) -> str:
    """UTF-16 shows itself by the zero byte of every ASCII character, always on the same side."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    pairs = max(len(start) // 2, 1)
    if len(start) >= 4 and min(even, odd) == 0 and max(even, odd) > pairs * 0.1:
        codec = "utf-16-le" if odd else "utf-16-be"
        text = start[: pairs * 2].decode(codec, "ignore")
        if (
            any(sign in text for sign in ",;\t\n\r")
            and sum(sign.isprintable() or sign in "\t\r\n" for sign in text) > len(text) * 0.8
        ):
            return codec
    return ""


def _eight_bit(file: BinaryIO, error: SheetInvalid) -> str:
    """The 8-bit codec of a file that is not UTF-8. Raises `error` where the file is UTF-8 with damage."""
    lines: list[bytes] = []
    size = 0
    file.seek(0)
    while size < _GUESSED_BYTES and (line := file.readline(_CHUNK_BYTES)):
        if _HIGH.search(line):
            lines.append(line)
            size += len(line)
    sample = b"".join(lines)
    if _is_damaged_utf8(sample):
        raise error
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if text and len(_RUN.findall(text)) * 4 <= len(re.findall("[\u0080-\uffff]+", text)) and not _odd(text):
        return "cp1252"
    return _best_guess(sample) or ("cp1252" if text else _raise(error))


def _raise(error: SheetInvalid) -> str:
    raise error


def _odd(text: str) -> bool:
    """Whether signs that stand in no word, such as a broken bar, are most of what is not ASCII."""
    foreign = sum(not sign.isascii() for sign in text)
    return len(_NO_WORDS.findall(text)) * 2 > foreign


def _is_damaged_utf8(sample: bytes) -> bool:
    """Valid characters of several bytes beside bytes that make none, or a character that is cut off at the end."""
    rest = _MULTIBYTE.sub(b"", sample)
    whole = len(_MULTIBYTE.findall(sample))
    cut = re.search(rb"(?:[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})$", sample)
    return bool(cut) or (whole > 0 and whole >= len(_HIGH.findall(rest)))


def _best_guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 30 ms that only such a file costs

    best = from_bytes(sample, cp_isolation=[*_OTHERS, "cp1252"], enable_fallback=False).best()
    return best.encoding if best is not None else ""
