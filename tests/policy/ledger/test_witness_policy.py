"""Witness policy, c2sp.org/tlog-policy: who counts, how many are enough, and what cannot be meant."""

from __future__ import annotations

import re

import pytest

from policy.errors import BrokenLedger
from policy.ledger.evidence import offline_verifier
from policy.ledger.tree.notes import COSIGNATURE, Vkey
from policy.ledger.witnesses.witness_policy import WitnessPolicy
from tests.support.ledger import new_signer

KEYS = {name: Vkey(f"w.example/{name}", bytes([number]) * 32, kind=COSIGNATURE) for number, name in enumerate("abcd")}
LINES = "".join(f"witness {name} {key}\n" for name, key in KEYS.items())


@pytest.mark.parametrize(
    ("groups", "enough", "short"),
    [
        ("quorum none\n", [""], []),
        ("quorum a\n", ["a", "ab"], ["", "b", "bcd"]),
        ("group g 2 a b c\nquorum g\n", ["ab", "bc", "abc"], ["", "a", "d", "ad"]),
        ("group g any a b\ngroup h all c d\ngroup both all g h\nquorum both\n", ["acd", "bcd"], ["cd", "ab", "abc"]),
    ],
)
def test_a_quorum_is_what_the_policy_says(groups, enough, short):
    policy = WitnessPolicy.parse(f"# a comment\n\n{LINES}{groups}")
    assert [names for names in [*enough, *short] if policy.satisfied_by(set(names))] == enough
    offline = offline_verifier._Policy(policy.text)
    assert [names for names in [*enough, *short] if offline.met_by(names)] == enough


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LINES, "no line 'quorum NAME'"),
        (f"{LINES}quorum e\n", "line 5: the quorum 'e'"),
        (f"{LINES}quorum a\nquorum b\n", "line 6: a second quorum"),
        (f"{LINES}group g 3 a b\nquorum g\n", "3 of 2 members"),
        (f"{LINES}group g 0 a b\nquorum g\n", "0 of 2 members"),
        (f"{LINES}group g x a b\nquorum g\n", "line 5: "),
        (f"{LINES}group g all e\nquorum g\n", "'e' is no witness"),
        (f"{LINES}group g all a a\nquorum g\n", "member of two groups"),
        (f"{LINES}group a all b\nquorum a\n", "the name 'a' is taken"),
        (f"{LINES}witness e {KEYS['a']}\nquorum e\n", "is listed twice"),
        pytest.param(
            f"witness a {new_signer().vkey}\nquorum a\n", "of the Ed25519 key of a witness", id="the key of a log"
        ),
        ("witness a nonsense\nquorum a\n", "line 1: not a public key line"),
        ("hello\n", "no line of c2sp.org/tlog-policy"),
        ("#\n" * 300, "301 lines"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_with_its_line(text, said):
    with pytest.raises(BrokenLedger, match=re.escape(said)):
        WitnessPolicy.parse(text)
