"""Images of the OpenAI API as they are asked for and answered."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import SomeProse
from api.schemas.requests import MAX_LORAS, MAX_NUMBER, Labels, LoraBody, ModelName, Text, Turn
from workers.recipes import MAX_SEED
from workers.states import Priority

MAX_PROMPT_CHARS = 32_000  # as OpenAI documents it; this installation's own limit is smaller and is told
MAX_IMAGES = 10
MAX_URL_CHARS = 20_971_520  # of a picture in JSON, as OpenAI documents it
SIZE = "^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$"
_EXAMPLE: dict[str, JsonValue] = {
    "model": "studio",
    "prompt": "a red backpack on a white background",
    "size": "512x512",
    "n": 2,
}

Word = Annotated[str, Field(max_length=512)]


class ImagesBody(BodyModel):
    """One prompt, as `client.images.generate` sends it; then our own options, which travel as `extra_body`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    prompt: Annotated[SomeProse, Field(max_length=MAX_PROMPT_CHARS)]
    model: ModelName | None = Field(None, description="may be left out while there is only one")
    n: int | None = Field(1, ge=1, le=MAX_IMAGES)
    size: str | None = Field(
        "auto", max_length=11, pattern=SIZE, description="auto: the model's own; others are drawn near it and scaled"
    )
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = Field(
        "auto", description="denoising steps: low a half, high and hd one and a half, xhigh twice, max all of the model"
    )
    background: Literal["auto", "opaque", "transparent"] | None = Field(
        "auto", description="transparent: cut out of its ground, as png or webp"
    )
    output_format: Literal["png", "jpeg", "webp"] | None = "png"
    output_compression: int | None = Field(
        None, ge=0, le=100, description="quality of a jpeg or webp file; below 50 is 50; 100: our everyday file"
    )
    response_format: Literal["b64_json", "url"] | None = Field(
        None, description="left out: b64_json; url where the model is called dall-e-"
    )
    moderation: Literal["auto", "low"] | None = Field("auto", description="low is auto: policy here does not bend")
    style: Literal["vivid", "natural"] | None = Field(None, description="of models that are retired: without effect")
    stream: bool | None = Field(False, description="server-sent events; each image is one event when it is made")
    partial_images: int | None = Field(0, ge=0, le=3, description="fewer are sent: none")
    user: Word | None = None
    safety_identifier: Word | None = Field(None, description="comes back in the answer")
    strength: float | None = Field(None, gt=0, le=1, description="ours; of an edit, how much is drawn anew")
    negative_prompt: Text = Field("", description="ours")
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="ours; image n takes seed + n")
    guidance_scale: float | None = Field(None, ge=0, le=MAX_NUMBER, allow_inf_nan=False, description="ours")
    num_inference_steps: int | None = Field(None, ge=1, le=MAX_NUMBER, description="ours; in the place of quality")
    scheduler: ModelName | None = Field(None, description="ours")
    loras: list[LoraBody] = Field([], max_length=MAX_LORAS, description="ours")
    prompt_syntax: Literal["weights"] | None = Field(
        None, description="ours; (word:1.3) and [word] say how much words count. Left out: brackets are words"
    )
    priority: Turn = Field(Priority.INTERACTIVE, description="ours")
    metadata: Labels = Field({}, description="ours")


class PictureBody(BodyModel):
    """A picture in JSON: exactly one of the two."""

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)] | None = Field(
        None, description="a data URL with the picture in base64, or an https address that it is fetched from"
    )
    file_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="the id of a file with the purpose vision, or of an input: POST /v1/inputs"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.image_url is None) == (self.file_id is None):
            raise ValueError("send image_url or file_id, and not both")
        return self


class EditsBody(ImagesBody):
    """An edit in JSON: pictures, and the fields of a generation."""

    images: list[PictureBody] = Field(min_length=1, max_length=16, description="one of them is edited; more are 400")
    mask: PictureBody | None = Field(None, description="its transparent or white part is drawn anew")
    input_fidelity: Literal["low", "high"] | None = Field(None, description="high: not there")


class ImageReply(ReplyModel):
    """One image."""

    b64_json: str | None = None
    url: str | None = Field(None, description="ends after `link_seconds`")
    revised_prompt: str | None = Field(None, description="where policy changed the prompt")
    asset_id: str = Field(description="ours: GET /v1/assets/{asset_id}")


class NoteReply(ReplyModel):
    """A parameter that was taken as another value than was sent."""

    param: str
    message: str


class ImagesReply(ReplyModel):
    """The images of a prompt that may be released. Others are counted in `withheld`."""

    created: int
    data: list[ImageReply]
    background: Literal["opaque", "transparent"] = "opaque"
    output_format: str
    quality: str
    size: str
    safety_identifier: str | None = None
    request_id: str = Field(description="ours: GET /v1/requests/{request_id}")
    notes: list[NoteReply] | None = Field(None, description="ours: what was taken as another value than was sent")
    withheld: int = Field(description="ours: images that policy refused or holds, or that could not be made")
