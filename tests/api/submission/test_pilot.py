"""Sample of a pilot: every stratum is seen, over different rows, and nobody can foretell it."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api.schemas.pilots import PilotBody
from api.submission.checked import CheckedRow, RowOptions
from api.submission.pilot import PilotSample, marked
from api.submission.screening import Screened
from tests.support.line import ALLOW, REFUSE, new_item

COLUMNS = ("country", "kind")


def row(number: int, country: str, variants: int = 1, *, kind: str = "x", refused: bool = False) -> CheckedRow:
    texts = Screened("a car", "", REFUSE if refused else ALLOW, {})
    options: Any = None
    own = RowOptions(options, None, variants)
    return CheckedRow(number, number + 1, f"row-{number}", texts, own, carried=(country, kind))


def sampled(rows: list[CheckedRow], **asked: Any) -> Any:
    sample = PilotSample(PilotBody(**({"stratify_by": ["country"]} | asked)), COLUMNS)
    for one in rows:
        sample.add(one)
    assert not sample.complaints + sample.too_many_strata()
    return sample.plan()


countries = st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(1, 4), st.booleans()), min_size=1, max_size=80)


@settings(deadline=None)
@given(countries, st.integers(5, 30))
def test_every_stratum_gives_its_share_rounded_up(wanted, images):
    rows = [row(n, country, variants, refused=refused) for n, (country, variants, refused) in enumerate(wanted, 1)]
    sizes = Counter(dict.fromkeys((), 0))
    for one in rows:
        if one.texts.verdict == ALLOW:
            sizes[one.carried[0]] += one.own.variants
    plan = sampled(rows, images=images, max_rejected=0)
    made = sum(sizes.values())
    shares = {name: min(size, ceil(images * size / made)) for name, size in sizes.items()}
    if sum(shares.values()) >= made:
        assert plan is None, "nothing would be left to wait"
        return
    of_row = {one.number: one for one in rows}
    assert Counter(of_row[number].carried[0] for number, _ in plan.sampled) == shares
    assert all(0 <= variant < of_row[number].own.variants for number, variant in plan.sampled)
    assert not any(of_row[number].texts.verdict == REFUSE for number, _ in plan.sampled)
    assert images <= plan.pilot.sampled == len(plan.sampled) < images + len(sizes)


def test_different_rows_are_looked_at_before_a_second_variant_of_one():
    rows = [row(n, "A", variants=4) for n in range(1, 41)]
    assert len({number for number, _ in sampled(rows, images=40, max_rejected=0).sampled}) == 40
    second = Counter(number for number, _ in sampled(rows, images=60, max_rejected=0).sampled)
    assert sorted(second.values()) == [1] * 20 + [2] * 20


def test_the_sample_differs_from_time_to_time():
    rows = [row(n, "A") for n in range(1, 1001)]
    assert sampled(rows).sampled != sampled(rows).sampled


def test_more_strata_than_images_and_unknown_columns_are_complained_of():
    sample = PilotSample(PilotBody(images=3, stratify_by=["country", "kind"]), COLUMNS)
    for n in range(1, 2001):
        sample.add(row(n, "A", kind=str(n)))
    assert [one.code for one in sample.too_many_strata()] == ["pilot_strata"]
    (unknown,) = PilotSample(PilotBody(stratify_by=["contry"]), COLUMNS).complaints
    assert (unknown.code, unknown.field) == ("unknown_column", "pilot.stratify_by")
    assert "Did you mean 'country'?" in unknown.message


def test_items_of_the_sample_are_marked():
    items = [new_item(1), new_item(1, variant=1), new_item(2)]
    assert [one.sample for one in marked(items, {(1, 1), (2, 0)})] == [False, True, True]
