"""File names from templates and data: `{sku}.{channel}.jpg` becomes a name that is safe on every system, and stable.

A name is never a path. It holds no separator, no control or invisible character, no reserved name of Windows and no
leading dot, is in Unicode form NFC, and has at most 255 bytes in UTF-8. The same values give the same name. Two names
that are equal but for case are told apart by `distinct`, which the caller asks in the order of the rows.

Sources: Windows "Naming Files, Paths, and Namespaces"; POSIX 3.170; RFC 6266 and RFC 8187 for `disposition`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

MAX_BYTES = 255  # of a name on ext4, XFS, APFS and NTFS alike, at worst
MAX_TEMPLATE_CHARS = 300
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif"}
DEFAULT_TEMPLATE = "{custom_id}.{ext}"
# Placeholders that are no columns. A column of the same name is reached by none of them: ours come first.
OWN = ("custom_id", "row", "variant", "channel", "ext", "width", "height")

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_UNSAFE = re.compile(r'[<>:"/\\|?*\u2044\u2215\u29f8\uff0f\uff3c]')  # the last five only look like separators
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(?=$|[. ])", re.IGNORECASE)
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_SPELLINGS = {"jpg": "jpg", "jpeg": "jpg", "jpe": "jpg", "png": "png", "webp": "webp", "avif": "avif"}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ ().-]{0,98}[A-Za-z0-9_)]|[A-Za-z0-9_]")


class FileTemplateInvalid(ValueError):
    """The template of file names breaks a rule; `remedy` says how to mend it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class FileTemplate:
    """A parsed template; `names` are its placeholders."""

    text: str
    names: tuple[str, ...]
    parts: tuple[str, ...]  # fixed text and names in turn, beginning with text

    @classmethod
    def parse(cls, text: str) -> FileTemplate:
        """Raises FileTemplateInvalid."""
        if not text.strip() or len(text) > MAX_TEMPLATE_CHARS:
            raise FileTemplateInvalid(
                f"a file name has 1 to {MAX_TEMPLATE_CHARS} characters", "Write it like {sku}.{channel}.{ext}."
            )
        names: dict[str, None] = {}
        parts, end = [""], 0
        for found in _TOKEN.finditer(text):
            token = found.group()
            parts[-1] += text[end : found.start()]
            end = found.end()
            if token in ("{", "}"):
                raise FileTemplateInvalid(
                    f"a single '{token}'", f"Write {{column}}, or '{token}{token}' for it itself."
                )
            if token in ("{{", "}}"):
                parts[-1] += token[0]
                continue
            names[token[1:-1].strip()] = None
            parts += [token[1:-1].strip(), ""]
        parts[-1] += text[end:]
        fixed = _TOKEN.sub("", text)
        if _UNSAFE.search(fixed):
            raise FileTemplateInvalid(
                'a file name is no path: it holds none of < > : " / \\ | ? *', "Leave folders out; join words with '-'."
            )
        return cls(text, tuple(names), tuple(parts))

    def render(self, values: Mapping[str, str]) -> str:
        """The name as it is asked for, before it is made safe. A column that is not there is empty."""
        parts = self.parts
        return "".join([part if n % 2 == 0 else values.get(part, "") for n, part in enumerate(parts)])


def file_name(template: FileTemplate, values: Mapping[str, str], *, extension: str, suffix: str = "") -> str:
    """The safe name of one file. `suffix` is what `distinct` gave its item; the extension is the file's own."""
    asked = template.render({**values, "ext": extension})
    stem, _, last = asked.rpartition(".")
    written = last.strip()
    spelled = _SPELLINGS.get(written.lower())
    if spelled is None:
        stem = asked
    return safe_name(stem, f".{written if spelled == extension else extension}", suffix)


def safe_name(stem: str, ending: str = "", suffix: str = "") -> str:
    """A name that no system takes for anything but a name. `suffix` stands before the ending."""
    if _PLAIN.fullmatch(stem) and not _RESERVED.match(stem):
        return f"{stem}{suffix}{ending}"
    clean = "".join("" if unicodedata.category(c) in _INVISIBLE else c for c in unicodedata.normalize("NFC", stem))
    clean = unicodedata.normalize("NFC", _UNSAFE.sub("_", clean))  # what was taken out may have kept two apart
    clean = re.sub(r"\s+", " ", clean).strip(" ").rstrip(". ").lstrip(". ")
    if clean.startswith(("-", "~")):
        clean = f"_{clean[1:]}"  # no option and no home folder for a shell
    if _RESERVED.match(clean):
        clean = f"_{clean}"
    room = MAX_BYTES - len((suffix + ending).encode())
    return f"{_cut(clean or 'file', room)}{suffix}{ending}"


def distinct(name: str, identity: str, taken: set[bytes]) -> str:
    """ "" for a name that is the first of its kind, else a suffix that sets it apart; both are remembered in `taken`.

    Names are compared as file systems compare them: without case, in one normal form. The suffix is a digest of the
    identity, so that it does not depend on the other rows.
    """
    key = _key(name)
    if key not in taken:
        taken.add(key)
        return ""
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return f"~{digest[:8]}"


def disposition(name: str, kind: str = "attachment") -> str:
    """The value of Content-Disposition: the name in ASCII for old clients, and in UTF-8 for all others."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+,=@~-]", "_", plain) or "file"
    fallback = f'{kind}; filename="{plain}"'
    return fallback if plain == name else f"{fallback}; filename*=UTF-8''{quote(name, safe='')}"


def folded(name: str) -> str:
    """The form in which two names of one folder must differ."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _key(name: str) -> bytes:
    return hashlib.blake2b(folded(name).encode(), digest_size=12).digest()


def _cut(text: str, room: int) -> str:
    """The text in at most so many bytes; what is cut is replaced by a digest of the whole."""
    if len(text.encode()) <= room:
        return text
    mark = f"~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    kept = text.encode()[: room - len(mark)].decode(errors="ignore")
    while kept and unicodedata.combining(kept[-1]):
        kept = kept[:-1]
    return kept.rstrip(" .") + mark
