"""Checking of a large campaign: every row, then the request with all its items in one transaction, or what is wrong.

Runs in the background of one API process under a lease (workers/jobs/uploads/campaign_checks.py). Killed anywhere
before the last commit, nothing is stored, and the next look at the check begins again; after it, the request is there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, cast

import structlog
from psycopg.errors import QueryCanceled
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.errors import domain_problem
from api.edge.problems import PASSING, Complaint, Problem
from api.schemas.requests import CampaignBody
from api.submission.large.progress import CheckLost, CheckProgress
from api.submission.large.whole import CampaignFiles, WholeCampaign, checked_campaign
from api.submission.store import dry_run, store
from policy.errors import PolicyError
from workers.errors import NotFound, WorkerError
from workers.jobs.keys import get_key, is_valid
from workers.jobs.uploads import campaign_checks
from workers.jobs.uploads.campaign_checks import CampaignCheck
from workers.store import file_key

log = structlog.get_logger()
_MEMORY_BYTES = 1024 * 1024  # of a file; beyond it lies on disk


def check_campaign(parts: Parts, tenant: str, check_id: str) -> None:
    """The check, ended, unless another process has it or something is away: then it is given back."""
    with parts.transaction(tenant) as conn:
        check = campaign_checks.begin(conn, tenant, check_id)
    if check is None:
        return
    try:
        _demand_few_attempts(check)
        with _campaign(parts, check) as (campaign, caller, progress):
            _store(parts, check, campaign, caller, progress)
    except CheckLost:
        if parts.checking.is_closed:
            _give_back(parts, check, seconds=0)
    except OperationalError as error:  # the database went away, or had a deadlock: no fault of the file
        if isinstance(error.orig, QueryCanceled):
            raise
        log.warning("campaign_check_postponed", check_id=check.id, error=type(error).__name__)
        _give_back(parts, check)
    except (Problem, WorkerError, PolicyError) as error:
        problem = domain_problem(error)
        if problem is None or problem.status >= 500 or problem.code in PASSING:
            log.warning("campaign_check_postponed", check_id=check.id, error=type(error).__name__)
            _give_back(parts, check, seconds=_again_seconds(problem))
            return
        with parts.transaction(tenant) as conn:
            campaign_checks.fail(conn, check, _storable(problem.document(check.id)))


def _demand_few_attempts(check: CampaignCheck) -> None:
    """Raises Problem."""
    if check.unfinished > campaign_checks.ATTEMPTS:
        message = f"checking the file was begun {campaign_checks.ATTEMPTS} times and came to no end"
        complaint = Complaint("too_costly", message, "Send it in several parts.")
        raise Problem("invalid_campaign", f"{message}.", errors=[complaint])


@contextmanager
def _campaign(parts: Parts, check: CampaignCheck) -> Iterator[tuple[WholeCampaign, Caller, CheckProgress]]:
    """The campaign, checked, with the caller that sent it."""
    caller = _caller(parts, check)
    spec = CampaignBody.model_validate_json(json.dumps(check.spec))
    progress = CheckProgress(parts, check)
    with _spool() as table, _spool() as zipped:
        sent = CampaignFiles(_fetched(parts, check.tenant, check.file_id, table, progress))
        if check.pictures_file_id:
            sent = sent._replace(pictures=_fetched(parts, check.tenant, check.pictures_file_id, zipped, progress))
        with checked_campaign(parts, check.tenant, spec, sent, progress) as campaign:
            yield campaign, caller, progress


def _caller(parts: Parts, check: CampaignCheck) -> Caller:
    """Raises Problem where the key does not work any more: a revoked key makes nothing."""
    with parts.transaction(check.tenant) as conn:
        key = get_key(conn, check.tenant, check.key_id)
        _demand_valid_key(conn, check)
    return Caller(key.tenant, key.id, key.person, key.daily_images)


def _demand_valid_key(conn: Connection, check: CampaignCheck) -> None:
    """Raises Problem."""
    if not is_valid(conn, check.tenant, check.key_id):
        detail = "The key that sent the campaign was revoked, or has expired. Send it again with another one."
        raise Problem("forbidden", detail)


def _store(
    parts: Parts, check: CampaignCheck, campaign: WholeCampaign, caller: Caller, progress: CheckProgress
) -> None:
    asked = campaign.request.asked
    if isinstance(asked, CampaignBody) and asked.dry_run:
        with parts.transaction(check.tenant) as conn:
            found = dry_run(conn, caller, parts, campaign.request).model_dump(mode="json")
            campaign_checks.end(conn, check, state="checked", reply=_storable(found))
        return
    campaign.pictures.upload(progress.step)
    items = campaign.request.items
    request = replace(campaign.request, id=check.id, items=lambda id: progress.stored(items(id)))
    with parts.transaction(check.tenant) as conn:
        _demand_valid_key(conn, check)  # a check takes minutes
        reply = store(conn, caller, parts, request)
        state = "accepted" if reply.status == 202 else "checked"
        if not campaign_checks.end(conn, check, state=state, reply=_storable(reply.body)):
            raise CheckLost  # cancelled meanwhile, or another process has it: nothing of this commits


def _again_seconds(problem: Problem | None) -> float:
    """What the caller of a small file would be told as Retry-After; its file lasts for as long as `FILE_DAYS`."""
    return max(campaign_checks.AGAIN_SECONDS, PASSING.get(problem.code, 0) if problem else 0)


def _give_back(parts: Parts, check: CampaignCheck, *, seconds: float = campaign_checks.AGAIN_SECONDS) -> None:
    with parts.transaction(check.tenant) as conn:
        campaign_checks.give_back(conn, check, seconds=seconds)


def _fetched(parts: Parts, tenant: str, file_id: str, into: BinaryIO, progress: CheckProgress) -> BinaryIO:
    try:
        for piece in parts.store.stream(file_key(tenant, file_id)):
            into.write(piece)
            progress.step()
    except NotFound as error:
        complaint = Complaint("missing", "the file that was sent is gone", "Send the campaign again.", field="file")
        raise Problem("invalid_campaign", "The file is gone.", errors=[complaint]) from error
    into.seek(0)
    return into


@contextmanager
def _spool() -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as spooled:
        yield cast(BinaryIO, spooled)


def _storable(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what Postgres keeps in no JSON: NUL, and halves of surrogate pairs. Cells may hold both."""
    kept: dict[str, Any] = _whole(dict(document))
    return kept


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list | tuple) else value
