"""The GPU worker: one batch from claim to settlement."""
