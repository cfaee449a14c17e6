"""Readers of the ledger. Each needs a connection that may read the schema `audit`.

events     the events of one item, asset, request or batch      callers: api, presswork audit events
stream     the log in order of time, page by page               callers: api, exports, presswork policy simulate
sealed     the log in the order of its leaves, for readers that follow it   callers: api
questions  the auditor's questions, answered from the views     callers: api, presswork audit
exports    pages as JSON lines or CSV rows                      callers: api, presswork audit export
parquet    pages as a Parquet file, with the extra `export`
erasures   why private text is missing: the event that erased it
"""
