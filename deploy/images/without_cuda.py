"""Lock file without CUDA: the packages of a hash-locked list that the CPU image installs, on standard output.

python deploy/images/without_cuda.py worker.txt
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_LEFT_OUT = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")


def without_cuda(lock: str) -> str:
    """Every entry (a requirement and its hashes) but torch, which comes as its CPU build, and what only CUDA needs."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    return "\n".join(entry for entry in entries if not _LEFT_OUT.match(entry)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(without_cuda(Path(sys.argv[1]).read_text()))
