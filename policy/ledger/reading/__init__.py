"""Readers of the ledger. Each needs a connection that may read the schema `audit`.

events        the events of one item, asset, request or batch   callers: api, presswork audit events
stream        the log in order of time or of leaves, by page    callers: api, exports, presswork policy simulate
sealed        the log in the order of its leaves, for followers    callers: api
scope         what a question is narrowed to                    callers: api, presswork audit
questions     the auditor's questions, answered from the views  callers: api, presswork audit
report        a report for people, without layout               callers: api, presswork audit report
report_html   the same as one HTML file that prints well        callers: api, presswork audit report
exports       pages as JSON lines or CSV rows                   callers: api, presswork audit export
parquet       pages as a Parquet file, with the extra `export`
cloud_events  pages as CloudEvents                              callers: presswork audit export, forward
erasures      why private text is missing: the event that erased it
"""
