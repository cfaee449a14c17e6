"""Checked row: what is spooled between the two passes reads back as the same items."""

from __future__ import annotations

from dataclasses import replace

from api.submission.checked import CheckedRow, RowOptions
from api.submission.recipes import SamplingOptions
from api.submission.screening import Screened
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.line import POLICY, RECIPE
from workers.recipes import seed_for
from workers.states import Priority

FINDING = Finding(Decision.ALLOW, Stage.PROMPT, "brands", "server-brand", 1.0, "kettle -> jug")
TEXTS = Screened(
    "a jug\n\u202e \U0001fad6", "rust", Verdict(POLICY, (FINDING,), {"prompt": 0.5}), {"prompt": "a kettle"}
)
OPTIONS = SamplingOptions(64, 72, 4, 1.5, "DDIMScheduler", 2, (("ink", 0.8),))
ROW = CheckedRow(7, 9, "row-7", TEXTS, RowOptions(OPTIONS, 11, 3, "rust", "other", Priority.BULK), {"object": "x"})


def test_a_spooled_row_reads_back_without_its_sources():
    """Nothing is blamed in the second pass; everything an item is made of is there."""
    line = ROW.to_line()
    assert line.index(b"\n") == len(line) - 1, "one row is one line, whatever its texts hold"
    assert CheckedRow.from_line(line) == replace(ROW, sources={})


def test_a_row_that_nothing_was_found_in_reads_back_with_its_policy():
    plain = replace(ROW, texts=Screened("a jug", "", Verdict(POLICY), {}), own=RowOptions(OPTIONS, None, 1), sources={})
    assert CheckedRow.from_line(plain.to_line()) == plain


def test_variants_count_up_from_a_given_seed_and_derive_one_otherwise():
    assert [item.seed for item in ROW.items("request", RECIPE)] == [11, 12, 13]
    derived = replace(ROW, own=RowOptions(OPTIONS, None, 2)).items("request", RECIPE)
    assert [item.seed for item in derived] == [seed_for("request", "row-7", variant) for variant in (0, 1)]


def test_an_item_keeps_what_was_sent_beside_what_is_sampled():
    item, *_ = ROW.items("request", RECIPE, "other-queue")
    assert (item.queue, item.priority) == ("other-queue", Priority.BULK)
    assert (item.row, item.custom_id, item.variant) == (7, "row-7", 0)
    assert (item.prompt, item.sent, ROW.sent_prompt) == (TEXTS.prompt, {"prompt": "a kettle"}, "a kettle")
    assert item.verdict is TEXTS.verdict
