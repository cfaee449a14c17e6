"""Commit messages: a subject of at most 72 characters, the area first, then an empty line and the reason.

    python -m tools.commit_message FILE

FILE holds the message, as git hands it to a commit-msg hook. Exit code 1 and the reasons if it breaks a rule.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SUBJECT_CHARACTERS = 72
_SUBJECT = re.compile(r"[a-z][a-z0-9_./-]*(, [a-z][a-z0-9_./-]*)*: [^A-Z\s].*")
_MADE_BY_GIT = ("Merge ", "Revert ", "fixup! ", "squash! ")
_SCISSORS = "# ------------------------ >8 ------------------------"


def flaws(message: str) -> list[str]:
    """What is wrong with a commit message, one sentence each. Lines that git drops are not looked at."""
    lines = [line for line in message.split(_SCISSORS, maxsplit=1)[0].splitlines() if not line.startswith("#")]
    while lines and not lines[0].strip():
        del lines[0]
    if not lines:
        return ["The message is empty."]
    subject, body = lines[0].rstrip(), lines[1:]
    if subject.startswith(_MADE_BY_GIT):
        return []
    found = []
    if len(subject) > SUBJECT_CHARACTERS:
        found.append(f"The subject has {len(subject)} characters; at most {SUBJECT_CHARACTERS}.")
    if not _SUBJECT.fullmatch(subject):
        found.append('The subject begins with its area and a verb in lower case, such as "api: bound metadata values".')
    if subject.endswith("."):
        found.append("The subject ends without a full stop.")
    if body and body[0].strip():
        found.append("The second line is empty; the reason follows it.")
    return found


def main() -> int:
    found = flaws(Path(sys.argv[1]).read_text("utf-8"))
    for flaw in found:
        print(f"commit message: {flaw}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
