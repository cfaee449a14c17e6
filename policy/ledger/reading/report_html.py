"""HTML of a report, as one file: no script, no address outside, and a page layout for printing."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from policy.ledger.reading.report import Report, Section

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem; break-after: avoid }
p { margin: .3rem 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-size: 12.5px; margin-top: .5rem }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #ccc; padding: .25rem .5rem .25rem 0;
         overflow-wrap: anywhere }
th { border-bottom: 2px solid #555 } thead { display: table-header-group } tr { break-inside: avoid }
.made { color: #555 }
@page { margin: 18mm } @media print { body { margin: 0; max-width: none; font-size: 10.5pt } }
"""


def as_html(report: Report) -> bytes:
    """UTF-8. Everything from the ledger is escaped."""
    return "\n".join(_document(report)).encode()


def _document(report: Report) -> Iterator[str]:
    title = escape(report.title)
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>'
    yield f'<h1>{title}</h1><p class="made">Written {report.made_at:%Y-%m-%d %H:%M:%S} UTC</p>'
    for section in report.sections:
        yield from _section(section)
    yield "</body></html>"


def _section(section: Section) -> Iterator[str]:
    yield f"<section><h2>{escape(section.heading)}</h2>"
    yield from (f"<p>{escape(sentence)}</p>" for sentence in section.sentences)
    if section.columns:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.columns)
        yield f"<table><thead><tr>{head}</tr></thead><tbody>"
        for row in section.rows:
            yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        yield "</tbody></table>"
    elif not section.sentences:
        yield "<p>None.</p>"
    yield "</section>"
