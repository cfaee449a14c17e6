"""Added channels as they are sent and answered: further files of the pictures of an earlier request."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.channels import Channels
from api.schemas.requests import FileTemplateText, Renditions
from api.schemas.submission import LinksReply
from api.schemas.targets import DeliverBody
from policy.marks.renditions import ORIGINAL


class AddedChannelsBody(BodyModel):
    """The files that are wanted of the pictures of an earlier request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"channels": ["marketplace-main"], "file": "{sku}.{ext}"}]}
    )

    channels: Channels = Field([], description="names of presets, or their fields, as in a campaign")
    renditions: Renditions = Field((ORIGINAL,), description="files in full size; the original PNG is always among them")
    file: FileTemplateText = Field(
        "",
        description="name of each file, as in a campaign; left out: as in the earlier request, with the channel",
    )
    deliver: DeliverBody | None = Field(None, description="deliver released files to a bucket of your own")

    @model_validator(mode="after")
    def _some(self) -> AddedChannelsBody:
        if not self.channels and self.renditions == (ORIGINAL,):
            raise ValueError("name a channel or a rendition: the original is there already")
        return self


class AddedChannelsReply(ReplyModel):
    """A request that is linked to the earlier one. Its files are made of kept drawings, without a GPU."""

    id: str
    parent_id: str = Field(description="the earlier request")
    items: int = Field(description="images of the new request")
    reencoded_items: int = Field(description="images whose files are made of a kept drawing; they cost nothing")
    reused_items: int = Field(description="images that have these files already; they cost nothing")
    without_drawing: int = Field(
        description="released images that are left out, as no drawing of them is kept: send their rows again"
    )
    links: LinksReply
