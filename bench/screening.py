"""Screening benchmark: prompts a second, pictures a second by stage, each beside the obvious way to do it.

    python -m bench.screening [--quick]

Takes about three minutes; --quick: fewer prompts, pictures of one size, no writing read. CPU time of one core, so that
a busy machine does not change the figures.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.result import Ratio, parser, report
from policy.images.blank import Blank
from policy.images.hash_list import HashList
from policy.images.nsfw import MID_CARD, Nsfw
from policy.images.ocr import RapidReader
from policy.images.screen import ImageScreen
from policy.prompts.meaning.screen import MeaningScreen
from policy.prompts.screen import screen_prompt
from policy.rulebook.classifiers import Bundled
from policy.rulebook.prompts import PromptRule
from policy.rulebook.scope import Context
from policy.rules import Rules
from tests.policy.images.nsfw_reference.pictures import starter_tiles
from tests.support.prompt_cases import IN_SAMPLE

RULES = Path(__file__).parent.parent / "policy" / "rulesets" / "default.yaml"
FULL, QUICK = 2_000, 200  # rows of the catalogue
SIDES = (128, 512, 1024)
LISTED = 10_000
CATALOGUE = (
    "Studio photograph of a {} on a marble table, soft morning light, shallow depth of field, gun-metal grey"
    " background, 50mm lens, catalogue style, variant {}"
)
THINGS = ("ceramic mug", "leather backpack", "wool jumper", "running shoe", "wrist watch", "table lamp", "silk scarf")


def main() -> None:
    asked = parser(__doc__).parse_args()
    rules = Rules.load(RULES)
    ratios = [*prompts(rules, QUICK if asked.quick else FULL), *meanings(rules)]
    ratios += pictures(rules, SIDES[1:2] if asked.quick else SIDES, quick=asked.quick)
    report(ratios, asked.json)


def prompts(rules: Rules, count: int) -> list[Ratio]:
    """Ours, against a search for every phrase on its own: only in plain text, without any disguise seen through."""
    naive = [_pattern(rule) for rule in rules.prompt_rules if rule.terms]
    phrases = sum(len(term.phrases) for rule in rules.prompt_rules for term in rule.terms)
    print(f"prompts, {phrases:,} phrases in {len(naive)} rules", flush=True)
    rows = [CATALOGUE.format(THINGS[row % len(THINGS)], row) for row in range(count)]
    innocent = [case.text for case in IN_SAMPLE.innocent] * 8
    ratios = []
    for name, texts in (("catalogue rows", rows), ("innocent prompts of the tests", innocent)):
        some = texts[:: max(1, len(texts) // 50)]
        ours = _seconds(partial(_each, partial(screen_prompt, rules, tenant="bench"), texts))
        plain = _seconds(partial(_each, lambda text: [p.search(text.lower()) for p in naive], some), times=1)
        each, plain_each = ours / len(texts), plain / len(some)
        print(
            f"  {name:30} {1 / each:8,.0f}/s {each * 1e6:8,.0f} us each   naive regex {plain_each / each:6.1f}x slower"
        )
        ratios.append(Ratio(f"a search for every phrase over the screen: {name}", plain_each / each))
    return ratios


def meanings(rules: Rules) -> list[Ratio]:
    """Cost of the scorers: a batch together, as the worker asks them, against one prompt after the other."""
    screen = MeaningScreen.load(rules)
    asked = [(CATALOGUE.format(THINGS[row % len(THINGS)], row), Context("bench")) for row in range(32)]
    together = _seconds(partial(screen.screen, asked), times=3) / len(asked)
    alone = _seconds(partial(_each, lambda one: screen.screen([one]), asked), times=3) / len(asked)
    print(f"meaning, {len(rules.meaning.rules)} rules", flush=True)
    print(f"  batches of {len(asked)}: {together * 1e3:6.1f} ms a prompt   one by one {alone / together:4.1f}x slower")
    return [Ratio("prompts scored one by one over a batch of 32", alone / together)]


def _pattern(rule: PromptRule) -> re.Pattern[str]:
    phrases = (" ".join(phrase) for term in rule.terms for phrase in term.phrases)
    return re.compile(r"\b(?:" + "|".join(re.escape(p).replace(r"\*", r"\w*") for p in phrases) + r")\b")


def pictures(rules: Rules, sides: Sequence[int], *, quick: bool) -> list[Ratio]:
    """By stage and size, in batches of 8 and one at a time. The ratios stand beside the network alone."""
    stages = _stages(rules)
    if quick:
        stages = {name: act for name, act in stages.items() if "writing" not in name}
    for side in sides:
        repeat = -(-side // 128)
        batch = np.tile(starter_tiles()[:8], (1, repeat, repeat, 1))[:, :side, :side]
        print(f"pictures of {side} x {side}, one thread{'batches of 8':>30}{'one at a time':>24}", flush=True)
        took = {}
        for name, act in stages.items():
            times = 1 if "writing" in name else 2 if quick else 5
            together = _seconds(partial(act, batch), times=times) / len(batch)
            alone = _seconds(partial(_each, act, batch[:, None]), times=times) / len(batch)
            took[name] = together
            figures = [f"{1 / each:9,.1f}/s {each * 1e3:8.2f} ms" for each in (together, alone)]
            print(f"  {name:34} {'  '.join(figures)}   batching {alone / together:.2f}x", flush=True)
    network = took["nsfw: resize and network"]
    beside = ("blank", f"hash list of {LISTED:,}, 8 turns", "the screen as shipped")
    return [Ratio(f"the first network over {name}, {sides[-1]} x {sides[-1]}", network / took[name]) for name in beside]


def _stages(rules: Rules) -> dict[str, Callable[[np.ndarray], object]]:
    first, second, screen = Nsfw.load(), Nsfw.load(MID_CARD), ImageScreen.load(rules)
    random = np.random.default_rng(1)
    listed = HashList("listed", "", {"some": random.integers(0, 256, (LISTED, 32), np.uint8)})
    reader = RapidReader.load()
    everything = replace(rules, bundled=Bundled(RULES.parent, (), frozenset({"brands"})))
    whole = ImageScreen(everything, [Blank(), first, second, listed], reader, seconds=3600)
    return {
        "blank": Blank().scores,
        "nsfw: resize": partial(_each, first.fitted),
        "nsfw: resize and network": first.scores,
        "nsfw-mid: resize and network": second.scores,
        f"hash list of {LISTED:,}, 8 turns": listed.scores,
        "writing: find and read": reader.read,
        "the screen as shipped": screen.screen,
        "the screen with list and writing": whole.screen,
    }


def _each(act: Callable[[Any], object], things: Iterable[Any]) -> None:
    for thing in things:
        act(thing)


def _seconds(act: Callable[[], object], *, times: int = 5) -> float:
    """CPU seconds of the quickest of some runs: other work on the machine is not in them."""
    act()
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best


if __name__ == "__main__":
    main()
