"""Events of files that are uploaded, of the batch jobs that are made of them, and of checks of campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policy.events.event import Event


@dataclass(frozen=True, slots=True)
class FileStored(Event):
    """A file of a tenant was stored; its bytes are those of the digest."""

    kind: ClassVar[str] = "file.stored"
    file_id: str
    purpose: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class FileDeleted(Event):
    """A file was deleted: its tenant asked for it, it expired, its campaign was checked, or its text was erased."""

    kind: ClassVar[str] = "file.deleted"
    file_id: str
    reason: str  # asked | expired | checked | erased


@dataclass(frozen=True, slots=True)
class BatchJobCreated(Event):
    """A batch job was made of a file; its lines are checked next."""

    kind: ClassVar[str] = "batchjob.created"
    batch_job_id: str
    file_id: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class BatchJobStarted(Event):
    """Every line of a batch job is good; they are the rows of this request from now on."""

    kind: ClassVar[str] = "batchjob.started"
    batch_job_id: str
    request_id: str
    lines: int


@dataclass(frozen=True, slots=True)
class BatchJobFailed(Event):
    """The file of a batch job has errors; nothing of it is made. `codes` are the first errors, counted."""

    kind: ClassVar[str] = "batchjob.failed"
    batch_job_id: str
    codes: dict[str, int]


@dataclass(frozen=True, slots=True)
class BatchJobCancelled(Event):
    """A batch job was cancelled before its lines were checked."""

    kind: ClassVar[str] = "batchjob.cancelled"
    batch_job_id: str


@dataclass(frozen=True, slots=True)
class CampaignCheckBegun(Event):
    """A campaign's file was accepted and is checked next. Its request, if there comes one, has the id of the check."""

    kind: ClassVar[str] = "campaigncheck.begun"
    campaign_check_id: str
    file_id: str


@dataclass(frozen=True, slots=True)
class CampaignCheckFailed(Event):
    """A campaign has errors; nothing of it is made. `codes` are the listed errors, counted."""

    kind: ClassVar[str] = "campaigncheck.failed"
    campaign_check_id: str
    codes: dict[str, int]


@dataclass(frozen=True, slots=True)
class CampaignCheckCancelled(Event):
    """A campaign was cancelled before it was checked."""

    kind: ClassVar[str] = "campaigncheck.cancelled"
    campaign_check_id: str
