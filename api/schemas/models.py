"""Model cards as they are answered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import BodyModel, Page, ReplyModel
from api.schemas.fields import MAX_PROSE_CHARS, Prose
from workers.states import ModelState


class UnusableReply(ReplyModel):
    """Something that is installed and cannot be used."""

    kind: str = Field(description="model, upscaler or adapter")
    name: str
    reason: str


class ModelReply(ReplyModel):
    """A model card: what the model is, may be used for, and can do.

    `id`, `object`, `created` and `owned_by` are for clients of the OpenAI API.
    """

    id: str = Field(description="the same as `name`, or a further name of this model", examples=["studio"])
    object: Literal["model"] = "model"
    created: int = Field(0, description="always 0: cards have no date")
    owned_by: str = Field("presswork", description="always presswork")
    name: str
    title: str
    description: str
    licence: str
    allowed_use: str
    training_data: str
    training_data_licence: str = Field(description="unknown where nobody stated it")
    owner: str = Field(description="who answers for its use; unknown where nobody stated it")
    expires: date | None = Field(description="the last day on which it may be used, of its card and its approval")
    state: ModelState = Field(description="what was decided about this revision; yours, where you retired it")
    refused: str | None = Field(None, description="why a request for it is refused; null: it may be used")
    limits: list[str]
    revision: str = Field(description="content hash of all its files")
    width: int = Field(description="the width it is best at")
    height: int = Field(description="the height it is best at")
    min_side: int
    max_side: int
    size_multiple: int
    max_pixels: int
    num_inference_steps: int
    max_num_inference_steps: int
    guidance_scale: float
    max_guidance_scale: float
    scheduler: str
    schedulers: list[str]
    tasks: list[str] = Field(description="what it can be asked for, as `task` takes them", examples=[["text-to-image"]])
    upscale: list[int] = Field(description="factors its pictures can be enlarged by, as `upscale` takes them")
    loras: list[str] = Field(description="adapters trained for it, as `loras` takes them")
    prompt_syntax: list[str] = Field(description="how prompts may be written besides plain words; empty: not at all")
    knows: list[str] = Field(description="what it was trained on; empty for a general model")


class ModelDecisionBody(BodyModel):
    """What your tenant decides about the revision that is installed now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"state": "retired", "reason": "the licence ended"}, {"state": "approved"}]}
    )

    state: Literal["approved", "retired"] = Field(
        description="retired: your tenant's next request for it is refused; approved: as the installation decided"
    )
    reason: Prose = Field("", max_length=MAX_PROSE_CHARS, description="for people; the ledger keeps its digest")
    expires: date | None = Field(None, description="the last day of an approval, in UTC")


class ModelDecisionReply(ReplyModel):
    """The decision of your tenant that stands."""

    model: str
    model_revision: str
    state: Literal["approved", "retired"]
    decided_by: str = Field(description="the person of the key")
    reason: str
    expires: date | None
    decided_at: datetime


class ModelsReply(Page[ModelReply]):
    """A page of the models, in the shape that OpenAI clients read too."""

    object: Literal["list"] = "list"
