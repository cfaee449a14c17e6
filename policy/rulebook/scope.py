"""Scope of a rule or an exception: tenants, campaigns by name, models. An empty list means all.

A tenant chooses the names of its campaigns, so a campaign's name may allow more only where the tenant is named too;
`Rules.load` enforces that. Names are compared without case; `*` stands for any letters and `?` for one. A request
without a name has the name "".
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field, model_validator

from policy.rulebook.parts import RuleSetPart

_Name = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Context:
    """The tenant of a text, its campaign (the request's name), and the model that is to generate from it."""

    tenant: str
    campaign: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class RuleScope:
    """An empty part does not restrict."""

    tenants: frozenset[str] = frozenset()
    campaigns: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def covers(self, context: Context) -> bool:
        return (
            (not self.tenants or context.tenant in self.tenants)
            and (not self.campaigns or _meets(context.campaign, self.campaigns))
            and (not self.models or _meets(context.model, self.models))
        )


EVERYWHERE = RuleScope()


class ScopePart(RuleSetPart):
    """The key `scope`. It must restrict something."""

    tenants: list[_Name] = Field(default=[])
    campaigns: list[_Name] = Field(default=[])
    models: list[_Name] = Field(default=[])

    @model_validator(mode="after")
    def _confines(self) -> ScopePart:
        if not (self.tenants or self.campaigns or self.models):
            raise ValueError("this scope confines nothing; name tenants, campaigns or models, or leave it out")
        return self

    def compiled(self) -> RuleScope:
        return RuleScope(frozenset(self.tenants), tuple(self.campaigns), tuple(self.models))


def _meets(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)
