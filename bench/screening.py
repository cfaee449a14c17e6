"""What screening costs: prompts a second, pictures a second by stage, each beside the obvious way to do it.

    python -m bench.screening

Takes about a minute. CPU time of one core, so that a busy machine does not change the figures.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from policy.images.blank import Blank
from policy.images.nsfw import Nsfw
from policy.images.screen import ImageScreen
from policy.prompts.screen import screen_prompt
from policy.rulebook.prompts import PromptRule
from policy.rules import Rules
from tests.nsfw_reference.pictures import starter_tiles
from tests.prompt_cases import IN_SAMPLE

RULES = Path(__file__).parent.parent / "policy" / "rulesets" / "default.yaml"
ROWS = 2_000
CATALOGUE = (
    "Studio photograph of a {} on a marble table, soft morning light, shallow depth of field, gun-metal grey"
    " background, 50mm lens, catalogue style, variant {}"
)
THINGS = ("ceramic mug", "leather backpack", "wool jumper", "running shoe", "wrist watch", "table lamp", "silk scarf")


def main() -> None:
    rules = Rules.load(RULES)
    prompts(rules)
    pictures(rules)


def prompts(rules: Rules) -> None:
    """Ours, against a search for every phrase on its own: only in plain text, without any disguise seen through."""
    naive = [_pattern(rule) for rule in rules.prompt_rules if rule.terms]
    phrases = sum(len(term.phrases) for rule in rules.prompt_rules for term in rule.terms)
    print(f"prompts, {phrases:,} phrases in {len(naive)} rules", flush=True)
    rows = [CATALOGUE.format(THINGS[row % len(THINGS)], row) for row in range(ROWS)]
    innocent = [case.text for case in IN_SAMPLE.innocent] * 8
    for name, texts in (("catalogue rows", rows), ("innocent prompts of the tests", innocent)):
        some = texts[:: max(1, len(texts) // 50)]
        ours = _seconds(partial(_each, partial(screen_prompt, rules, tenant="bench"), texts))
        plain = _seconds(partial(_each, lambda text: [p.search(text.lower()) for p in naive], some), times=1)
        each, plain_each = ours / len(texts), plain / len(some)
        print(
            f"  {name:30} {1 / each:8,.0f}/s {each * 1e6:8,.0f} us each   naive regex {plain_each / each:6.1f}x slower"
        )


def _pattern(rule: PromptRule) -> re.Pattern[str]:
    phrases = (" ".join(phrase) for term in rule.terms for phrase in term.phrases)
    return re.compile(r"\b(?:" + "|".join(re.escape(p).replace(r"\*", r"\w*") for p in phrases) + r")\b")


def pictures(rules: Rules) -> None:
    """By stage and size, in batches of 8, against one picture at a time with a session of its own size."""
    screen, nsfw, blank = ImageScreen.load(rules), Nsfw.load(), Blank()
    for side in (128, 512, 1024):
        repeat = -(-side // 128)
        batch = np.tile(starter_tiles()[:8], (1, repeat, repeat, 1))[:, :side, :side]
        print(f"pictures of {side} x {side}, one thread", flush=True)
        stages: tuple[tuple[str, Callable[[], object]], ...] = (
            ("blank", partial(blank.scores, batch)),
            ("nsfw: resize", partial(_each, nsfw.fitted, batch)),
            ("nsfw: resize and network", partial(nsfw.scores, batch)),
            ("whole screen", partial(screen.screen, batch)),
            ("whole screen, one at a time", partial(_each, screen.screen, batch[:, None])),
        )
        took = {name: _seconds(act) / len(batch) for name, act in stages}
        for name, each in took.items():
            print(f"  {name:30} {1 / each:8,.0f}/s {each * 1e3:8.2f} ms each")
        ratio = took["whole screen, one at a time"] / took["whole screen"]
        print(f"  batching makes it {ratio:.2f}x as fast")


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
