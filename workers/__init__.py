"""Everything about a job: stored, planned, made, settled.

Light, any process may import it: jobs/ (every row that is written), states, settings, store, queue,
planner, reconciler, sealer, database, metrics, logs, errors, sampling/{recipes,registry,types}.
Heavy, worker processes only: executor and what it runs, sampling/{sampler,pipelines} and finish.

`python -m workers gpu | planner | sealer` wires them (__main__).
"""
