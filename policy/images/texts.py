"""Writing on pictures, screened by the prompt rules: finds brands and slurs that no prompt named.

Only the categories that the rule set lists under `image.text` count. A tenant's exceptions hold here too. The text that
was read is kept nowhere, not even in a finding. The verdict keeps how sure the reader was (`text/read`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from policy.errors import PolicyUnavailable
from policy.fence import Fence
from policy.prompts.screen import screen_prompt
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage

NAME = "text"
FIELD = "the writing on the picture"  # what findings call it
MOST_LINES = 200  # a page of a book has fifty; more than this on a picture is not read but held


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of writing, and how sure the reader is of it, 0 to 1."""

    text: str
    confidence: float


class Reader(Protocol):
    """Reads writing on pictures. It may raise any exception: the screen then holds the pictures."""

    @property
    def revision(self) -> str:
        """The digests of its weights."""

    def read(self, images: np.ndarray) -> list[list[TextLine]]:
        """For each picture of uint8 RGB [N, H, W, 3] its lines, top to bottom."""


class TextScreen:
    """A fenced reader, and the prompt rules over what it reads."""

    def __init__(self, rules: Rules, reader: Reader, *, seconds: float) -> None:
        self.reader = reader
        self._rules = rules
        self._custody = Fence(NAME, seconds=seconds)

    def read(self, images: np.ndarray) -> list[list[TextLine]]:
        """Raises PolicyUnavailable where the reader failed or its answer is not a list of lines for each picture."""
        answered = self._custody.run(lambda: self.reader.read(images))
        if not (isinstance(answered, list) and len(answered) == len(images) and all(map(_is_lines, answered))):
            raise PolicyUnavailable(f"answered {type(answered).__name__} instead of lines for {len(images)} picture(s)")
        return answered

    def findings(self, lines: Sequence[TextLine], context: Context) -> Iterator[Finding]:
        """At most one finding a rule. Raises PolicyUnavailable for more lines than are screened."""
        if len(lines) > MOST_LINES:
            raise PolicyUnavailable(f"found {len(lines)} lines of writing; at most {MOST_LINES} are screened")
        found: dict[str, Finding] = {}
        for text in self._pieces(lines):
            verdict = screen_prompt(
                self._rules, text, tenant=context.tenant, field=FIELD, campaign=context.campaign, model=context.model
            )
            for finding in verdict.findings:
                counts = finding.category in self._rules.bundled.text_categories
                if counts and finding.decision is not Decision.ALLOW:
                    found.setdefault(finding.rule, replace(finding, stage=Stage.IMAGE))
        yield from found.values()

    def _pieces(self, lines: Sequence[TextLine]) -> Iterator[str]:
        """Each line, and all lines as one text, because a name may run over two lines.

        None is longer than the screen reads.
        """
        texts = [line.text[: self._rules.max_chars] for line in lines]
        yield from texts
        whole = " ".join(texts)
        step = self._rules.max_chars // 2 + 1  # overlapping, so that no name lies across a cut
        for start in range(0, len(whole), step) if len(texts) > 1 else ():
            yield whole[start : start + self._rules.max_chars]


def _is_lines(answered: object) -> bool:
    return isinstance(answered, list) and all(isinstance(line, TextLine) for line in answered)
