"""Weights in prompts: what each bracket means, and what is refused by its character."""

from __future__ import annotations

import pytest

from policy.prompts.weights import MOST_DEPTH, WeightsInvalid, plain_text, read_weights


def weighed(text: str) -> list[tuple[str, float]]:
    read = read_weights(text)
    ends = [*(piece.first for piece in read.pieces), len(read.plain)][1:]
    found: list[tuple[str, float]] = []
    for piece, end in zip(read.pieces, ends, strict=True):
        words = read.plain[piece.first : end]
        if found and found[-1][1] == piece.weight:  # a colon or an escaped bracket begins a piece of its own
            words = found.pop()[0] + words
        found.append((words, piece.weight))
    return found


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("a red car", [("a red car", 1)]),
        ("an (important) word", [("an ", 1), ("important", 1.1), (" word", 1)]),
        ("((word))", [("word", 1.21)]),
        ("[word]", [("word", 0.909091)]),
        ("a coffee break, BREAKFAST", [("a coffee break, BREAKFAST", 1)]),
        ("([word])", [("word", 1)]),
        ("a (red:1.3) car", [("a ", 1), ("red", 1.3), (" car", 1)]),
        ("(a (red:1.5) car:0.5)", [("a ", 0.5), ("red", 0.75), (" car", 0.5)]),
        ("(a [b]:1.1)", [("a ", 1.1), ("b", 1)]),
        (r"a \(word\) and \[one\]", [("a (word) and [one]", 1)]),
        (r"(\(:1.2)", [("(", 1.2)]),
        (r"back\slash \\", ["back\\slash \\"]),
        ("ratio 16:9, a:b", [("ratio 16:9, a:b", 1)]),
        ("(ratio: wide)", [("ratio: wide", 1.1)]),
        ("(word : 1.2 ) b", [("word ", 1.2), (" b", 1)]),
        ("(word:0) b", [("word", 0), (" b", 1)]),
        ("a (:1.2) b", [("a  b", 1)]),
        ("\u00fcber (\u9752\u3044:.5)", [("\u00fcber ", 1), ("\u9752\u3044", 0.5)]),
        ("(a\nb:1.2)", [("a\nb", 1.2)]),
    ],
)
def test_brackets_weigh_as_in_automatic1111(text: str, pieces: list) -> None:
    assert weighed(text) == [(piece, 1) if isinstance(piece, str) else piece for piece in pieces]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(" * 1000, f"character {MOST_DEPTH + 1}: more than {MOST_DEPTH} brackets are open"),
        ("[[[", "character 3: '[' is never closed"),
        ("a (red:1.2) car BREAK a street", "character 17: BREAK begins another window, and a prompt has one here"),
        ("a (b", "character 3: '(' is never closed"),
        ("a ) b", "character 3: ')' closes nothing"),
        ("a (b]", "character 5: ']' closes '(' at character 3"),
        ("(a:1e9)", "character 3: 1e9 is no weight from 0 to 2"),
        ("(a:nan)", "character 3: nan is no weight from 0 to 2"),
        ("(a:-inf)", "character 3: -inf is no weight from 0 to 2"),
        ("(a:-1)", "character 3: -1 is no weight from 0 to 2"),
        ("(a:2.01)", "character 3: 2.01 is no weight from 0 to 2"),
        ("(a:1.2.3)", "character 3: 1.2.3 is no weight from 0 to 2"),
        ("Car (1:64)", "character 7: 64 is no weight from 0 to 2"),
        (f"(a:{'9' * 5000})", f"character 3: {'9' * 20} is no weight from 0 to 2"),
        ("((((((((a))))))))", "character 9: the brackets together weigh 2.14, above 2"),
        ("((a:2):1.5)", "character 3: the brackets together weigh 3.00, above 2"),
        ("[red:blue:0.5] car", "character 1: a prompt that changes while it is drawn, which is not read here"),
        ("a [cat|dog]", "character 3: a prompt that changes while it is drawn, which is not read here"),
        ("(:1.2)", "there are brackets and no words"),
        ("[]()", "there are brackets and no words"),
    ],
)
def test_what_cannot_be_read_names_its_character_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(WeightsInvalid) as refused:
        read_weights(text)
    assert str(refused.value) == said
    assert refused.value.remedy


@pytest.mark.parametrize("signs", ["(a)", "[a]", "a:", ": ", ":1", r"\(", "\\", "[[[[[[[(((((((a)))))))]]]]]]]"])
def test_long_texts_are_read_in_pieces_that_grow_with_their_length(signs: str) -> None:
    assert len(read_weights("a" + signs * 2000).pieces) <= 1 + len(signs) * 2000
    assert plain_text(signs * 2, "weights") * 1000 == plain_text(signs * 2000, "weights")


@pytest.mark.parametrize("signs", ["([", ":1.1)", ")", "(a]", ":" + " " * 50 + "(", "[a:"])
def test_long_hostile_texts_are_refused_at_once(signs: str) -> None:
    with pytest.raises(WeightsInvalid):
        read_weights("a" + signs * 20000)


def test_a_place_in_the_words_is_found_in_the_text_that_was_sent() -> None:
    text = r"a (red:1.3) \(new\) car"
    read = read_weights(text)
    for word in ("a", "red", "new", "car"):
        assert read.sent_at(read.plain.index(word)) == text.index(word)


def test_without_a_syntax_a_text_is_its_own_words() -> None:
    assert plain_text("a (b", "") == "a (b"
    assert plain_text("a (b)", "weights") == "a b"
