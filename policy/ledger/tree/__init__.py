"""Merkle tree of the log: from committed entries to signed heads and to proofs.

merkle        RFC 6962 trees: roots, inclusion paths, consistency paths
notes         C2SP signed notes and checkpoints
keys          the sealer's key files, and key rotation
refusal       why the sealer refuses, for those who release
seal          committed entries -> leaves -> signed checkpoint      caller: workers.sealing.sealer
anchor        copies of checkpoints outside the database            implemented by workers.sealing.anchors
cosignatures  signatures of witnesses under a checkpoint
proofs        inclusion and consistency proofs, cut from stored hashes
revocations   the signed list of recalled files
"""
