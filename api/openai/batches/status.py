"""Status of a batch, as the OpenAI API answers it: of the job where nothing is made yet, then of its request.

validating -> failed | cancelled
validating -> in_progress -> finalizing -> completed      every line is over; then the output files are known
              in_progress -> cancelling -> cancelled      what was open is cancelled; what is released stays
              in_progress -> expired                      what waited after 24 hours is cancelled
"""

from __future__ import annotations

from datetime import datetime

from api.schemas.batches import BatchCountsReply, BatchErrorReply, BatchErrorsReply, BatchReply
from workers.jobs.uploads.views import BatchJobView
from workers.states import RequestPhase

_ENDS = {
    RequestPhase.FINISHED: ("finalizing", "completed"),
    RequestPhase.CANCELLED: ("cancelling", "cancelled"),
    RequestPhase.EXPIRED: ("in_progress", "expired"),
}


def status_of(job: BatchJobView) -> str:
    if job.state != "started":
        return job.state
    if job.phase is None or (phase := RequestPhase(job.phase)) not in _ENDS:
        return "in_progress"
    before, after = _ENDS[phase]
    return after if job.is_settled and job.finalized_at is not None else before


def batch_reply(job: BatchJobView) -> BatchReply:
    status = status_of(job)
    errors = [BatchErrorReply(**{**one, "line": one["line"] or None}) for one in job.errors]
    cancelled = job.ended_at if job.state == "cancelled" else job.cancelled_at
    return BatchReply(
        id=f"batch_{job.id}",
        endpoint=job.endpoint,
        model=job.model,
        errors=BatchErrorsReply(data=errors) if errors else None,
        input_file_id=f"file-{job.file_id}",
        status=status,
        output_file_id=job.output_file_id and f"file-{job.output_file_id}",
        error_file_id=job.error_file_id and f"file-{job.error_file_id}",
        created_at=_seconds(job.created_at) or 0,
        in_progress_at=_seconds(job.started_at),
        expires_at=_seconds(job.expires_at) or 0,
        finalizing_at=_seconds(job.request_ended_at) if status in ("finalizing", "completed") else None,
        completed_at=_seconds(job.finalized_at) if status == "completed" else None,
        failed_at=_seconds(job.ended_at) if status == "failed" else None,
        expired_at=_seconds(job.request_ended_at) if status == "expired" else None,
        cancelling_at=_seconds(cancelled),
        cancelled_at=_seconds(cancelled) if status == "cancelled" else None,
        request_counts=BatchCountsReply(total=job.lines, completed=job.completed, failed=job.failed),
        metadata=dict(job.metadata) or None,
        request_id=job.request_id,
    )


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
