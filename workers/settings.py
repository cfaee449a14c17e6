"""Settings of every process, read from the environment once, validated once, passed down.

Every variable is PRESSWORK_ plus the name in capitals, e.g. PRESSWORK_DATABASE_URL. The README holds the table that
`python -m tools.configuration` makes of the descriptions below; a test compares both. A description is one or two
sentences for an operator: what the value is, with its unit, and what happens at a special value.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from workers.cost.prices import Prices
from workers.states import FINISHING

# What a submission is warned of because of its model's card; docs/api.md says what each means.
REFUSABLE_WARNINGS = (
    "prompt_cut",
    "negative_prompt_cut",
    "unusual_size",
    "unknown_words",
    "several_things",
    "colour_ignored",
    "lora_not_asked",
)
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}=[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """The settings of one process. Frozen. Reading them reports every problem at once."""

    model_config = SettingsConfigDict(env_prefix="PRESSWORK_", frozen=True, extra="ignore")

    # Connections. Each process gets the database URL of its own role.
    database_url: SecretStr = Field(description="Postgres URL with the login of this process's role.")
    auditor_database_url: SecretStr | None = Field(
        None,
        description="Postgres URL with the auditor's login. The API and `presswork recall` read the ledger through it.",
    )
    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="URL of the Celery broker.")
    s3_endpoint_url: str | None = Field(None, description="URL of the S3 endpoint. Unset: AWS.")
    s3_public_endpoint_url: str | None = Field(
        None, description="S3 endpoint that presigned links name, if clients reach the store under another URL."
    )
    s3_bucket: str = Field("presswork", description="Name of the bucket. docs/storage.md describes its layout.")
    s3_region: str = Field("us-east-1", description="S3 region.")
    s3_access_key_id: str | None = Field(
        None, description="S3 access key of this process's role. Unset: boto3's default credential chain."
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of that S3 access key.")

    # Batches and leases.
    queues: str = Field(
        "gpu",
        description="Comma-separated names of the queues that a planner plans and a worker serves. `finishing` is"
        " always one of them; a worker of that alone needs no device.",
    )
    marks_queue: str = Field(
        "gpu",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Name of the queue in which pictures of other tools are marked. No model draws there.",
    )
    keep_drawings: bool = Field(
        True,
        description="Keep the pixels of each picture without marks, so that other files are made of it without a"
        " device. They take about as much room as the originals. Nobody links to them.",
    )
    thumbnails: bool = Field(
        True,
        description="Make a small WebP of each finished picture and store it beside its files, for lists. Off: the API"
        " makes it each time one is asked for.",
    )
    max_batch: int = Field(8, ge=1, le=64, description="Maximum number of images sampled together.")
    max_batch_pixels: int = Field(8 * 1024 * 1024, ge=64 * 64, description="Maximum number of pixels sampled together.")
    window: int = Field(
        4,
        ge=1,
        le=1000,
        description="Number of batches in flight per queue, or twice the threads of its live workers if that is more.",
    )
    stay_batches: int = Field(
        8,
        ge=0,
        le=1_000,
        description="Number of batches per live worker for which the planner may stay with a loaded model while another"
        " tenant's turn waits. 0: it never does.",
    )
    lease_seconds: float = Field(
        30.0, ge=0.5, description="Lease of a claimed batch, in seconds. The worker renews it every third of that time."
    )
    max_batch_seconds: float = Field(
        1800.0, ge=1, description="Maximum age of a claim, in seconds. An older one ends its worker process."
    )
    claims_allowed: int = Field(
        2, ge=1, le=10, description="Number of claims after which a batch that was never settled is split."
    )
    return_seconds: float = Field(10.0, ge=0, description="Delay before a returned batch is sent again, in seconds.")
    unservable_seconds: float = Field(
        900.0,
        ge=0,
        description="Time for which items wait while no live worker of their queue can make them, in seconds.",
    )
    worker_threads: int = Field(
        2, ge=1, le=8, description="Number of batches that one worker process handles at the same time."
    )
    poll_seconds: float = Field(
        1.0, ge=0.05, description="Maximum pause of the planner and the reconciler between two rounds, in seconds."
    )
    rest_seconds: float = Field(
        15.0,
        ge=0.05,
        description="Maximum pause between two looks while nothing is open and no NOTIFY arrives, in seconds. Set 2"
        " where a pooler in transaction mode swallows NOTIFY.",
    )
    seal_seconds: float = Field(
        1.0, ge=0.05, description="Interval between two seals of the ledger, in seconds. This is the tampering window."
    )
    visibility_timeout_seconds: int = Field(
        600,
        ge=1,
        description="Time after which Redis delivers an unacknowledged message again, in seconds. Above the lease.",
    )

    # Models and policy.
    models_dir: Path = Field(
        _ROOT / "models", description="Folder that holds one folder per model, each with a card.yaml."
    )
    model_aliases: str = Field(
        "",
        description="Comma-separated further names of models, such as `gpt-image-1=studio,dall-e-3=studio`. A request"
        " that names one is made by that model, and its record names the model. `GET /v1/models` lists them.",
    )
    require_stated_models: bool = Field(
        False,
        description="Refuse requests for a model whose card leaves its licence, the licence of its training data, its"
        " training data, its owner or its allowed use unknown.",
    )
    require_approved_models: bool = Field(
        False, description="Refuse requests for a model revision that nobody approved with `presswork models approve`."
    )
    refuse_warnings: str = Field(
        "",
        description=f"Comma-separated codes of warnings that refuse a request: {', '.join(REFUSABLE_WARNINGS)}.",
    )
    policy_rules: Path = Field(_ROOT / "policy" / "rulesets" / "default.yaml", description="File of the rule set.")
    rules_approvals: int = Field(
        0,
        ge=0,
        le=5,
        description="Number of different people who must have approved the rule set (`presswork policy approve`)"
        " before it is used. 0: none.",
    )
    device: str = Field("auto", description="Torch device: auto, cpu, cuda, cuda:1, ...")
    compile: bool = Field(
        False,
        description="Compile the blocks that a denoiser repeats, with torch.compile, whenever a model is loaded onto"
        " CUDA. Loading takes longer, by a minute or so.",
    )
    model_memory_mib: int = Field(
        0,
        ge=0,
        description="Memory for the weights of models that stay loaded, in MiB. 0: six tenths of a GPU's memory, or"
        " four tenths of the host's.",
    )
    torch_threads: int = Field(0, ge=0, description="Number of torch's intra-op threads. 0: torch's default.")
    prices: str = Field(
        "",
        description="Price of an hour of each device class, such as `NVIDIA H200=3.50,cpu=0.05`; `*` is every other"
        " class. The workers and the API need the same list. docs/cost.md.",
    )
    currency: str = Field("", description="Currency of the prices, as a code of ISO 4217, such as EUR.")

    # Marks. The keys are files, so that a secret store can mount them. `presswork up` makes development keys.
    signing_certificate: Path | None = Field(None, description="C2PA certificate chain, PEM, leaf first.")
    signing_key: Path | None = Field(None, description="Private key of the C2PA certificate, PEM.")
    signing_url: str = Field(
        "",
        pattern=r"^(https://\S+|http://(127\.0\.0\.1|localhost)[:/]\S*)?$",
        description="URL of a key service that signs instead of PRESSWORK_SIGNING_KEY. docs/marks.md has its protocol.",
    )
    signing_token: SecretStr | None = Field(None, description="Bearer token for the key service.")
    trust_anchors: Path | None = Field(
        None, description="Root certificates that the read-back of a manifest trusts, PEM."
    )
    timestamp_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="URL of a time-stamp authority (RFC 3161). If set, no image is released without a time stamp.",
    )
    generator_name: str = Field("Presswork", description="Name of the generator in the public manifest.")

    # The ledger.
    ledger_origin: str = Field(
        "presswork.example/ledger", description="Name of the log: the first line of every checkpoint."
    )
    ledger_key: Path | None = Field(None, description="Private key of the sealer, Ed25519, PEM.")
    ledger_vkeys: Path | None = Field(None, description="Public keys that verify checkpoints, one vkey a line.")
    anchor_lock_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Object lock of anchored checkpoints, in days, if the bucket supports it. 0: no lock.",
    )
    anchor_s3_lock_days: int | None = Field(
        None, ge=0, le=36_500, description="Object lock in the second bucket, in days. Unset: as in the first bucket."
    )
    anchor_folder: Path | None = Field(None, description="Additional anchor: a folder, such as a write-once share.")
    anchor_s3_bucket: str | None = Field(
        None, description="Additional anchor: a second bucket, ideally of another owner."
    )
    anchor_s3_endpoint_url: str | None = Field(None, description="S3 endpoint of the second bucket. Unset: AWS.")
    anchor_s3_region: str = Field("us-east-1", description="S3 region of the second bucket.")
    anchor_s3_access_key_id: str | None = Field(
        None, description="S3 access key for the second bucket. Unset: boto3's default credential chain."
    )
    anchor_s3_secret_access_key: SecretStr | None = Field(
        None, description="Secret of the S3 access key for the second bucket."
    )
    witness_policy: Path | None = Field(
        None, description="File that names the witnesses and their quorum, in the C2SP tlog-policy format."
    )
    witness_seconds: float = Field(5.0, ge=0.1, le=60, description="Timeout of one request to a witness, in seconds.")

    revocation_hours: float = Field(
        24.0, gt=0, description="Maximum age of the newest revocation list, in hours. An older one is issued again."
    )

    # Webhooks.
    webhook_seconds: float = Field(10.0, ge=0.1, le=50, description="Timeout of one webhook attempt, in seconds.")
    delivery_seconds: float = Field(
        60.0, ge=1, le=600, description="Timeout of one call to a bucket of a tenant, in seconds."
    )
    webhook_give_up_hours: float = Field(
        72.0, gt=0, description="Time after which an undelivered webhook message is given up, in hours."
    )
    webhook_loopback: bool = Field(
        False, description="Allow webhooks to loopback addresses. For tests and development only."
    )

    # Retention. docs/privacy.md has the reasons.
    retention_prompt_days: int = Field(
        0, ge=0, description="Retention of the prompts of settled items, in days. 0: kept forever."
    )
    retention_template_days: int = Field(
        0, ge=0, description="Retention of the names, templates and metadata of requests, in days. 0: kept forever."
    )
    retention_comment_days: int = Field(
        0, ge=0, description="Retention of review comments and recall reasons, in days. 0: kept forever."
    )
    retention_reply_days: int = Field(
        30, ge=0, description="Retention of stored replies to idempotent requests, in days. 0: kept forever."
    )
    retention_quarantine_days: int = Field(
        90,
        ge=0,
        description="Retention of images that stayed in quarantine after their review, in days. 0: kept forever.",
    )
    retention_leftover_days: int = Field(
        7, ge=0, description="Retention of objects under released/ that no row refers to, in days. 0: kept forever."
    )
    retention_recalled_days: int = Field(
        365, ge=0, description="Retention of the files of recalled assets, in days. 0: kept forever."
    )
    retention_drawing_days: int = Field(
        30,
        ge=0,
        description="Retention of kept drawings after a file was last made of them, in days. 0: kept forever.",
    )
    retention_input_days: int = Field(
        365, ge=0, description="Retention of inputs after the last request that named them, in days. 0: kept forever."
    )
    retention_rest_seconds: float = Field(
        3600.0, gt=0, description="Pause after a retention sweep that found nothing, in seconds."
    )

    # Identification.
    identify_max_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Maximum size of an image sent to be identified, in bytes."
    )
    identify_lease_seconds: float = Field(
        120.0, ge=1, description="Lease of an identification in work, in seconds. After it, another process takes over."
    )
    identify_keep_seconds: float = Field(
        86_400.0, ge=60, description="Time for which the result of an identification can be read, in seconds."
    )
    public_detector_tenant: str = Field(
        "",
        pattern="^[a-z0-9-]{0,63}$",
        description="Tenant as which anonymous callers of /v1/detect act. Unset: /v1/detect answers 404.",
    )
    public_detector_per_minute: int = Field(
        10, ge=1, description="Anonymous requests to the public detector per minute and IP address (IPv6: /64 network)."
    )
    public_detector_total_per_minute: int = Field(
        100,
        ge=1,
        description="Anonymous requests to the public detector per minute, all addresses together."
        " No address may use more than what is left of it.",
    )

    soft_binding_tenants: str = Field(
        "",
        pattern="^[a-z0-9,-]*$",
        description="Tenants whose manifests anybody may get by the watermark of a picture, comma-separated."
        " Unset: /v1/soft-bindings answers 404.",
    )

    # Inputs: pictures that tenants send in for tasks.
    input_max_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Maximum size of an image sent as an input, in bytes."
    )
    input_max_pixels: int = Field(
        4096 * 4096, ge=64 * 64, le=64_000_000, description="Maximum size of an input, in pixels: width x height."
    )
    input_max_side: int = Field(8192, ge=64, le=32_000, description="Maximum length of a side of an input, in pixels.")
    input_archive_max_bytes: int = Field(
        512 * 1024 * 1024, ge=1024, description="Maximum size of the ZIP of pictures of a campaign, in bytes."
    )
    input_fetch_seconds: float = Field(
        30.0, ge=0.5, le=120, description="Time within which an input must arrive from its https address, in seconds."
    )

    # API limits.
    max_rows: int = Field(50_000, ge=1, description="Maximum number of data rows of a campaign.")
    max_items: int = Field(100_000, ge=1, description="Maximum number of items of a request: rows x variants.")
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="Maximum size of a request body, in bytes.")
    check_later_bytes: int = Field(
        1024 * 1024,
        ge=0,
        description="Size of a campaign's file, in bytes, from which it is checked behind the answer. A packed file"
        " counts eightfold. docs/api.md.",
    )
    max_file_bytes: int = Field(
        200 * 1024 * 1024, ge=1024, description="Maximum size of a file for a batch of the OpenAI API, in bytes."
    )
    max_files_bytes: int = Field(
        10 * 1024**3, ge=1024, description="Maximum size of a tenant's uploaded files that are kept, in bytes."
    )
    max_zip_bytes: int = Field(
        2 * 1024**3, ge=1, description="Maximum size of the files in a ZIP of results, in bytes. docs/results.md."
    )
    body_seconds: float = Field(300.0, gt=0, description="Time within which a request body must arrive, in seconds.")
    max_cell_chars: int = Field(4_000, ge=1, description="Maximum length of a spreadsheet cell, in characters.")
    max_prompt_chars: int = Field(2_000, ge=1, description="Maximum length of a rendered prompt, in characters.")
    max_variants: int = Field(16, ge=1, description="Maximum number of variants of a row.")
    max_pixels: int = Field(
        4096 * 4096, ge=64 * 64, description="Maximum size of an image, in pixels: width x height, after upscaling."
    )
    max_steps: int = Field(100, ge=1, description="Maximum num_inference_steps.")
    max_megapixel_steps: int = Field(50_000_000, ge=1, description="Maximum megapixels x steps of a whole request.")
    max_open_items: int = Field(
        500_000, ge=1, description="Maximum number of a tenant's items that wait at the same time."
    )
    max_requests_per_minute: int = Field(
        3_000, ge=1, description="Requests per minute and API key, counted over all API processes."
    )
    link_seconds: int = Field(900, ge=1, le=900, description="Lifetime of a presigned link, in seconds.")

    images_seconds: float = Field(300, ge=0.05, le=580, description="Maximum wait of a call for images, in seconds.")

    stream_seconds: float = Field(
        3600.0, gt=0, description="Maximum duration of a stream of events, in seconds. Its client then reconnects."
    )

    # Serving.
    api_host: str = Field("127.0.0.1", description="Address on which the API listens.")
    api_port: int = Field(8400, ge=1, le=65535, description="Port on which the API listens.")
    trusted_proxies: str = Field(
        "",
        description="Comma-separated networks (CIDR) of the proxies whose forwarding header is believed."
        " Unset: no forwarding header is read.",
    )
    trusted_proxy_header: str = Field(
        "x-forwarded-for",
        pattern="^(x-forwarded-for|forwarded)$",
        description="Header in which the trusted proxies name their client: x-forwarded-for or forwarded.",
    )
    api_pool_size: int = Field(10, ge=1, le=100, description="Database connections of one API process.")
    max_connections: int = Field(
        1_000,
        ge=10,
        description="HTTP connections of one API process. At the limit, a new one replaces the longest idle one.",
    )
    head_seconds: float = Field(
        10.0, gt=0, description="Time within which the head of an HTTP request must have arrived, in seconds."
    )
    max_uploads: int = Field(400, ge=1, description="Request bodies that one API process receives at the same time.")
    max_uploads_per_tenant: int = Field(
        100, ge=1, description="Request bodies of a tenant that one API process receives at the same time."
    )
    max_waits: int = Field(
        400, ge=1, description="Requests that one API process holds back for `wait` at the same time."
    )
    max_waits_per_tenant: int = Field(
        100, ge=1, description="Requests of a tenant that one API process holds back for `wait` at the same time."
    )
    cors_origins: str = Field(
        "",
        pattern=r"^(\*|https?://[^\s,/*]+(,https?://[^\s,/*]+)*)?$",
        description="Web origins whose scripts may call the API, comma-separated; `*`: every origin. Unset: none.",
    )
    console: bool = Field(True, description="Serve the console, the pages for a browser, at /console. docs/console.md.")
    console_session_hours: float = Field(
        12, gt=0, le=24 * 30, description="Maximum duration of a session of the console, in hours."
    )
    oidc_issuer: str | None = Field(
        None,
        description="Issuer (OpenID Connect) at which people sign in to the console. Unset: API keys only.",
    )
    oidc_client_id: str = Field("", description="Client id that the issuer gave this installation.")
    oidc_client_secret: SecretStr | None = Field(None, description="Client secret. Unset: a public client.")
    oidc_redirect_url: str = Field(
        "", description="Address of the callback as browsers see it: https://HOST/console/oidc/callback."
    )
    oidc_roles_file: Path | None = Field(
        None, description="YAML file: which group of the issuer has which scopes in which tenant. docs/console.md."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of /metrics, /livez and /readyz, for every process except the API. 0: not served.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address on which that port listens. 0.0.0.0 where a scraper is on another host."
    )
    log_level: str = Field(
        "INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Lowest level that is logged: DEBUG, INFO, WARNING or ERROR.",
    )
    otlp_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="URL to which traces are sent as OTLP in JSON, such as `http://collector:4318/v1/traces`. Unset:"
        " nothing is traced.",
    )
    crash_point: str = Field("", description="For tests only: name of the step at which the process kills itself.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No .env file: there is none to read, and looking through it takes as long as through the environment."""
        return init_settings, env_settings

    @model_validator(mode="after")
    def _they_fit_together(self) -> Self:
        if self.visibility_timeout_seconds <= self.lease_seconds:
            raise ValueError(
                f"visibility_timeout_seconds ({self.visibility_timeout_seconds}) must be above lease_seconds"
                f" ({self.lease_seconds:g}), or Redis delivers batches again while they run"
            )
        if self.max_waits + self.max_uploads >= self.max_connections:
            raise ValueError(
                f"max_waits ({self.max_waits}) and max_uploads ({self.max_uploads}) together must be below"
                f" max_connections ({self.max_connections}), or slow callers hold every connection"
            )
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_redirect_url and self.oidc_roles_file):
            raise ValueError("oidc_issuer needs oidc_client_id, oidc_redirect_url and oidc_roles_file")
        Prices.parse(self.prices, self.currency)
        for pair in filter(None, (text.strip() for text in self.model_aliases.split(","))):
            if not _ALIAS.fullmatch(pair):
                raise ValueError(f"model_aliases: {pair!r} is not of the form name=model")
        if not self.queue_names:
            raise ValueError("queues must name at least one queue; the default is 'gpu'")
        if unknown := self.refused_warnings - set(REFUSABLE_WARNINGS):
            raise ValueError(f"refuse_warnings: {sorted(unknown)[0]!r} is none of {', '.join(REFUSABLE_WARNINGS)}")
        for network in filter(None, (text.strip() for text in self.trusted_proxies.split(","))):
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"trusted_proxies must be networks such as 10.0.0.0/8: {error}") from error
        return self

    def to_environment(self) -> dict[str, str]:
        """The environment from which another process reads the same settings. Holds secrets in plain text."""
        values = self.model_dump(exclude_none=True)
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items()}
        return {f"PRESSWORK_{name.upper()}": str(value) for name, value in plain.items()}

    @property
    def refused_warnings(self) -> frozenset[str]:
        return frozenset(code.strip() for code in self.refuse_warnings.split(",") if code.strip())

    @property
    def model_alias_names(self) -> dict[str, str]:
        """Further names of models -> the models."""
        pairs = (text.strip() for text in self.model_aliases.split(",") if text.strip())
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def price_list(self) -> Prices:
        return Prices.parse(self.prices, self.currency)

    @property
    def queue_names(self) -> tuple[str, ...]:
        """Those that were named, and that of items which need no device."""
        named = [name.strip() for name in self.queues.split(",") if name.strip()]
        return tuple(dict.fromkeys((*named, FINISHING))) if named else ()

    @property
    def soft_binding_tenant_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.soft_binding_tenants.split(",") if name)

    @property
    def cors_origin_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.cors_origins.split(",") if name)
