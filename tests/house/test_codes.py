"""Codes of errors and warnings: docs/api.md lists each that the code makes, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from api.submission.notices import SAID
from tests.support.repository import modules, nodes, text


def test_the_api_page_lists_every_complaint_code() -> None:
    written = [
        call.args[place]
        for path in modules("api", "workers")
        for call, place in _complaining(path)
        if len(call.args) > place
    ]
    table = [
        value.elts[0]
        for d in nodes("api/edge/validation.py", ast.Dict)
        for value in d.values
        if isinstance(value, ast.Tuple)
    ]
    codes = {node.value for node in (*written, *table) if isinstance(node, ast.Constant)}
    listed = {code for row in _cells("docs/api.md", "Complaints") for code in re.findall(r"`(\w+)`", row[0])}
    assert listed == codes


def _complaining(path: str) -> Iterator[tuple[ast.Call, int]]:
    """Calls that make a complaint, and where among their arguments the code stands."""
    for call in nodes(path, ast.Call):
        if isinstance(call.func, ast.Name):
            if call.func.id in ("Complaint", "SheetInvalid", "CellInvalid", "PictureUnusable", "_refusal"):
                yield call, 0
            elif call.func.id == "complaint_of":
                yield call, 1


def test_the_api_page_lists_every_warning_code() -> None:
    made = {
        word.value.value
        for path in modules("api/submission")
        for call in nodes(path, ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "WarningReply"
        for word in call.keywords
        if word.arg == "code" and isinstance(word.value, ast.Constant)
    }
    made |= {
        call.args[0].value
        for path in modules("api/submission", "workers/sheets")
        for call in nodes(path, ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id in ("Note", "_warning")
        if isinstance(call.args[0], ast.Constant)
    }
    made |= {code.removesuffix("_kept") for code in SAID}
    listed = {code for row in _cells("docs/api.md", "Warnings") for code in re.findall(r"`(\w+)`", row[0])}
    assert listed == made


def _cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = re.split(rf"^#+ {heading}$", text(page), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\| (.*) \|$", re.split(r"^#", section, flags=re.MULTILINE)[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[2:]]
