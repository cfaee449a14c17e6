"""All settings, read from the environment once, validated once, passed down.

Every variable is PRESSWORK_ plus the name in capitals, e.g. PRESSWORK_DATABASE_URL. The README holds
the table; a test compares both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HOUSE = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """One process's settings. Frozen; every problem is listed at once when they are read."""

    model_config = SettingsConfigDict(env_prefix="PRESSWORK_", frozen=True, extra="ignore")

    # Where things are. Each process gets the database URL of its own role.
    database_url: SecretStr = Field(description="Postgres, as this process's own role")
    auditor_database_url: SecretStr | None = Field(None, description="Postgres as the auditor role (API, audit CLI)")
    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Celery broker")
    s3_endpoint_url: str | None = Field(None, description="S3 endpoint; empty for AWS itself")
    s3_public_endpoint_url: str | None = Field(None, description="endpoint that presigned links name, if another")
    s3_bucket: str = Field("presswork", description="bucket; its layout is in docs/storage.md")
    s3_region: str = Field("us-east-1", description="S3 region")
    s3_access_key_id: str | None = Field(None, description="this process's own S3 identity; empty: boto3's own chain")
    s3_secret_access_key: SecretStr | None = Field(None, description="its secret")

    # The line.
    queues: str = Field("gpu", description="comma-separated queues a worker serves and a planner plans")
    max_batch: int = Field(8, ge=1, le=64, description="most images sampled together")
    max_batch_pixels: int = Field(8 * 1024 * 1024, ge=64 * 64, description="most pixels sampled together")
    window: int = Field(4, ge=1, le=1000, description="batches in flight per queue")
    lease_seconds: float = Field(30.0, ge=0.5, description="lease of a claim; renewed every third of it")
    max_batch_seconds: float = Field(1800.0, ge=1, description="a claim older than this ends its worker process")
    claims_allowed: int = Field(2, ge=1, le=10, description="claims a batch may use up before it is split")
    return_seconds: float = Field(10.0, ge=0, description="a batch given back because something was away waits this")
    worker_threads: int = Field(2, ge=1, le=8, description="batches one worker process overlaps")
    poll_seconds: float = Field(1.0, ge=0.05, description="planner and reconciler look at least this often")
    seal_seconds: float = Field(1.0, ge=0.05, description="sealing interval: the tampering window")
    visibility_timeout_seconds: int = Field(600, ge=1, description="Redis redelivery; above the lease")

    # What may be made.
    models_dir: Path = Field(_HOUSE / "models", description="folder of model folders, each with its card.yaml")
    policy_rules: Path = Field(_HOUSE / "policy" / "rulesets" / "default.yaml", description="the rule set")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, ...")
    torch_threads: int = Field(0, ge=0, description="intra-op threads of torch; 0 leaves its default")

    # Marks. Files, so that a secret store can mount them; made on first start for development.
    signing_certificate: Path | None = Field(None, description="C2PA certificate chain, PEM, leaf first")
    signing_key: Path | None = Field(None, description="its private key, PEM")
    trust_anchors: Path | None = Field(None, description="root certificates the read-back trusts, PEM")
    timestamp_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="time-stamp authority (RFC 3161); set, nothing leaves without a stamp",
    )
    generator_name: str = Field("Presswork", description="provider name in the public manifest")

    # The ledger.
    ledger_origin: str = Field("presswork.example/ledger", description="name of the log, first line of a checkpoint")
    ledger_key: Path | None = Field(None, description="Ed25519 private key of the sealer, PEM")
    ledger_vkeys: Path | None = Field(None, description="public keys (vkey lines) that verify checkpoints")
    anchor_lock_days: int = Field(
        0, ge=0, le=36_500, description="object lock of anchored checkpoints, where the bucket has it; 0 locks none"
    )
    anchor_s3_lock_days: int | None = Field(
        None, ge=0, le=36_500, description="the same in the second bucket; none: as in the first"
    )
    anchor_folder: Path | None = Field(None, description="further anchor: a folder, such as a write-once share")
    anchor_s3_bucket: str | None = Field(None, description="further anchor: a second bucket, of another owner")
    anchor_s3_endpoint_url: str | None = Field(None, description="its S3 endpoint; empty for AWS itself")
    anchor_s3_region: str = Field("us-east-1", description="its region")
    anchor_s3_access_key_id: str | None = Field(None, description="the identity there; empty: boto3's own chain")
    anchor_s3_secret_access_key: SecretStr | None = Field(None, description="its secret")
    witness_policy: Path | None = Field(None, description="witnesses and their quorum, a C2SP tlog-policy file")
    witness_seconds: float = Field(5.0, ge=0.1, le=60, description="a witness that takes longer is left alone")

    revocation_hours: float = Field(24.0, gt=0, description="a revocation list is issued again after this")

    # Webhooks.
    webhook_seconds: float = Field(10.0, ge=0.1, le=50, description="one attempt at a webhook ends by then")
    webhook_give_up_hours: float = Field(72.0, gt=0, description="a message is given up after this")
    webhook_loopback: bool = Field(False, description="webhooks may go to this very machine: tests and development")

    # Retention, in days; docs/privacy.md has the reasons. 0 keeps for ever.
    retention_prompt_days: int = Field(0, ge=0, description="prompts of settled items; 0: never")
    retention_template_days: int = Field(0, ge=0, description="names, templates, metadata of requests; 0: never")
    retention_comment_days: int = Field(0, ge=0, description="reviewers' comments and reasons of recalls; 0: never")
    retention_reply_days: int = Field(30, ge=0, description="stored replies to repeated requests; 0: never")
    retention_quarantine_days: int = Field(
        90, ge=0, description="pictures left in quarantine after their review; 0: never"
    )
    retention_leftover_days: int = Field(7, ge=0, description="unlinked objects under released/; 0: never")
    retention_raw_days: int = Field(1, ge=0, description="objects under raw/; 0: never")
    retention_recalled_days: int = Field(365, ge=0, description="objects of recalled assets; 0: never")
    retention_rest_seconds: float = Field(3600.0, gt=0, description="a sweep that found nothing rests so long")

    # Identification: whose picture is this?
    identify_max_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="a picture sent to be identified")
    identify_lease_seconds: float = Field(120.0, ge=1, description="a question not answered by then is asked again")
    identify_keep_seconds: float = Field(86_400.0, ge=60, description="an answer can be read for so long")
    public_detector_tenant: str = Field(
        "", pattern="^[a-z0-9-]{0,63}$", description="strangers may ask /v1/detect in this tenant's name; empty: nobody"
    )
    public_detector_per_minute: int = Field(10, ge=1, description="questions of one address; all together ten times")

    # API limits.
    max_rows: int = Field(50_000, ge=1, description="data rows of one campaign")
    max_items: int = Field(100_000, ge=1, description="rows x variants of one request")
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="request body")
    body_seconds: float = Field(300.0, gt=0, description="a request body must have arrived within this")
    max_cell_chars: int = Field(4_000, ge=1, description="one cell of a spreadsheet")
    max_prompt_chars: int = Field(2_000, ge=1, description="rendered prompt")
    max_variants: int = Field(16, ge=1, description="variants of one row")
    max_pixels: int = Field(4096 * 4096, ge=64 * 64, description="width x height of one image")
    max_steps: int = Field(100, ge=1, description="num_inference_steps")
    max_megapixel_steps: int = Field(50_000_000, ge=1, description="megapixels x steps of one whole request")
    max_open_items: int = Field(500_000, ge=1, description="items of a tenant that may wait at once")
    max_requests_per_minute: int = Field(3_000, ge=1, description="requests of one key to one API process")
    link_seconds: int = Field(900, ge=1, le=900, description="life of a presigned link")

    # Serving.
    api_host: str = Field("127.0.0.1", description="address of presswork-api")
    api_port: int = Field(8400, ge=1, le=65535, description="its port")
    api_pool_size: int = Field(10, ge=1, le=100, description="database connections of one API process")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="/metrics of planner, sealer, clerk, identify, worker; 0: none"
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="structlog level")
    crash_point: str = Field("", description="tests only: name of the step at which the process kills itself")

    @model_validator(mode="after")
    def _they_fit_together(self) -> Self:
        if self.visibility_timeout_seconds <= self.lease_seconds:
            raise ValueError(
                f"visibility_timeout_seconds ({self.visibility_timeout_seconds}) must be above lease_seconds"
                f" ({self.lease_seconds:g}): Redis would deliver batches again that are being made"
            )
        if not self.queue_names:
            raise ValueError("queues names no queue; the default is 'gpu'")
        return self

    def to_environment(self) -> dict[str, str]:
        """The variables that another process reads these very settings from. Holds secrets in the clear."""
        values = self.model_dump(exclude_none=True)
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items()}
        return {f"PRESSWORK_{name.upper()}": str(value) for name, value in plain.items()}

    @property
    def queue_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.queues.split(",") if name.strip())
