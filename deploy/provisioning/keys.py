"""Keys of a new installation: the sealer's key, and a development chain where the files of a CA are not there yet.

    ledger.key, ledger.vkeys              signs checkpoints; verifies them
    signing.pem, signing.key, anchors.pem certificate and key of C2PA manifests; what readers trust

A finished pair is never touched. Half a pair may be somebody's only copy of a key, so it is refused and not replaced.
"""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DataUnusable
from policy.ledger.tree.keys import make_key_files
from policy.marks.provenance.certificates import make_development_chain


def create(folder: Path, origin: str) -> list[str]:
    """Make what is missing. What was done, in words. Raises DataUnusable for a key without its public half."""
    sealing = _missing(folder, "ledger.vkeys", beside="ledger.key")
    signing = _missing(folder, "signing.pem", beside="signing.key")
    make_key_files(folder, origin=origin)
    make_development_chain(folder)
    return [
        f"made the ledger key of {origin}" if sealing else "kept the ledger key",
        "made a development chain for C2PA, which outsiders do not trust: docs/marks.md says how to use a CA"
        if signing
        else "kept the signing certificate",
    ]


def _missing(folder: Path, public: str, *, beside: str) -> bool:
    if (folder / public).exists():
        return False
    if (folder / beside).exists():
        raise DataUnusable(
            f"{folder / beside} is there without {public}. Remedy: put {public} beside it, or delete {beside} if it"
            " has never signed anything, and repeat"
        )
    return True
