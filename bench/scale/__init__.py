"""Scale: a database as large as disk and time allow, copied from a real sample, and what the hot paths cost on it.

sample     a small real campaign: every process runs, and every table has true rows
clones     those rows again and again with other ids and times, by COPY, and the tree of the ledger over them
costs      what is measured: bytes an image, planner, sealer, pages of the API, verification
"""
