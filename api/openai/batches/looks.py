"""Look at a batch: what it sets going, where nobody does it. So a process that died leaves nothing undone for ever."""

from __future__ import annotations

from functools import partial

from api.edge.dependencies import Parts
from api.openai.batches.checking import check_batch
from api.openai.batches.outputs import finalize
from workers.jobs.uploads.views import BatchJobView


def look_after(parts: Parts, tenant: str, job: BatchJobView) -> None:
    """Offers the background what comes next for this batch. A queue that is full is offered it by the next look."""
    if job.state == "validating" and job.is_idle:
        parts.background.offer(tenant, f"check {job.id}", partial(check_batch, parts, tenant, job.id))
    elif job.is_settled and _lacks_outputs(job):
        parts.background.offer(tenant, f"finalize {job.id}", partial(finalize, parts, tenant, job.id))


def _lacks_outputs(job: BatchJobView) -> bool:
    late = (job.completed and job.output_file_id is None) or (job.failed and job.error_file_id is None)
    return job.finalized_at is None or bool(late)
