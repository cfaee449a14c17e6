"""One module a resource: what it takes, what it answers, and which function does the work.

requests    submit one prompt, status, items, cancel
campaigns   submit a spreadsheet
items       one item, cancel
assets      released images with links, and their events in the ledger
identify    whose picture is this? upload and answer
proofs      heads, inclusion and consistency proofs, evidence packs
models      the cards
keys        API keys of the caller's own tenant
operations  probes and metrics
"""
