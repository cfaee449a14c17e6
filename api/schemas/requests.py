"""Requests for images as they are sent: one prompt, or the spec of a campaign."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from api.edge.problems import quoted
from api.schemas.base import BodyModel
from api.schemas.budgets import LimitsBody
from api.schemas.channels import Channels, Side
from api.schemas.fields import (
    LINE,
    MAX_NAME_CHARS,
    PROSE,
    Id,
    Instant,
    Line,
    Prose,
    SomeProse,
    visible,
    without_controls,
)
from api.schemas.grounds import GroundBody
from api.schemas.pilots import PilotBody
from api.schemas.tables import TableBody
from api.schemas.targets import DeliverBody
from api.templates import MAX_TEMPLATE_CHARS
from policy.marks.renditions import DEFAULT, RENDITIONS, ordered
from workers.delivery.file_names import MAX_TEMPLATE_CHARS as MAX_TEMPLATE_CHARS_OF_FILES
from workers.recipes import MAX_SEED
from workers.states import Priority

MAX_CUSTOM_ID_CHARS = 128
MAX_LABELS, MAX_LABEL_NAME_CHARS, MAX_LABEL_CHARS = 16, 64, 512
MAX_NUMBER = 2**53 - 1  # what JSON readers keep exactly (RFC 8259, section 6)
MAX_LORAS = 4
MAX_PICTURE_CHARS = 300  # an id, or the path of a file in a ZIP

_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
_SINGLE: dict[str, JsonValue] = {
    "prompt": "a red backpack on a white background",
    "width": 128,
    "height": 128,
    "variants": 4,
    "seed": 7,
    "metadata": {"ticket": "MKT-112"},
}
_CAMPAIGN: dict[str, JsonValue] = {
    "name": "spring catalogue",
    "template": "a {colour} {object} on a {background} background",
    "variants": 2,
    "priority": "bulk",
    "metadata": {"cost_centre": "4711"},
}


def _checked_labels(labels: dict[str, Any]) -> dict[str, Any]:
    for name, value in labels.items():
        if not 0 < len(name) <= MAX_LABEL_NAME_CHARS:
            raise ValueError(f"the name {quoted(name)} of a label has not 1 to {MAX_LABEL_NAME_CHARS} characters")
        visible(name)
        if isinstance(value, str):
            if len(value) > MAX_LABEL_CHARS:
                raise ValueError(f"the label {quoted(name)} has more than {MAX_LABEL_CHARS} characters")
            without_controls(value)
        elif isinstance(value, dict | list):
            raise ValueError("labels are text, numbers, true, false or null; no lists or objects")
        elif isinstance(value, int | float) and abs(value) > MAX_NUMBER:
            raise ValueError(f"the label {quoted(name)} is a number beyond 2^53 - 1, which JSON readers do not keep")
    return labels


_LABELS: JsonDict = {
    "propertyNames": {"minLength": 1, "maxLength": MAX_LABEL_NAME_CHARS, "pattern": LINE},
    "additionalProperties": {
        "anyOf": [
            {"type": "string", "maxLength": MAX_LABEL_CHARS, "pattern": PROSE},
            {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
            {"type": "boolean"},
            {"type": "null"},
        ]
    },
}

Name = Annotated[Line, Field(max_length=MAX_NAME_CHARS)]
CustomId = Annotated[Line, Field(min_length=1, max_length=MAX_CUSTOM_ID_CHARS)]
Text = Annotated[Prose, Field(max_length=MAX_TEMPLATE_CHARS)]
SomeText = Annotated[SomeProse, Field(max_length=MAX_TEMPLATE_CHARS)]
ModelName = Annotated[Line, Field(min_length=1, max_length=63)]
FileTemplateText = Annotated[Line, Field(max_length=MAX_TEMPLATE_CHARS_OF_FILES)]
Labels = Annotated[
    dict[str, Any], Field(max_length=MAX_LABELS, json_schema_extra=_LABELS), AfterValidator(_checked_labels)
]
TASKS = (
    *("text-to-image", "image-to-image", "inpaint", "edit", "style", "control", "upscale", "try-on"),
    *("remove-background", "replace-background"),
    *("unconditional", "class-conditional"),
)
Picture = Annotated[Line, Field(min_length=1, max_length=MAX_PICTURE_CHARS)]
Turn = Annotated[Priority, Field(strict=False)]
Renditions = Annotated[
    tuple[Annotated[str, Field(json_schema_extra={"enum": list(RENDITIONS)})], ...],
    Field(strict=False, max_length=len(RENDITIONS)),
    AfterValidator(ordered),
]


class LoraBody(BodyModel):
    """One adapter."""

    name: ModelName = Field(description="a name from `loras` of GET /v1/models")
    scale: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="how strongly it acts; left out: its card's own"
    )


class OptionsBody(BodyModel):
    """What both kinds of request may ask of a model. A field left out takes the model card's own default."""

    name: Name = Field("", description="for people; shown in lists")
    model: ModelName | None = Field(
        None, description="a name from GET /v1/models; may be left out while there is only one"
    )
    negative_prompt: Text = Field("", description="what should not be in the picture; needs a guidance_scale above 1")
    width: int | None = Field(None, ge=1, le=MAX_NUMBER, description="pixels")
    height: int | None = Field(None, ge=1, le=MAX_NUMBER, description="pixels")
    num_inference_steps: int | None = Field(None, ge=1, le=MAX_NUMBER, description="denoising steps")
    guidance_scale: float | None = Field(
        None, ge=0, le=MAX_NUMBER, allow_inf_nan=False, description="1 or less: no guidance"
    )
    scheduler: ModelName | None = Field(None, description="one of the model's schedulers")
    scheduler_options: list[Literal["karras", "sde", "trailing"]] = Field(
        [],
        max_length=3,
        description="karras: its noise levels; sde: the stochastic solver; trailing: steps counted from the noisiest."
        " Each only where the scheduler has it",
    )
    reproducible: Literal["strict"] | None = Field(
        None, description="strict: each image is drawn alone, so that it can be drawn again to the last bit; slower"
    )
    prompt_syntax: Literal["weights"] | None = Field(
        None,
        description="weights: (word:1.3), ((word)) and [word] say how much words count, as in AUTOMATIC1111's web UI;"
        " for models read by CLIP. Left out: brackets are words",
    )
    upscale: int = Field(
        1,
        ge=1,
        le=8,
        description="times each side is enlarged after drawing, by an upscaler of the model; 1: not at all",
    )
    canvas: list[Side] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="width and height of the finished picture, which is scaled to cover them and cut at its middle",
    )
    background: Literal["transparent"] | None = Field(None, description="transparent: cut out, as PNG and WebP")
    loras: list[LoraBody] = Field(
        [], max_length=MAX_LORAS, description="adapters of the model that bend its style, each named once"
    )
    task: Literal[TASKS] | None = Field(  # type: ignore[valid-type]  # a tuple of literals
        None, description="what is done; left out: what the pictures of the request ask for"
    )
    image: Picture | None = Field(
        None, description="the picture that is drawn over, edited, cut out or upscaled: id of an input"
    )
    mask: Picture | None = Field(
        None,
        description="where the image is drawn anew: white, or what is transparent; left out: what is transparent of the"
        " image itself. For remove-background and replace-background: the product, white or opaque; left out: found",
    )
    control_image: Picture | None = Field(None, description="the picture whose lines guide: an input's id")
    reference_image: Picture | None = Field(
        None, description="the picture whose style is taken, or the garment that is put on: an input's id"
    )
    reference_scale: float | None = Field(
        None,
        gt=0,
        le=4,
        description="how strongly reference_image acts; left out: as its network's card says",
    )
    strength: float | None = Field(
        None, gt=0, le=1, description="how much of the image is drawn anew; 1: it hardly counts any more"
    )
    control: Literal["", "canny"] = Field(
        "", description="canny: the edges of control_image guide; left out: it is such a map itself"
    )
    ground: GroundBody | None = Field(
        None, description="replace-background: where the product stands, at what scale, with what shadow"
    )
    lock: Literal["standard", "strict"] | None = Field(
        None,
        description="replace-background: standard, also where it is left out, bounds what marks and files may change"
        " of the product; strict keeps the watermark off it",
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="variant n takes seed + n; left out, each item has a seed of its own; in a campaign"
        " it comes from the row's id and options, so that an unchanged row is the same picture",
    )
    variants: int = Field(1, ge=1, le=MAX_NUMBER, description="images of each prompt")
    renditions: Renditions = Field(
        DEFAULT, description="files of each image, in full size; the original PNG is always among them"
    )
    channels: Channels = Field(
        [],
        description="further files of each image, for where it is shown: names of presets, or their fields",
    )
    publish_prompt: bool = Field(
        False, description="write the prompt into the public marks of every file; it cannot be taken back from there"
    )
    file: FileTemplateText = Field(
        "",
        description="name of each file, such as `{sku}.{ext}`: columns, and `custom_id`, `row`, `variant`, `channel`,"
        " `ext`; left out: `{custom_id}.{ext}`, with variants `{custom_id}-{variant}.{ext}`",
    )
    reuse: Literal["auto", "never"] = Field(
        "auto",
        description="auto: an image with the prompt, options, seed and files of a released one takes that one, at no"
        " cost; never: everything is drawn",
    )
    deliver: DeliverBody | None = Field(None, description="deliver released files to a bucket of your own")
    metadata: Labels = Field({}, description="your own labels, kept and never read by us")
    max_images: int | None = Field(
        None, ge=1, le=MAX_NUMBER, description="refuse the request whole where it would make more images than these"
    )
    deadline: Instant | None = Field(None, description="in the future; what is not made by then is not begun")
    budget: LimitsBody | None = Field(
        None, description="what this request may take; it is paused for `budget` when that is used up"
    )
    at_deadline: Literal["pause", "expire"] = Field(
        "pause", description="pause: what waits goes on when somebody resumes it; expire: it is cancelled"
    )


class SingleBody(OptionsBody):
    """One prompt, one or more variants."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SINGLE]})

    prompt: Text = Field(
        "", description="taken as it is; braces mean nothing here; may be left out where nothing is drawn from words"
    )
    custom_id: CustomId = Field("row-1", description="your own name for it, kept on items and assets")
    priority: Turn = Field(Priority.INTERACTIVE, description="its class of turns")
    dry_run: bool = Field(False, description="check and screen it, forecast its cost, store nothing, answer 200")


class CampaignBody(OptionsBody, TableBody):
    """Every row of the spreadsheet times the template times the variants."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAMPAIGN]})

    template: Text = Field(
        "",
        description="{column} is replaced by the row's value, whatever the column is called; {column?} may be empty,"
        " {column|default} has a default; {{ and }} are the braces themselves; may be left out where `task` draws"
        " nothing from words",
    )
    priority: Turn = Field(Priority.STANDARD, description="its class of turns")
    pilot: PilotBody | None = Field(
        None, description="a sample that is made first; a person accepts it before the rest"
    )
    parent: Id | None = Field(
        None, description="the earlier request whose rows these correct; what did not change stays with it"
    )
    unchanged: Literal["make", "keep"] = Field(
        "make",
        description="images whose row, options and files are as in one of your last five campaigns with this template."
        " make: again, the same pictures; keep: not again, they stay with their earlier request. With a parent and no"
        " pilot, keep unless make is sent",
    )
    consent: Line = Field(
        "", max_length=500, description="where the people whom pictures of the ZIP show agreed; kept as it is written"
    )
    check: Literal["auto", "later"] = Field(
        "auto",
        description="later: in the background, and GET /v1/campaigns/{id} says how far it is; auto: large files",
    )
    dry_run: bool = Field(False, description="check and screen everything, store nothing, answer 200")

    @property
    def keeps(self) -> bool:
        """Whether what did not change stays with its earlier request."""
        linked = self.parent is not None and self.pilot is None and "unchanged" not in self.model_fields_set
        return linked or self.unchanged == "keep"

    @model_validator(mode="after")
    def _pilot_of_all(self) -> CampaignBody:
        if self.pilot and self.unchanged == "keep":
            raise ValueError(
                "a pilot is drawn from all rows, and `unchanged: keep` leaves some out; ask for one of them"
            )
        return self
