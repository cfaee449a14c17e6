"""Sources of the training pictures: packages whose bytes are known."""

from __future__ import annotations

import pytest

from models.train import sources


def test_an_archive_with_other_bytes_is_not_used(tmp_path, monkeypatch):
    for package in sources.PACKAGES:
        (tmp_path / package.folder).mkdir()
    sources.fetch(tmp_path)
    first = sources.PACKAGES[0]
    (tmp_path / first.folder).rmdir()
    (tmp_path / first.archive).write_bytes(b"something else")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "npm").write_text("#!/bin/sh\nexit 0\n")
    (fake / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(fake))
    with pytest.raises(SystemExit, match="not the package"):
        sources.fetch(tmp_path)
