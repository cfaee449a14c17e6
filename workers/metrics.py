"""Every metric of every process, declared once. Base units in the names, labels from small fixed sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

# Submission (API).
ITEMS_SUBMITTED = Counter("presswork_items_submitted_total", "Items stored by submissions", ["kind", "priority"])
ITEMS_REFUSED_AT_SUBMIT = Counter("presswork_items_refused_at_submit_total", "Items refused by their prompt at once")

# API.
HTTP_REQUESTS = Counter("presswork_http_requests_total", "Answers by route template", ["route", "method", "status"])
HTTP_SECONDS = Histogram("presswork_http_seconds", "Time to answer", ["route", "method"], buckets=_SECONDS)

# Planner and reconciler.
PENDING_ITEMS = Gauge("presswork_pending_items", "Items in no batch yet", ["queue", "priority"])
OLDEST_PENDING_SECONDS = Gauge("presswork_oldest_pending_seconds", "Age of the oldest pending item", ["queue"])
OPEN_BATCHES = Gauge("presswork_open_batches", "Batches dispatched or running", ["queue", "state"])
BATCHES_DISPATCHED = Counter("presswork_batches_dispatched_total", "Batches planned", ["queue"])
BATCH_ITEMS = Histogram("presswork_batch_items", "Images in a planned batch", buckets=(1, 2, 4, 8, 16, 32, 64))
LEASES_EXPIRED = Counter("presswork_leases_expired_total", "Batches sent again or split by the reconciler", ["queue"])
BROKER_FAILURES = Counter("presswork_broker_failures_total", "Messages the broker did not take")

# Worker.
CLAIMS = Counter("presswork_claims_total", "Messages by what the claim found", ["result"])
GPU_WAIT_SECONDS = Histogram("presswork_gpu_wait_seconds", "Wait of a claimed batch for the GPU lock", buckets=_SECONDS)
SAMPLING_SECONDS = Histogram("presswork_sampling_seconds", "GPU lock held for one batch", buckets=_SECONDS)
SAMPLED_IMAGES = Counter("presswork_sampled_images_total", "Images that came off the device")
REDRAWN_IMAGES = Counter("presswork_redrawn_images_total", "Images drawn again with another seed, as rules say")
OUT_OF_MEMORY = Counter("presswork_out_of_memory_total", "Sampling runs that did not fit in memory")
FINISHING_SECONDS = Histogram(
    "presswork_finishing_seconds",
    "Finishing by stage: screen a batch; mark or put one image",
    ["stage"],
    buckets=_SECONDS,
)
OUTCOMES = Counter("presswork_outcomes_total", "Settled items by outcome", ["outcome"])
VERDICTS = Counter("presswork_verdicts_total", "Verdicts on finished images", ["decision"])
MARK_FAILURES = Counter("presswork_mark_failures_total", "Images whose marks did not hold", ["error"])
BATCHES_RETURNED = Counter("presswork_batches_returned_total", "Claims given back or failed, by reason", ["reason"])

# Clerk.
CLERK_ACTS = Counter("presswork_clerk_acts_total", "What people ordered and the clerk carried out", ["duty"])
ERASED = Counter("presswork_erased_total", "Texts and copies of texts that were erased", ["basis", "place"])
OBJECTS_REMOVED = Counter("presswork_objects_removed_total", "Objects deleted from the store for good")
OPEN_ERASURES = Gauge("presswork_open_erasures", "Orders to erase that are not finished")
CLERK_FAILURES = Counter("presswork_clerk_failures_total", "Turns of a duty that an error ended", ["duty"])
OLDEST_OPEN_RECALL_SECONDS = Gauge("presswork_oldest_open_recall_seconds", "Age of the oldest recall in work")
WEBHOOK_ATTEMPTS = Counter("presswork_webhook_attempts_total", "Messages to webhooks by how it went", ["result"])
OPEN_HOLDS = Gauge("presswork_open_holds", "Held images that wait for a reviewer")
REVIEWS = Counter("presswork_reviews_total", "What reviewers said; final: nobody else has to", ["decision", "final"])
OLDEST_HOLD_SECONDS = Gauge("presswork_oldest_hold_seconds", "Age of the oldest of them")

# Identify.
IDENTIFICATIONS = Counter("presswork_identifications_total", "Questions about pictures, by answer", ["finding"])
IDENTIFY_SECONDS = Histogram("presswork_identify_seconds", "Time to identify one picture", buckets=_SECONDS)
OPEN_IDENTIFICATIONS = Gauge("presswork_open_identifications", "Questions that wait or are worked on")
INDEXING_SECONDS = Histogram("presswork_indexing_seconds", "Time to fingerprint one asset", buckets=_SECONDS)
INDEXED_ASSETS = Counter("presswork_indexed_assets_total", "Assets whose fingerprints were stored")
INDEX_ENTRIES = Gauge("presswork_index_entries", "Assets in this process's index")
UNINDEXED_ASSETS = Gauge("presswork_unindexed_assets", "Released assets without fingerprints yet")

# Sealer.
SEAL_LAG_SECONDS = Gauge("presswork_seal_lag_seconds", "Age of the oldest event not sealed yet")
SEALED_ENTRIES = Counter("presswork_sealed_entries_total", "Events sealed into the Merkle tree")
ANCHOR_FAILURES = Counter("presswork_anchor_failures_total", "Times an anchor did not answer", ["place"])
WITNESS_FAILURES = Counter("presswork_witness_failures_total", "Times a witness did not cosign")
WITNESSED_LEAVES = Gauge("presswork_witnessed_leaves", "Leaves under the newest head with a quorum of witnesses")
REVOKED_FILES = Gauge("presswork_revoked_files", "Files on the newest revocation list")
REVOCATION_FAILURES = Counter("presswork_revocation_failures_total", "Revocation lists that could not be issued")


def serve(port: int) -> None:
    """Serve /metrics on loopback in a daemon thread; port 0 serves none."""
    if port:
        start_http_server(port, addr="127.0.0.1")
