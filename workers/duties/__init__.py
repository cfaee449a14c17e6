"""What the clerk does, one module a duty: `turn(clerk) -> int` does what waits and says how much that was."""
