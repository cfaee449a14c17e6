"""Metrics of every process, declared once, and its readiness. Base units in names, labels from small fixed sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from policy.verdict import Decision
from workers.states import Priority

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

# Submission (API).
ITEMS_SUBMITTED = Counter("presswork_items_submitted_total", "Items stored by submissions.", ["kind", "priority"])
ITEMS_REFUSED_AT_SUBMIT = Counter(
    "presswork_items_refused_at_submit_total", "Items whose prompt was refused at submission."
)

# API.
HTTP_REQUESTS = Counter(
    "presswork_http_requests_total",
    "HTTP responses by route template, method and status.",
    ["route", "method", "status"],
)
HTTP_SECONDS = Histogram(
    "presswork_http_seconds", "Duration of an HTTP request.", ["route", "method"], buckets=_SECONDS
)
HTTP_WAITS = Gauge("presswork_http_waits", "HTTP responses that `wait` holds back.")
HTTP_UPLOADS = Gauge("presswork_http_uploads", "HTTP request bodies that are arriving.")
HTTP_TURNS_WAITING = Gauge("presswork_http_turns_waiting", "HTTP requests that wait for others to end before they run.")
HTTP_LOOKUPS = Gauge("presswork_http_lookups", "Names of webhooks that API calls are looking up.")
HTTP_CONNECTIONS_ENDED = Counter(
    "presswork_http_connections_ended_total",
    "HTTP connections that the server refused or closed early, by reason.",
    ["reason"],
)

RATE_LIMITS_LOCAL = Gauge(
    "presswork_rate_limits_local",
    "Whether this API process counts requests alone because Redis does not answer: 1 or 0.",
)

# Planner and reconciler.
PENDING_ITEMS = Gauge("presswork_pending_items", "Items that are in no batch yet.", ["queue", "priority"])
OLDEST_PENDING_SECONDS = Gauge("presswork_oldest_pending_seconds", "Age of the oldest pending item.", ["queue"])
LIVE_WORKERS = Gauge("presswork_live_workers", "Workers that were seen lately, by state.", ["queue", "state"])
UNSERVABLE_RECIPES = Gauge(
    "presswork_unservable_recipes", "Recipes that every live worker of the queue refused.", ["queue"]
)
DEVICES_OUT = Gauge("presswork_devices_out", "Devices that were taken out of use after errors in a row.")
MOST_RETURNS = Gauge("presswork_most_returns", "Highest number of returned claims of an open batch.", ["queue"])
OPEN_BATCHES = Gauge("presswork_open_batches", "Batches that are dispatched or running.", ["queue", "state"])
BATCHES_DISPATCHED = Counter("presswork_batches_dispatched_total", "Batches planned.", ["queue"])
BATCH_ITEMS = Histogram(
    "presswork_batch_items", "Number of images in a planned batch.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
LEASES_EXPIRED = Counter(
    "presswork_leases_expired_total", "Batches that the reconciler sent again or split.", ["queue"]
)
BROKER_FAILURES = Counter(
    "presswork_broker_failures_total", "Publish failures: messages that the broker did not accept."
)

# Worker.
CLAIMS = Counter("presswork_claims_total", "Claim results: claimed, nothing to do, put off, or refused.", ["result"])
GPU_WAIT_SECONDS = Histogram(
    "presswork_gpu_wait_seconds", "Time that a claimed batch waits for the GPU lock.", buckets=_SECONDS
)
SAMPLING_SECONDS = Histogram("presswork_sampling_seconds", "Time that one batch holds the GPU lock.", buckets=_SECONDS)
GPU_SECONDS = Counter("presswork_gpu_seconds_total", "GPU seconds of settled items by outcome.", ["outcome"])
ENERGY_JOULES = Counter("presswork_energy_joules_total", "Energy that devices report for sampling, in joules.")
SAMPLED_IMAGES = Counter("presswork_sampled_images_total", "Images sampled.")
REDRAWN_IMAGES = Counter(
    "presswork_redrawn_images_total", "Images sampled again with another seed because a rule asked for it."
)
UNUSABLE = Gauge(
    "presswork_unusable",
    "Models, upscalers, adapters and reference networks that are installed and that this process cannot use.",
    ["kind"],
)
for _kind in ("model", "upscaler", "adapter", "reference"):
    UNUSABLE.labels(_kind).set(0)
MODEL_LOADS = Counter("presswork_model_loads_total", "Models that were loaded into memory.")
SOURCE_LATENTS = Counter(
    "presswork_source_latents_total",
    "Calls of autoencoders for pictures, by whether their answer was kept: hit or miss.",
    ["result"],
)
TEXT_EMBEDDINGS = Counter(
    "presswork_text_embeddings_total",
    "Calls of text encoders, by whether their answer was kept: hit or miss.",
    ["result"],
)
MODEL_MEMORY = Gauge("presswork_model_memory_bytes", "Size of the weights of the models that are in memory.")
OUT_OF_MEMORY = Counter("presswork_out_of_memory_total", "Sampling runs that ran out of memory.")
FINISHING_SECONDS = Histogram(
    "presswork_finishing_seconds",
    "Duration of a finishing stage: per batch for screening, per image for marking and storing.",
    ["stage"],
    buckets=_SECONDS,
)
OUTCOMES = Counter("presswork_outcomes_total", "Settled items by outcome.", ["outcome"])
VERDICTS = Counter("presswork_verdicts_total", "Screening verdicts on finished images.", ["decision"])
MARK_FAILURES = Counter(
    "presswork_mark_failures_total", "Images whose watermark or manifest did not read back.", ["error"]
)
WORKER_PAUSED = Gauge(
    "presswork_worker_paused",
    "Whether this worker takes no batches, by what is at fault: itself, its device, or a service that all share.",
    ["fault"],
)
BATCHES_RETURNED = Counter("presswork_batches_returned_total", "Claims returned or failed, by reason.", ["reason"])

# Clerk.
CLERK_ACTS = Counter("presswork_clerk_acts_total", "Orders that the clerk carried out, by duty.", ["duty"])
ERASED = Counter("presswork_erased_total", "Erased texts and copies of texts, by what they were.", ["basis", "text"])
OBJECTS_REMOVED = Counter("presswork_objects_removed_total", "Objects deleted from the object store.")
OPEN_ERASURES = Gauge("presswork_open_erasures", "Erasure orders that are not finished.")
CLERK_FAILURES = Counter("presswork_clerk_failures_total", "Clerk rounds that ended with an error, by duty.", ["duty"])
OLDEST_OPEN_RECALL_SECONDS = Gauge(
    "presswork_oldest_open_recall_seconds", "Age of the oldest recall that is not finished."
)
WEBHOOK_ATTEMPTS = Counter("presswork_webhook_attempts_total", "Webhook attempts by result.", ["result"])
OPEN_HOLDS = Gauge("presswork_open_holds", "Held images that wait for a reviewer.")
REVIEWS = Counter(
    "presswork_reviews_total", "Review decisions. final=no: another person must agree.", ["decision", "final"]
)
OLDEST_HOLD_SECONDS = Gauge("presswork_oldest_hold_seconds", "Age of the oldest image that waits for a reviewer.")

# Identify.
IDENTIFICATIONS = Counter("presswork_identifications_total", "Identifications by finding.", ["finding"])
IDENTIFY_SECONDS = Histogram("presswork_identify_seconds", "Time to identify one image.", buckets=_SECONDS)
OPEN_IDENTIFICATIONS = Gauge("presswork_open_identifications", "Identifications that wait or are in work.")
INPUTS = Counter("presswork_inputs_total", "Inputs that were looked at, by outcome.", ["outcome"])
INTAKE_SECONDS = Histogram("presswork_intake_seconds", "Time to decode, screen and store one input.", buckets=_SECONDS)
OPEN_INPUTS = Gauge("presswork_open_inputs", "Inputs that wait or are looked at.")
INDEXING_SECONDS = Histogram("presswork_indexing_seconds", "Time to fingerprint one asset.", buckets=_SECONDS)
INDEXED_ASSETS = Counter("presswork_indexed_assets_total", "Assets whose fingerprints were stored.")
INDEX_ENTRIES = Gauge("presswork_index_entries", "Assets in the index of this process.")
UNINDEXED_ASSETS = Gauge("presswork_unindexed_assets", "Released assets without fingerprints.")

# Sealer.
SEAL_LAG_SECONDS = Gauge("presswork_seal_lag_seconds", "Age of the oldest event that is not sealed.")
SEALED_ENTRIES = Counter("presswork_sealed_entries_total", "Events sealed into the Merkle tree.")
ANCHOR_FAILURES = Counter("presswork_anchor_failures_total", "Failed attempts to reach an anchor.", ["place"])
WITNESS_FAILURES = Counter("presswork_witness_failures_total", "Failed attempts to get a cosignature from a witness.")
WITNESSED_LEAVES = Gauge(
    "presswork_witnessed_leaves", "Leaves under the newest tree head that a quorum of witnesses cosigned."
)
REVOKED_FILES = Gauge("presswork_revoked_files", "Files on the newest revocation list.")
REVOCATION_FAILURES = Counter("presswork_revocation_failures_total", "Failed attempts to issue the revocation list.")


# Label values that are known beforehand, one list a label. Missing: what differs by installation or process, which
# `start_at_zero` is told, and the anchors, whose series the sealer makes.
_DUTIES = (
    *("reviews", "recalls", "erasures", "retention", "removals", "inputs", "files", "catalogues", "schedules"),
    *("webhooks", "deliveries", "catalogue_deliveries"),
)
_KNOWN: dict[Counter | Gauge | Histogram, tuple[tuple[str, ...], ...]] = {
    ITEMS_SUBMITTED: (("single", "campaign", "batch", "marks"), tuple(Priority)),
    HTTP_CONNECTIONS_ENDED: (("refused", "made_room", "head_too_slow", "reader_stalled"),),
    WORKER_PAUSED: (("worker", "device", "service"),),
    CLAIMS: (("claimed", "nothing_to_do", "put_off", "refused"),),
    FINISHING_SECONDS: (("meaning", "screen", "mark", "put"),),
    OUTCOMES: (("released", "held", "refused", "failed"),),
    GPU_SECONDS: (("released", "held", "refused", "failed"),),
    VERDICTS: (tuple(Decision),),
    MARK_FAILURES: (("MarkUnreadable", "ManifestInvalid", "MarkError", "DigestMismatch"),),
    BATCHES_RETURNED: (
        (
            *("lease_lost", "draining", "store_unavailable", "store_refused", "signing_unavailable"),
            *("hub_unavailable", "database_unavailable", "database_refused", "connection_failed", "worker_broken"),
            *("screen_unavailable", "ledger_refused"),
            *("model_missing", "model_refused", "card_invalid", "out_of_memory", "device_failed"),
            *("unexpected", "unexpected_errors"),
        ),
    ),
    CLERK_ACTS: (_DUTIES,),
    CLERK_FAILURES: (_DUTIES,),
    ERASED: (("request", "retention"), ("items", "requests", "texts", "comments", "reasons", "replies")),
    WEBHOOK_ATTEMPTS: (
        (
            *("delivered", "given_up", "status", "redirect", "timeout", "tls"),
            *("connection", "unresolved", "address_refused"),
        ),
    ),
    REVIEWS: (("release", "refuse"), ("yes", "no")),
    TEXT_EMBEDDINGS: (("hit", "miss"),),
    SOURCE_LATENTS: (("hit", "miss"),),
    IDENTIFICATIONS: (("ours", "ours_altered", "shares_content", "not_found", "conflicting", "failed"),),
    INPUTS: (("ready", "refused", "failed"),),
}
_SERVER_ERRORS = ("500", "503")


def start_at_zero(queues: Iterable[str], routes: Iterable[tuple[str, str]] = ()) -> None:
    """Give every known label value its series, at 0. Repeating it changes nothing.

    A counter that appears with its first failure has no step that `rate` and `increase` could see: the alert on the
    first failure would stay silent. `routes` are the API's route templates with their methods.
    """
    for metric, values in _KNOWN.items():
        for combination in product(*values):
            metric.labels(*combination)
    for queue in queues:
        for gauge in (UNSERVABLE_RECIPES, MOST_RETURNS):
            gauge.labels(queue)
        for state in ("ready", "stopped"):
            LIVE_WORKERS.labels(queue, state)
        BATCHES_DISPATCHED.labels(queue)
        LEASES_EXPIRED.labels(queue)
    for route, method in routes:
        HTTP_SECONDS.labels(route, method)
        for status in _SERVER_ERRORS:
            HTTP_REQUESTS.labels(route, method, status)


_wrong: dict[str, str] = {}


def report(part: str, reason: str | None) -> None:
    """What keeps a part of this process from its work, as a stable code; None: nothing. Thread-safe."""
    if reason is None:
        _wrong.pop(part, None)
    else:
        _wrong[part] = reason


def problems() -> dict[str, str]:
    """What was reported, by part; empty: ready."""
    return dict(_wrong)


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Serve /metrics, /livez and /readyz in a daemon thread; port 0 serves none. Not ready: 503 with the reasons."""
    if port:
        server = make_server(host, port, _answer, ThreadingWSGIServer, handler_class=_Quiet)
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


_metrics_app = make_wsgi_app()


class _Quiet(WSGIRequestHandler):
    """Probes come every few seconds: none is logged."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ.get("PATH_INFO", "/")
    if path == "/metrics":
        told: Iterable[bytes] = _metrics_app(environ, start_response)
        return told
    wrong = problems() if path == "/readyz" else {}
    status = "404 Not Found" if path not in ("/livez", "/readyz") else "503 Service Unavailable" if wrong else "200 OK"
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps({"problems": wrong}).encode()]
