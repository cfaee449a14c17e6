"""The sealer process: seals the ledger, anchors and cosigns its heads, publishes revocations."""
