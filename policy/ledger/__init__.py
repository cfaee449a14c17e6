"""Audit ledger: append-only events in a Merkle tree with signed heads, so that an edit or a deletion is detected.

append         writes events in the caller's transaction  caller: whatever changes a row
erase          deletes private text and appends the event that says so  caller: the clerk, workers.jobs.privacy.erase
documents      stores rule sets and model cards under their digest  caller: workers.documents
flaws          what a verification can find, and the report of one
tables         the tables of the schema `audit`
reading/       events of one asset, streams, exports, the auditor's questions
tree/          Merkle tree, signed notes, keys, the sealer's transaction, anchors, proofs, revocation lists
witnesses/     a witness, and the policy that says how many cosignatures are enough
verification/  checks the whole log against its signed heads and its anchors  caller: presswork audit verify
evidence/      evidence packs, and the one-file verifier that checks them offline
"""
