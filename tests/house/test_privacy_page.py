"""Privacy page against the code: every class with its period and reason, and every private field of every event."""

from __future__ import annotations

import re
from dataclasses import fields

from policy import events
from tests.support.repository import text
from workers.jobs.privacy.retention import CLASSES
from workers.settings import Settings

# Every field whose text lies beside the ledger, and the class that it goes with; None: it stays, the page says why.
# Whoever adds a field decides here, and writes the page's inventory.
FIELDS = {
    "prompt": "prompt",
    "negative_prompt": "prompt",
    "sent_prompt": "prompt",
    "sent_negative_prompt": "prompt",
    "name": "template",
    "template": "template",
    "comment": "comment",
    "reason": "comment",
    "person": None,
    "url": None,
}


def rows(heading: str) -> list[list[str]]:
    section = text("docs/privacy.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]


def test_the_page_has_every_class_with_its_period_and_its_reason():
    described = [
        [f"`{known.name}`", str(Settings.model_fields[known.setting].default), known.since, known.why]
        for known in CLASSES
    ]
    assert rows("Retention by class") == described


def test_every_private_field_has_a_class_or_stays_for_a_reason():
    private = {
        field.name
        for thing in vars(events).values()
        if isinstance(thing, type) and issubclass(thing, events.Event)
        for field in fields(thing)
        if "Private" in str(field.type)
    }
    assert private == set(FIELDS)
    assert {known for known in FIELDS.values() if known} <= {known.name for known in CLASSES}


def test_the_inventory_names_every_class():
    named = {cell for row in rows("What personal data lies where") for cell in re.findall(r"`(\w+)`", row[2])}
    assert named == {known.name for known in CLASSES}
