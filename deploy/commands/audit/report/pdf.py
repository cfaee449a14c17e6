"""Report as PDF (ReportLab): numbered pages of A4. Letters outside Latin-1 need a font; without one they are `?`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import escape
from typing import Any

from policy.errors import ExportUnavailable
from policy.ledger.reading.report import Report, Section

# Fonts with many scripts, where a system has one. The PDF's own fonts know Latin-1 only.
_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
)
_PADDING = 6.0  # points that ReportLab leaves on each side of a page's text


def as_pdf(report: Report) -> bytes:
    """Raises ExportUnavailable where ReportLab is not installed."""
    try:
        from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - the other commands need no PDF
    except ImportError as missing:
        raise ExportUnavailable(
            "a PDF needs ReportLab. Remedy: pip install 'presswork[report]', or write .html"
        ) from missing
    from reportlab.lib.units import mm  # noqa: PLC0415
    from reportlab.platypus import SimpleDocTemplate  # noqa: PLC0415

    written = io.BytesIO()
    pages = SimpleDocTemplate(
        written, pagesize=A4, title=report.title, author="Presswork", leftMargin=18 * mm, rightMargin=18 * mm,
        topMargin=18 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    font = _font()
    pages.build(
        list(_flow(report, font, pages.width - 2 * _PADDING)), onFirstPage=_numbered(font), onLaterPages=_numbered(font)
    )
    return written.getvalue()


def _font() -> str:
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFError, TTFont  # noqa: PLC0415

    for path in _FONTS:
        try:
            pdfmetrics.registerFont(TTFont("text", path))
        except (OSError, TTFError):
            continue
        return "text"
    return "Helvetica"


def _flow(report: Report, font: str, width: float) -> Iterator[Any]:
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415
    from reportlab.platypus import Paragraph, Spacer  # noqa: PLC0415

    plain = ParagraphStyle("plain", fontName=font, fontSize=9, leading=12, splitLongWords=True)
    heading = ParagraphStyle("heading", parent=plain, fontSize=12, leading=16, spaceBefore=12, keepWithNext=True)
    title = ParagraphStyle("title", parent=plain, fontSize=15, leading=20, spaceAfter=4)
    cell = ParagraphStyle("cell", parent=plain, fontSize=7, leading=8.5, wordWrap="CJK")

    def said(words: str, style: ParagraphStyle) -> Paragraph:
        legible = words if font == "text" else words.encode("latin-1", "replace").decode("latin-1")
        return Paragraph(escape(legible), style)

    yield said(report.title, title)
    yield said(f"Written {report.made_at:%Y-%m-%d %H:%M:%S} UTC", plain)
    for section in report.sections:
        yield said(section.heading, heading)
        yield from (said(sentence, plain) for sentence in section.sentences)
        if section.columns:
            yield Spacer(1, 4)
            yield _table(section, lambda words: said(words, cell), width)
        elif not section.sentences:
            yield said("None.", plain)


def _table(section: Section, cell: Any, width: float) -> Any:
    from reportlab.lib import colors  # noqa: PLC0415
    from reportlab.platypus import Table, TableStyle  # noqa: PLC0415

    rows = [[cell(name) for name in section.columns], *([cell(one) for one in row] for row in section.rows)]
    lengths = [
        max(11, min(40, max(len(name), *(len(row[at]) for row in section.rows))))
        for at, name in enumerate(section.columns)
    ]
    widths = [width * length / sum(lengths) for length in lengths]
    lines = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ]
    return Table(rows, colWidths=widths, repeatRows=1, hAlign="LEFT", style=TableStyle(lines))


def _numbered(font: str) -> Any:
    def number(canvas: Any, pages: Any) -> None:
        canvas.setFont(font, 8)
        canvas.drawRightString(pages.pagesize[0] - pages.rightMargin, pages.bottomMargin / 2, f"page {pages.page}")

    return number
