"""Personal data in prompts: what is found where, what only looks like it, and that nothing of it is told on."""

# ruff: noqa: RUF001  (full-width letters are what is tested)
from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.prompts.personal import find_personal
from policy.prompts.rewrite import prepare
from policy.prompts.screen import screen_prompt
from policy.rulebook.prompts import Personal
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision
from tests.support.rule_files import DEFAULT_RULES, written

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("email", "jane.doe+x@mail.example.co.uk"),
        ("email", "JANE@EXAMPLE.ORG"),
        ("email", "jane (at) example (dot) org"),
        ("email", "ｊａｎｅ＠ｅｘａｍｐｌｅ．ｏｒｇ"),
        ("email", "ja\u200bne@example.org"),
        ("phone", "+49 30 901820"),
        ("phone", "+1 212-555-0187"),
        ("phone", "(212) 555-0187"),
        ("phone", "020 7946 0958"),
        ("phone", "01 42 68 53 00"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "gb82west12345698765432"),
        ("iban", "NO93 8601 1117 947"),
        ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
        ("payment-card", "4111 1111 1111 1111"),
        ("payment-card", "5555-5555-5555-4444"),
        ("payment-card", "378282246310005"),
        ("payment-card", "6011 1111 1111 1117"),
        ("payment-card", "3530111333300000"),
        ("national-id", "219-09-9999"),
        ("national-id", "AB 12 34 56 C"),
        ("national-id", "529.982.247-25"),
        ("national-id", "12345678Z"),
        ("national-id", "X1234567L"),
        ("national-id", "RSSMRA85T10A562S"),
        ("national-id", "2 55 08 14 168 025 38"),
        ("national-id", "811228-9874"),
        ("street-address", "221B Baker Street"),
        ("street-address", "12 rue de Rivoli"),
        ("street-address", "Lindenallee 77"),
    ],
)
def test_it_is_found_where_it_stands(kind: str, data: str) -> None:
    text = f"a mug, print: {data}, on oak"
    (span,) = find_personal(text, [Personal(kind)], REGIONS)
    assert (span.kind, text[span.first : span.end]) == (kind, data)


@pytest.mark.parametrize(
    "text",
    [
        "meet at noon @ the bar, f/1.8, 50mm",
        "@handle and #tag, me@home",
        "DE89 3704 0044 0532 0130 01",  # check digits
        "DE89 3704 0044 0532 0130",  # length
        "XX89 3704 0044 0532 0130 00",  # country
        "4111 1111 1111 1112",  # Luhn
        "1234 5678 9012 3456",  # no issuer
        "ISBN 978-3-16-148410-0, EAN 4006381333931",
        "000-12-3456 and 666-12-3456",
        "529.982.247-26",
        "12345678A",
        "RSSMRA85T10A562T",
        "811328-9874",  # no such month
        "SKU 2125550187 and 30901820",  # digits without grouping
        "1920x1080, 300 dpi, 24.12.2026, 18:30, 12.5 x 30 cm",
        "order 4711-0815, 50% off 19.99, 1Z 999 AA1 01 2345 6784",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert list(find_personal(text, set(Personal) - {Personal.STREET_ADDRESS}, REGIONS)) == []


def test_what_is_two_things_at_once_is_told_once() -> None:
    spans = list(find_personal("DE89 3704 0044 0532 0130 00 and jane@example.org", list(Personal), REGIONS))
    assert [span.kind for span in spans] == ["iban", "email"]


def test_a_finding_names_kind_and_place_and_never_the_data() -> None:
    rules = Rules.load(DEFAULT_RULES)
    text = "mail jane.doe@example.org or call +49 30 901820"
    (finding,) = screen_prompt(rules, text, tenant="acme").findings
    assert (finding.decision, finding.rule) == (Decision.HOLD, "personal/contact")
    assert finding.detail == "prompt holds personal data: email at characters 6 to 25, phone at characters 35 to 47"


def test_many_places_are_counted_and_not_listed() -> None:
    rules = Rules.load(DEFAULT_RULES)
    text = " ".join(f"a{number}@example.org" for number in range(9))
    (finding,) = screen_prompt(rules, text, tenant="acme").findings
    assert finding.detail.endswith("and 4 more")


def test_a_rule_may_take_it_out_of_the_prompt_instead(tmp_path: Path) -> None:
    redact = {
        "id": "sexual/redact",
        "decision": "rewrite",
        "personal": ["email", "payment-card"],
        "with": "[removed]",
    }
    rules = Rules.load(written(tmp_path, rule=redact))
    prepared = prepare(rules, "card 4111 1111 1111 1111 of jane@example.org!", Context("acme"))
    assert prepared.text == "card [removed] of [removed]!"
    assert prepared.verdict.allowed
    assert "4111" not in str(prepared.verdict)
    assert prepare(rules, prepared.text, Context("acme")).verdict.findings == ()


def test_a_tenant_may_have_its_own_contact_data_in_its_prompts(tmp_path: Path) -> None:
    rule = {"id": "sexual/contact", "decision": "hold", "personal": ["email"]}
    ours = {"tenant": "acme", "rules": ["sexual/contact"], "reason": "our address"}
    rules = Rules.load(written(tmp_path, rule=rule, exceptions=[ours]))
    assert screen_prompt(rules, "jane@example.org", tenant="acme").allowed
    assert not screen_prompt(rules, "jane@example.org", tenant="globex").allowed


@given(text=st.text(alphabet="0123456789 +-.@aZd()İﬁ\u200b", max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_whatever_is_searched_and_spans_lie_within_it(text: str) -> None:
    spans = list(find_personal(text, list(Personal), REGIONS))
    assert all(0 <= span.first < span.end <= len(text) for span in spans)
    assert all(one.end <= other.first for one, other in pairwise(spans))
