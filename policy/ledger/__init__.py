"""The audit ledger: what happened, in an order nobody can change unseen.

append   events, in the caller's transaction                      caller: whoever changes a row
seal     committed entries -> Merkle tree -> signed checkpoint     caller: workers.sealing.sealer
anchor   where checkpoints are kept out of the database's reach    implemented by workers.sealing.anchors
verify   the whole log against its checkpoints and the anchor      caller: presswork audit verify
report   what verify found
proofs   one entry, or one checkpoint, proven to somebody offline
pack     a ZIP with events and their proofs           offline_verifier  the one file that checks it, without us
erase    private text, with the event that says so                 caller: workers.jobs.privacy.erase, as the clerk
explain  missing text, by the event that erased it                callers: verify, read, pack
read     the events of an asset, an item, a request                callers: api, presswork audit events
questions  the auditor's, asked of the views                      caller: presswork audit
stream   a span of the log in pages; exports, parquet write it    callers: api, presswork audit export, policy simulate
merkle   RFC 6962 trees         notes  C2SP signed notes           keys  the sealer's key on disk
tables   the schema `audit`
"""
