"""Output files of a batch: made of its request when they are read, so that a recalled image is in none of them.

Nothing of them is stored. `finalize` notes which of the two there are and how many bytes they have, once nothing of the
batch is in flight; a held image that a person releases later is in the next reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.openai.batches.answers import AnsweredLine, answered_lines
from policy.events import AssetDownloaded, AssetLinked
from policy.ledger.append import append
from workers.errors import NotFound
from workers.jobs.results import ResultFilter, results
from workers.jobs.uploads import batch_jobs
from workers.jobs.uploads.batch_jobs import OutputFile
from workers.jobs.uploads.views import BatchJobView, FileView, get_batch_job

_RECORDED_LINES = 50  # whose handing over is recorded in one transaction, before the first of them is sent


def output_content(parts: Parts, caller: Caller, file: FileView, *, is_seen: bool) -> Iterator[bytes]:
    """The lines of an output file, one image in memory at a time. Raises NotFound before the first."""
    with parts.transaction(caller.tenant) as conn:
        job = get_batch_job(conn, caller.tenant, file.batch_job_id or "")
    lines = (line for line in _lines(parts, caller.tenant, job) if line.part == file.part)
    first = next(lines, None)  # a database that is away is a problem, not an empty answer
    return _written(parts, caller, chain(() if first is None else (first,), lines), is_seen=is_seen)


def finalize(parts: Parts, tenant: str, job_id: str) -> None:
    """Note the output files of a batch that is over. Killed before the commit: the next look does it again."""
    with parts.transaction(tenant) as conn:
        job = get_batch_job(conn, tenant, job_id)
    if not job.is_settled:
        return
    sizes: dict[str, int] = {}
    for line in _lines(parts, tenant, job):
        if parts.background.is_closed:
            return
        sizes[line.part] = sizes.get(line.part, 0) + line.size(partial(_link, parts))
    with parts.transaction(tenant) as conn:
        batch_jobs.finalize(conn, tenant, job_id, [OutputFile(part, size) for part, size in sorted(sizes.items())])


def _lines(parts: Parts, tenant: str, job: BatchJobView) -> Iterator[AnsweredLine]:
    if job.request_id is None or job.phase is None:
        raise NotFound(f"batch {job.id} has no output")
    pages = results(partial(parts.transaction, tenant), tenant, ResultFilter(job.request_id))
    return answered_lines(pages, request_id=job.request_id, phase=job.phase, created_at=job.created_at)


def _written(parts: Parts, caller: Caller, lines: Iterator[AnsweredLine], *, is_seen: bool) -> Iterator[bytes]:
    while some := tuple(islice(lines, _RECORDED_LINES)):
        if is_seen:
            _record(parts, caller, some)
        for line in some:
            yield line.written(parts.store.get, partial(_link, parts))


def _record(parts: Parts, caller: Caller, lines: tuple[AnsweredLine, ...]) -> None:
    """Dying after the commit records something that nobody got: harmless."""
    seconds = parts.settings.link_seconds
    handed = [
        AssetLinked(str(result.asset_id), result.id, file.name, caller.key_id, seconds)
        if line.gives_links
        else AssetDownloaded(str(result.asset_id), result.id, file.name, caller.key_id)
        for line in lines
        for result, file in line.files
    ]
    if handed:
        with parts.transaction(caller.tenant) as conn:
            append(conn, tenant=caller.tenant, actor=caller.actor, events=handed)


def _link(parts: Parts, key: str) -> str:
    return parts.store.presign(key, parts.settings.link_seconds)
