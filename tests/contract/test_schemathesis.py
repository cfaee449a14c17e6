"""Schemathesis, with all checks, against a running API: the document allows what the code accepts, and nothing else.

Short by default. PRESSWORK_TEST_CONTRACT=thorough runs every phase with a hundred examples an operation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import ApiTenant
from tests.support.ledger import new_signer
from tests.support.repository import REPOSITORY

THOROUGH = os.environ.get("PRESSWORK_TEST_CONTRACT") == "thorough"
PHASES = "examples,coverage,fuzzing,stateful" if THOROUGH else "examples,fuzzing"
EXAMPLES = 100 if THOROUGH else 1
SECONDS = 3_000 if THOROUGH else 900  # seldom needed: half a minute of one core, more where others want it too


@pytest.mark.timeout(SECONDS + 60)
def test_schemathesis_finds_nothing(api: ApiTenant, tmp_path: Path) -> None:
    _, key = api.server.key(api.tenant, person="A. Reviewer")  # decisions are a person's
    vkeys = tmp_path / "ledger.vkeys"
    vkeys.write_text(f"{new_signer().vkey}\n")
    brief = {"images_seconds": 0.05, "stream_seconds": 0.05}
    with api.server.served(max_requests_per_minute=10**6, ledger_vkeys=vkeys, **brief) as served:
        command = [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(REPOSITORY / "schemathesis.toml")),
            *("run", f"http://127.0.0.1:{served.port}/openapi.json"),
            *("--phases", PHASES, "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
        ]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=_environment(key, tmp_path),
        )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-4_000:]


def _environment(key: str, home: Path) -> dict[str, str]:
    """Ours, with the caller's key, and the example database of hypothesis in a folder of this test."""
    own = {"PYTHONPATH": str(REPOSITORY), "HYPOTHESIS_STORAGE_DIRECTORY": str(home)}
    return {**os.environ, **own, "PRESSWORK_KEY": key}
