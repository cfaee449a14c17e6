"""Google Merchant feeds: each `item` of an RSS feed, or `entry` of an Atom feed, becomes one row.

A column is named as the tag without its namespace: `title`, `image_link`. Tags that repeat make one cell, with commas.
The parser refuses document types and entities, so nothing is fetched and nothing multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from workers.sheets.errors import SheetInvalid
from workers.sheets.names import clean_name

MAX_DEPTH = 20
MAX_TAGS = 2000  # of one item
_RECORDS = frozenset({"item", "entry"})
_FEED = "A feed of Google Merchant is RSS with items, or Atom with entries."


def feed_items(file: BinaryIO) -> Iterator[tuple[int, dict[str, str]]]:
    """(number of the item, cells by column). Raises SheetInvalid for XML that is broken, or not a feed."""
    file.seek(0)
    number = tags = 0
    outer: list[Element] = []
    record: Element | None = None
    try:
        events = iterparse(file, events=("start", "end"), forbid_dtd=True)
        for event, element in cast(Iterator[tuple[str, Element]], events):
            if event == "start":
                if record is None and _local(element) in _RECORDS:
                    record, tags = element, 0
                outer.append(element)
                tags += 1
                if len(outer) > MAX_DEPTH or (record is not None and tags > MAX_TAGS):
                    message = (
                        f"an item has more than {MAX_TAGS:,} tags, or the XML is nested more than {MAX_DEPTH} deep"
                    )
                    raise SheetInvalid("xml", message, _FEED)
                continue
            outer.pop()
            if element is record:
                number += 1
                yield number, _cells(element)
                record = None
            if record is None and outer:  # what was read is dropped, also what stands between the items
                outer[-1].remove(element)
    except ParseError as error:
        line = error.position[0]
        raise SheetInvalid("xml", f"the XML breaks in line {line}: {error}", "Export it again.", line=line) from error
    except DefusedXmlException as error:
        message = "the XML declares a document type or entities, which are not read"
        raise SheetInvalid("xml", message, "Remove the DOCTYPE.") from error
    except (LookupError, ValueError) as error:  # an encoding that it names and nobody knows
        if isinstance(error, SheetInvalid):
            raise
        raise SheetInvalid("xml", f"the XML cannot be read: {error}", "Save it as UTF-8.") from error
    if not number:
        raise SheetInvalid("no_rows", "the XML holds no item and no entry", _FEED)


def _cells(record: Element) -> dict[str, str]:
    """`g:title` wins over the feed's own `title`: the namespace of Google holds the data of the product."""
    found: dict[str, list[str]] = {}
    ours: dict[str, bool] = {}
    for child in record:
        name, google = clean_name(_local(child)), "base.google.com" in child.tag
        text = " ".join("".join(child.itertext()).split()) or str(child.get("href") or "")
        if google and not ours.get(name, True):
            found[name] = []
        elif not google and ours.get(name, False):
            continue
        ours[name] = google
        found.setdefault(name, []).append(text)
    return {name: ", ".join(texts) for name, texts in found.items()}


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
