"""Checked row: one good row of a request, between the spreadsheet and the items it becomes.

A prompt has four shapes on its way to a worker, and no others: `spreadsheets.SheetRow` (cells), `CheckedRow` (checked,
rendered, screened), `NewItem` (one variant, as `jobs.submit` stores it) and `ClaimedItem` (as a worker reads it back).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from api.submission.recipes import SamplingOptions
from api.submission.screening import Screened
from policy.verdict import Verdict
from workers.jobs.types import NewItem
from workers.recipes import Recipe, seed_for


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """`seed` is None where the item's own is to be derived. `sources` are the texts that made the prompt, for blame."""

    number: int  # 1-based
    line: int | None  # None: it came in no file
    custom_id: str
    texts: Screened
    options: SamplingOptions
    seed: int | None
    sources: Mapping[str, str] = field(default_factory=dict)
    carried: Sequence[str] = ()  # the cells as they were sent, one for each column of the file
    file_suffixes: Sequence[str] = ()  # of its variants' file names; empty: none

    @property
    def sent_prompt(self) -> str:
        """The prompt as it was sent, before the rule set rewrote it."""
        return self.texts.sent.get("prompt", self.texts.prompt)

    def items(self, request_id: str, recipe: Recipe, variants: int) -> Iterator[NewItem]:
        """One item a variant, in order."""
        for variant in range(variants):
            seed = seed_for(request_id, self.custom_id, variant) if self.seed is None else self.seed + variant
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
            )

    def to_line(self) -> bytes:
        """A line of the spool. `sources` stay behind: once the first pass is over, nothing is blamed any more."""
        texts = self.texts
        spooled = {
            "number": self.number,
            "line": self.line,
            "custom_id": self.custom_id,
            "prompt": texts.prompt,
            "negative_prompt": texts.negative_prompt,
            "verdict": texts.verdict.to_json(),
            "sent": dict(texts.sent),
            "options": self.options,
            "seed": self.seed,
            "carried": self.carried,
            "file_suffixes": self.file_suffixes if any(self.file_suffixes) else (),
        }
        return json.dumps(spooled, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> CheckedRow:
        """What `to_line` wrote, without the sources."""
        row = json.loads(line)
        verdict = Verdict.from_json(row["verdict"])
        texts = Screened(row["prompt"], row["negative_prompt"], verdict, row["sent"])
        options = SamplingOptions.from_json(row["options"])
        return cls(
            row["number"],
            row["line"],
            row["custom_id"],
            texts,
            options,
            row["seed"],
            carried=tuple(row["carried"]),
            file_suffixes=tuple(row["file_suffixes"]),
        )
