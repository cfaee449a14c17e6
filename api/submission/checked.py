"""Checked row: one good row of a request, between the spreadsheet and the items it becomes.

A prompt has four shapes on its way to a worker, and no others: `SheetRow` (cells), `CheckedRow` (checked,
rendered, screened), `NewItem` (one variant, as `jobs.submit` stores it) and `ClaimedItem` (as a worker reads it back).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from api.submission.recipes import SamplingOptions
from api.submission.screening import Screened
from policy.prompts.weights import plain_text
from policy.verdict import Verdict
from workers.jobs.types import ALL_READ, NewItem, TextsRead
from workers.recipes import Recipe, seed_for
from workers.states import Priority

_JSON = json.JSONEncoder(separators=(",", ":"))


class RowOptions(NamedTuple):
    """What a row asks besides its prompt. `seed` is None where the item's own is to be derived."""

    options: SamplingOptions
    seed: int | None
    variants: int
    negative_prompt: str = ""  # as it was sent
    model: str = ""  # another than the request's
    priority: Priority | None = None  # another than the request's
    renditions: tuple[str, ...] = ()  # others than the request's
    inputs: tuple[tuple[str, str], ...] = ()  # (role, id) of what it is made from


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """`sources` are the texts that made the prompt, for blame."""

    number: int  # 1-based
    line: int | None  # None: it came in no file
    custom_id: str
    texts: Screened
    own: RowOptions
    sources: Mapping[str, str] = field(default_factory=dict)
    carried: Sequence[str] = ()  # the cells as they were sent, one for each column of the file
    file_suffixes: Sequence[str] = ()  # of its variants' file names; empty: none
    texts_read: TextsRead = ALL_READ

    @property
    def options(self) -> SamplingOptions:
        return self.own.options

    @property
    def sent_prompt(self) -> str:
        """The prompt as it was sent, before the rule set rewrote it."""
        return self.texts.sent.get("prompt", self.texts.prompt)

    @property
    def sent_words(self) -> str:
        """The prompt as it was sent, without the brackets and numbers of a prompt syntax."""
        return plain_text(self.sent_prompt, self.options.prompt_syntax)

    def items(self, seeded_by: str, recipe: Recipe, queue: str | None = None) -> Iterator[NewItem]:
        """One item a variant, in order. `queue` is that of a model other than the request's.

        Without a seed of its own an item takes one from `seeded_by`, its id and its variant.
        """
        own = self.own
        for variant in range(own.variants):
            seed = seed_for(seeded_by, self.custom_id, variant) if own.seed is None else own.seed + variant
            yield NewItem(
                row=self.number,
                custom_id=self.custom_id,
                variant=variant,
                prompt=self.texts.prompt,
                negative_prompt=self.texts.negative_prompt,
                seed=seed,
                recipe=recipe,
                verdict=self.texts.verdict,
                sent=self.texts.sent,
                carried=self.carried,
                file_suffix=self.file_suffixes[variant] if self.file_suffixes else "",
                queue=queue,
                priority=own.priority,
                renditions=own.renditions,
                inputs=dict(own.inputs),
                texts_read=self.texts_read,
            )

    def to_line(self) -> bytes:
        """A line of the spool. `sources` stay behind: once the first pass is over, nothing is blamed any more."""
        texts = self.texts
        spooled = (
            self.number,
            self.line,
            self.custom_id,
            texts.prompt,
            texts.negative_prompt,
            None if texts.verdict == Verdict(texts.verdict.policy_version) else texts.verdict.to_json(),
            texts.verdict.policy_version,
            dict(texts.sent),
            self.own,
            self.carried,
            self.file_suffixes if any(self.file_suffixes) else (),
            self.texts_read,
        )
        return _JSON.encode(spooled).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> CheckedRow:
        """What `to_line` wrote, without the sources."""
        number, at, custom_id, prompt, negative_prompt, verdict, version, sent, own, carried, suffixes, read = (
            json.loads(line)
        )
        found = Verdict(version) if verdict is None else Verdict.from_json(verdict)
        options, seed, variants, negative, model, priority, files, inputs = own
        urgency = Priority(priority) if priority else None
        made_from = tuple((role, id) for role, id in inputs)
        sampling = SamplingOptions.from_json(options)
        row = RowOptions(sampling, seed, variants, negative, model, urgency, tuple(files), made_from)
        texts = Screened(prompt, negative_prompt, found, sent)
        return cls(
            number,
            at,
            custom_id,
            texts,
            row,
            carried=tuple(carried),
            file_suffixes=tuple(suffixes),
            texts_read=TextsRead(*read),
        )
