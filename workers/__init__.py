"""Workers: everything about a job, from storing it to settling it.

Any process may import these (no model library):
jobs/            every row that is written, one module a verb
states           states of items and batches
recipes          what items of one batch have in common
cost/            what images take of a device, and what that costs
sheets/          tables of callers: CSV, Excel, JSON lines, Parquet, feeds
thumbnails/      small pictures for lists, and ThumbHash
planning/        the planner process
sealing/         the sealer process
clerk/           the clerk process
settings         settings of every process
database         connections and transactions
store            the object store
revocation_lists  the revocation list in the store
delivery/        files as they leave: safe names
outbound/        calls to addresses that tenants choose
queue            batch ids through Celery
documents        rule sets and cards for the ledger
metrics, logs    metrics and log lines
tracing/         what became of a request, for a collector of traces
errors           errors of the job line
loop             the loop of a process, one turn after another, and its wakeup by NOTIFY
crash            named points where tests kill a process
version          the version of this installation

Worker processes only (torch, diffusers, onnxruntime):
gpu/             the gpu process
sampling/        from a recipe to pixels; its registry and cards are light
masks/           which pixels of a picture are the product, and what is made with them
intake/          what is done with a picture that a tenant sends in, before a task may use it
identification/  the identify process

`python -m workers gpu | planner | sealer | clerk | identify` starts one of them.
"""
