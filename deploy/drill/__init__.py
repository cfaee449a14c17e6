"""The tampering drill: edits that a superuser could make, each of which verification must name."""
