"""Soft bindings as the C2PA Soft Binding Resolution API asks and answers them. Field names are that document's."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import BodyModel, QueryModel, ReplyModel
from api.schemas.fields import Word

_VALUE = Field(
    min_length=4,
    max_length=64,
    description="base64 of the watermark id: of its six bytes, or of its hexadecimal digits",
)
_ALG = Field(description="a name of /services/supportedAlgorithms", examples=["presswork.dwtdctsvd"])
_MOST = 100


class MaxResultsQuery(QueryModel):
    """How many matches."""

    maxResults: int = Field(10, ge=1, le=_MOST, description="at most so many matches; there is never more than one")  # noqa: N815


class ByBindingQuery(MaxResultsQuery):
    """One soft binding."""

    alg: Word = _ALG
    value: str = _VALUE


class ByBindingBody(BodyModel):
    """One soft binding."""

    alg: Word = _ALG
    value: str = _VALUE


class ManifestQuery(QueryModel):
    """Which part of the manifest store."""

    returnActiveManifest: bool = Field(False, description="true is refused: the whole store is returned")  # noqa: N815


class AlgorithmReply(ReplyModel):
    """An algorithm by its name."""

    alg: str


class AlgorithmsReply(ReplyModel):
    """Algorithms by which manifests are found."""

    watermarks: list[AlgorithmReply]
    fingerprints: list[AlgorithmReply]


class MatchReply(ReplyModel):
    """A manifest that matches."""

    manifestId: str  # noqa: N815
    similarityScore: int = Field(ge=0, le=100)  # noqa: N815


class MatchesReply(ReplyModel):
    """Manifests that match."""

    matches: list[MatchReply]
