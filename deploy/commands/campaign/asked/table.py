"""Options that say how the file of a campaign is read: its key, which rows are taken, what is cleaned."""

from __future__ import annotations

from typing import Any

import click

TABLE_OPTIONS: tuple[Any, ...] = (
    click.option(
        "--key",
        "key",
        multiple=True,
        metavar="COLUMN",
        help="Column that identifies a row. Repeatable: several together.",
    ),
    click.option(
        "--where",
        multiple=True,
        metavar="CONDITION",
        help='Rows to take: "Size" (filled), "!Size" (empty), "Status=active|draft", "Status!=draft". Repeatable.',
    ),
    click.option(
        "--fill-down",
        multiple=True,
        metavar="COLUMN",
        help="Column whose empty cells take the value above. Repeatable.",
    ),
    click.option(
        "--group", metavar="COLUMN", help="Column that is the same for the rows of one product, for --fill-down."
    ),
    click.option(
        "--clean",
        multiple=True,
        metavar="COLUMN=FILTERS",
        help='Filters of a column: html, entities, trim, lower, words:N, tokens:N, such as "Body (HTML)=html,words:20".'
        " Repeatable.",
    ),
    click.option(
        "--ignore-column",
        "ignore_columns",
        multiple=True,
        metavar="COLUMN",
        help="Column that is about the product, though it is named as an option. Repeatable.",
    ),
    click.option(
        "--delimiter", metavar="CHARACTER", show_default="found", help="Character between the cells of a CSV file."
    ),
    click.option(
        "--encoding", metavar="NAME", show_default="found", help="Encoding of a CSV file, such as windows-1252."
    ),
    click.option("--sheet", metavar="NAME", show_default="the first with a value", help="Sheet of a workbook."),
    click.option(
        "--accept", multiple=True, type=click.Choice(["error_value"]), help="Take words such as None as they are."
    ),
)


def table_fields(said: dict[str, Any]) -> None:
    """Turns what click gives into fields of the spec, in place. Raises BadParameter."""
    for name in ("key", "where", "fill_down", "ignore_columns", "accept"):
        said[name] = [*said[name]]
    said["clean"] = dict(map(_cleaning, said["clean"])) or None
    if said["delimiter"] in ("tab", "\\t"):
        said["delimiter"] = "\t"


def _cleaning(text: str) -> tuple[str, list[str]]:
    column, sign, filters = text.rpartition("=")
    if not sign or not column.strip() or not filters.strip():
        raise click.BadParameter(f"{text!r} is not COLUMN=FILTERS", param_hint="--clean")
    return column.strip(), [one.strip() for one in filters.split(",")]
