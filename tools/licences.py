"""Licence check of everything that `presswork[worker,embedded]` installs: fails on a licence without a decision.

    python -m tools.licences

It reads three places, because the first is often wrong: what a distribution declares, its licence files, and the
shared libraries in its wheel. Permissive terms pass. Everything else must be in tools/licences.yaml with a reason. GPL
and AGPL are allowed only in an optional extra that is named there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import filter as named
from fnmatch import fnmatch
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "presswork"
EXTRAS = ("worker", "embedded")
# By [tool.uv] in pyproject.toml: opencv-python-headless stands in for the one, and what the other would do with the
# weights that came along is done by transformers alone (policy/prompts/meaning/embedding.py).
LEFT_OUT = frozenset({"opencv-python", "sentence-transformers"})
ALLOWED = Path(__file__).with_name("licences.yaml")
_READ_CHARS = 400_000  # of one licence file: the longest in use has 180,000


class Terms(IntEnum):
    """What a licence asks of whoever passes the work on, least first."""

    PERMISSIVE = 0  # keep the notices
    FILE = 1  # MPL: changed files stay open
    LIBRARY = 2  # LGPL, or GPL with a runtime exception: the library stays replaceable
    STRONG = 3  # GPL, AGPL: the whole work
    UNKNOWN = 4  # nobody looked yet


@dataclass(frozen=True, slots=True)
class Finding:
    """Terms found on a distribution, and where."""

    distribution: str
    terms: Terms
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """A decision about one distribution, from tools/licences.yaml."""

    terms: tuple[Terms, ...]
    reason: str
    only_in: str | None = None  # the optional extra that alone may bring it
    not_in_it: tuple[str, ...] = ()  # licence files (globs) of sources that the wheel leaves out


_PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC"),
        *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "PostgreSQL", "Unlicense", "Zlib"),
    }
)
# Spellings of the free-text License field and of classifiers. Nothing is guessed from parts of words.
_SPELLINGS = {
    "Apache": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "New BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
}
_IN_LICENCE_FILES = {
    re.compile(r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3"): Terms.STRONG,
    re.compile(r"GCC RUNTIME LIBRARY EXCEPTION\s+Version 3\.1"): Terms.LIBRARY,
    re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version [23]"): Terms.STRONG,
    re.compile(r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version"): Terms.LIBRARY,
    re.compile(r"Mozilla Public License Version 2\.0\s+=+"): Terms.FILE,
}
_LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|notice)[^/]*(\.txt|\.md|\.rst)?$")
_NO_TEXT = (".py", ".pyc", ".json", ".h", ".so")
# Shared libraries that a wheel brings in `<name>.libs` or `.dylibs`, by the start of their names.
_BUNDLED = {
    "libreadline": ("GPL-3.0-or-later", Terms.STRONG),
    "libgfortran": ("GPL-3.0 WITH GCC-exception-3.1", Terms.LIBRARY),
    "libgomp": ("GPL-3.0 WITH GCC-exception-3.1", Terms.LIBRARY),
    "libquadmath": ("LGPL-2.1-or-later", Terms.LIBRARY),
    "libkeyutils": ("LGPL-2.1-or-later", Terms.LIBRARY),
    "libav": ("LGPL-2.1-or-later", Terms.LIBRARY),
    "libswresample": ("LGPL-2.1-or-later", Terms.LIBRARY),
    "libswscale": ("LGPL-2.1-or-later", Terms.LIBRARY),
}
_NOT_FFMPEG = "libavif"  # BSD-2-Clause


def terms_of(expression: str) -> Terms:
    """What an SPDX expression asks: the mildest choice of an OR, the strictest part of an AND. Pure."""
    if "(" in expression:
        return Terms.UNKNOWN  # none in use has brackets: a person reads the first that does
    choices = [re.split(r"\s+AND\s+", choice) for choice in re.split(r"\s+OR\s+", expression.strip())]
    return min(max(_terms_of_one(part.strip()) for part in parts) for parts in choices)


def _terms_of_one(licence: str) -> Terms:
    name, _, exception = licence.partition(" WITH ")
    if name in _PERMISSIVE:
        return Terms.PERMISSIVE
    if name.startswith("MPL-2.0"):
        return Terms.FILE
    if name.startswith("LGPL-") or (name.startswith("GPL-") and exception.startswith("GCC-exception")):
        return Terms.LIBRARY
    return Terms.STRONG if name.startswith(("GPL-", "AGPL-")) else Terms.UNKNOWN


def closure(installed: Mapping[str, Distribution], root: str, extras: Iterable[str]) -> set[str]:
    """The names of everything that `root[extras]` requires here, installed or not."""
    seen: dict[str, frozenset[str]] = {}
    waiting = [(canonicalize_name(root), frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        if name in seen and wanted <= seen[name]:
            continue
        seen[name] = seen.get(name, frozenset()) | wanted
        for line in (installed[name].requires or []) if name in installed else []:
            requirement = Requirement(line)
            if _applies(requirement, seen[name]):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return set(seen)


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def findings(distribution: Distribution) -> Iterator[Finding]:
    """Everything in one distribution that is not plainly permissive."""
    name = canonicalize_name(distribution.metadata["Name"])
    for text, where in _declared(distribution):
        if terms := terms_of(_SPELLINGS.get(text, text)):
            yield Finding(name, terms, text, where)
    for file in distribution.files or []:
        if ".libs/" in str(file) or ".dylibs/" in str(file):
            for start, (text, terms) in _BUNDLED.items():
                if file.name.startswith(start) and not file.name.startswith(_NOT_FFMPEG):
                    yield Finding(name, terms, text, f"bundled {file.name}")
        elif _LICENCE_FILE.search(file.name) and not file.name.endswith(_NO_TEXT):
            yield from _in_licence_file(name, file)


def _in_licence_file(name: str, file: PackagePath) -> Iterator[Finding]:
    """Headings of copyleft licences. GCC's runtime exception comes with the GPL's text, which it softens."""
    text = Path(str(file.locate())).read_text(errors="replace")[:_READ_CHARS]
    found = [(match.group(), terms) for heading, terms in _IN_LICENCE_FILES.items() if (match := heading.search(text))]
    softened = any(heading.startswith("GCC") for heading, _ in found)
    for heading, terms in found:
        if not (softened and terms is Terms.STRONG):
            yield Finding(name, terms, " ".join(heading.strip(" =\n").split()), str(file))


def _declared(distribution: Distribution) -> list[tuple[str, str]]:
    """(licence, field) pairs: of the expression, else of every classifier, else of the free text."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return [(metadata["License-Expression"], "License-Expression")]
    classifiers = [line.split(" :: ") for line in metadata.get_all("Classifier") or []]
    licences = [parts[-1] for parts in classifiers if parts[0] == "License" and parts[-1] not in _NO_LICENCE]
    if licences:
        return [(licence, "Classifier") for licence in licences]
    return [(metadata["License"].strip() if "License" in metadata else "nothing", "License")]


_NO_LICENCE = ("OSI Approved", "DFSG approved")  # these classifiers name no licence


def problems(installed: Mapping[str, Distribution], allowed: Mapping[str, Allowed]) -> list[str]:
    """One sentence, with its remedy, for everything that may not stay as it is. Pure but for reading files."""
    everything = closure(installed, ROOT, EXTRAS)
    without = {extra: closure(installed, ROOT, [e for e in EXTRAS if e != extra]) for extra in EXTRAS}
    found = [finding for name in sorted(everything & installed.keys()) for finding in findings(installed[name])]
    lines = [
        f"{name}: required, but not installed. Remedy: install {ROOT}[{','.join(EXTRAS)}]"
        for name in everything - installed.keys() - LEFT_OUT
    ]
    for finding in found:
        decision = next((d for name, d in allowed.items() if fnmatch(finding.distribution, name)), None)
        if decision is not None and any(fnmatch(finding.where, file) for file in decision.not_in_it):
            continue
        what = f"{finding.distribution}: {finding.text} ({finding.where})"
        if decision is None or finding.terms not in decision.terms:
            lines.append(f"{what} is {_MEANING[finding.terms]}. Remedy: {_REMEDY[finding.terms]}")
        elif finding.terms is Terms.STRONG and decision.only_in is None:
            lines.append(f"{what} is copyleft. Remedy: move it to an optional extra, and name that as only_in")
    for name, decision in allowed.items():
        if decision.only_in is not None and (astray := named(without[decision.only_in], name)):
            lines.append(
                f"{astray[0]}: allowed only in [{decision.only_in}], but installed without it. "
                "Remedy: find what requires it"
            )
    return sorted(set(lines))


_MEANING = {
    Terms.PERMISSIVE: "permissive",
    Terms.FILE: "copyleft by file",
    Terms.LIBRARY: "copyleft by library",
    Terms.STRONG: "copyleft for the whole work",
    Terms.UNKNOWN: "not a licence that this check knows",
}
_DECIDE = f"decide, and write the decision with its reason into tools/{ALLOWED.name}"
_REMEDY = {
    Terms.FILE: _DECIDE,
    Terms.LIBRARY: _DECIDE,
    Terms.STRONG: "replace it, or move it to an optional extra that tools/licences.yaml names",
    Terms.UNKNOWN: f"read its licence; then add the spelling to tools/licences.py, or {_DECIDE}",
}


def load_allowed(path: Path = ALLOWED) -> dict[str, Allowed]:
    """The decisions by name, or by a pattern of names. Raises KeyError for an entry that is not one."""
    written = yaml.safe_load(path.read_text())
    return {
        name: Allowed(
            terms=tuple(Terms[terms.upper()] for terms in entry.get("terms", ())),
            reason=entry["reason"],
            only_in=entry.get("only_in"),
            not_in_it=tuple(entry.get("not_in_it", ())),
        )
        for name, entry in written.items()
    }


def all_installed(path: list[str] | None = None) -> dict[str, Distribution]:
    """Every installed distribution by canonical name; `path` as in sys.path."""
    found = distributions(path=path if path is not None else sys.path)
    return {canonicalize_name(distribution.metadata["Name"]): distribution for distribution in found}


def main() -> None:
    installed = all_installed()
    lines = problems(installed, load_allowed())
    for line in lines:
        print(line)
    if lines:
        raise SystemExit(1)
    print(f"licences: {len(closure(installed, ROOT, EXTRAS))} distributions, every licence allowed")


if __name__ == "__main__":
    main()
