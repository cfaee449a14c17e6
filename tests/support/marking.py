"""Marker under a development certificate, and a stamp, for tests that mark pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from policy.marks.cutouts.marker import CutoutMarker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from policy.marks.stamp import Stamp

STAMP = Stamp(
    asset_id="0192f0a0-0000-7000-8000-000000000002",
    watermark_id=0x0123456789AB,
    model="studio",
    model_revision="sha256:" + "1" * 64,
    policy_version="sha256:" + "2" * 64,
    made_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    ledger_origin="log.example/ledger",
)


def new_marker(folder: Path) -> CutoutMarker:
    """A marker whose root certificate lies in this folder, as `anchors`."""
    chain = make_development_chain(folder)
    signer = LocalSigner.from_files(chain.certificate, chain.key)
    return CutoutMarker(signer, chain.anchors.read_text(), "Presswork", "0.1.0")
