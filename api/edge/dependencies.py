"""Dependencies of every route, built once by `create_app` and passed down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine, func, select

from api.edge.limits.background import Background
from api.edge.limits.client_address import TrustedProxies
from api.edge.limits.counters import SharedCounter
from api.edge.limits.places import Places
from api.edge.limits.rate_limit import FairLimit, KeyLimit
from api.edge.limits.turns import Turns
from api.edge.limits.waiting import WaitingRoom
from api.edge.live.feed import Feed
from api.edge.probes import Probes, make_probes
from api.edge.startup import Registers
from policy.prompts.screen import screen_prompt
from policy.rules import Rules
from workers.database import make_engine
from workers.documents import documents_of
from workers.metrics import HTTP_LOOKUPS, HTTP_TURNS_WAITING, HTTP_UPLOADS
from workers.sampling.cards.registry import Registry
from workers.settings import Settings
from workers.store import ObjectStore

_POOL_SECONDS = 5.0  # opening ten connections takes a busy server two; after this the answer is "busy"

_AUDIT_POOL = 4  # one of them for the feed of live events, a moment at a time
_ANONYMOUS_UPLOADS = 4  # at once from one network: two slow addresses must not take what all of them share
_LOOKUPS, _LOOKUPS_PER_TENANT = 8, 2  # of webhooks' names at once; each holds a thread for up to a second
_LOOKS = 10  # at the answer, for each question that an anonymous caller may ask


@dataclass(frozen=True, slots=True)
class Parts:
    """The API process: one rule set and one registry for its life. Thread-safe."""

    settings: Settings
    engine: Engine
    auditor: Engine | None
    rules: Rules
    registry: Registry
    store: ObjectStore
    probes: Probes
    proxies: TrustedProxies
    key_limit: KeyLimit
    anonymous_questions: FairLimit
    anonymous_looks: KeyLimit
    registers: Registers
    room: WaitingRoom
    uploads: Places
    turns: Turns
    anonymous_uploads: Places
    lookups: Places
    background: Background
    planning: Background  # of catalogues: a plan may take minutes, and holds up nothing else
    checking: Background  # of large campaigns, for the same reason
    feed: Feed | None  # None: without the auditor's login

    @classmethod
    def build(cls, settings: Settings) -> Parts:
        """Raises RulesInvalid, ModelMissing and CardInvalid: a process that cannot judge does not start."""
        auditor = settings.auditor_database_url
        rules, registry = Rules.load(settings.policy_rules), Registry.load(settings.models_dir)
        screen_prompt(rules, "", tenant="")  # compiles the rules, which would cost the first caller half a second
        engine = _engine(settings.database_url.get_secret_value(), "api", settings.api_pool_size)
        store = ObjectStore(settings)
        registers = Registers(
            engine,
            documents_of(rules, settings.policy_rules, registry),
            policy_version=rules.version,
            approvals=settings.rules_approvals,
        )
        registers.begin()
        counter = SharedCounter(settings.redis_url.get_secret_value())
        audit = _engine(auditor.get_secret_value(), "api-audit", _AUDIT_POOL) if auditor else None
        room = WaitingRoom(
            partial(_transaction, engine), total=settings.max_waits, per_tenant=settings.max_waits_per_tenant
        )
        return cls(
            settings=settings,
            engine=engine,
            auditor=audit,
            rules=rules,
            registry=registry,
            store=store,
            probes=make_probes(settings, engine, store),
            proxies=TrustedProxies.parse(settings.trusted_proxies, settings.trusted_proxy_header),
            key_limit=KeyLimit(counter, "key", settings.max_requests_per_minute),
            anonymous_questions=FairLimit(
                counter,
                "address",
                settings.public_detector_per_minute,
                max(settings.public_detector_per_minute, settings.public_detector_total_per_minute),
            ),
            anonymous_looks=KeyLimit(
                counter, "looks", settings.public_detector_per_minute * _LOOKS, caller="This address"
            ),
            registers=registers,
            room=room,
            uploads=Places(
                total=settings.max_uploads,
                per_tenant=settings.max_uploads_per_tenant,
                code="too_many_uploads",
                noun="bodies that arrive",
                gauge=HTTP_UPLOADS.inc,
            ),
            turns=Turns.within(settings.api_pool_size, HTTP_TURNS_WAITING.inc),
            anonymous_uploads=Places(
                total=settings.max_uploads_per_tenant,
                per_tenant=min(_ANONYMOUS_UPLOADS, settings.max_uploads_per_tenant),
                code="too_many_uploads",
                noun="bodies that arrive",
                gauge=lambda change: None,  # `uploads` counts these too
                caller="An address without a key",
            ),
            lookups=Places(
                total=_LOOKUPS,
                per_tenant=_LOOKUPS_PER_TENANT,
                code="too_many_running",
                noun="names of webhooks that are looked up",
                gauge=HTTP_LOOKUPS.inc,
            ),
            background=Background(),
            planning=Background(),
            checking=Background(),
            feed=Feed(audit.begin) if audit is not None else None,
        )

    def transaction(self, tenant: str) -> AbstractContextManager[Connection]:
        """A transaction that row-level security confines to one tenant. Commits at the end of the block."""
        return _transaction(self.engine, tenant)

    def close(self) -> None:
        self.room.close()
        self.background.close()
        self.planning.close()
        self.checking.close()
        if self.feed is not None:
            self.feed.close()
        for engine in (self.engine, self.auditor):
            if engine is not None:
                engine.dispose()
        self.probes.close()


@contextmanager
def _transaction(engine: Engine, tenant: str) -> Iterator[Connection]:
    """The setting is local to the transaction, so the connection's next borrower does not inherit it."""
    with engine.begin() as conn:
        conn.execute(select(func.set_config("presswork.tenant", tenant, True)))
        yield conn


def _engine(url: str, name: str, pool_size: int) -> Engine:
    return make_engine(url, name=name, pool_size=pool_size, pool_seconds=_POOL_SECONDS)


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]
