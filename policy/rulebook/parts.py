"""Building blocks of a rule set file: strict mappings, rule ids, scores, terms."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from policy.terms import phrases


def _checked_term(text: str) -> str:
    phrases(text)
    return text


def _flat(listed: object) -> object:
    """A list within the list is read as part of it: YAML has no other way to join two anchored lists."""
    if not isinstance(listed, list):
        return listed
    return [term for part in listed for term in (part if isinstance(part, list) else [part])]


TermText = Annotated[str, AfterValidator(_checked_term)]
Terms = Annotated[list[TermText], BeforeValidator(_flat), Field(min_length=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z-]*/[a-z][a-z0-9-]*$")]
Score = Annotated[float, Field(gt=0, le=1)]


class RuleSetPart(BaseModel):
    """A mapping of the file. An unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def category_of(rule_id: str) -> str:
    return rule_id.partition("/")[0]
