"""Launcher: becomes a component's program after tying its life to its parent's and leaving root if it must.

    python -I -S launch.py PARENT_PID SIGNAL IDENTITY PROGRAM ARGUMENTS...

It is a separate program and not a `preexec_fn`, for two reasons. Only a process with one thread may enter a user
namespace. And nothing here can meet a lock that another thread of the supervisor held when it forked.

IDENTITY is one of
    same        keep the current user
    namespace   a user namespace in which our user is `nobody`: Postgres no longer sees root, files keep their owner
    nobody      the user nobody, with the one capability that lets it reach a data directory under a closed parent
"""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
import sys
from pathlib import Path

NOBODY = 65534  # must have a passwd entry inside the namespace: initdb looks its user up
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 15, 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    parent, death_signal, identity, *command = arguments
    if identity == "namespace":
        _enter_namespace()
    elif identity == "nobody":
        _become_nobody()
    die_with_parent(int(parent), int(death_signal))  # after the change of identity, which clears the setting
    os.execv(command[0], command)  # noqa: S606


def die_with_parent(parent: int, death_signal: int, *, name: str = "") -> None:
    """Let this process be sent a signal when its parent ends, and ends it now if that has happened. Linux only.

    `name` is what lists of processes show in the place of the program, 15 characters of it.
    """
    if sys.platform.startswith("linux"):
        _call("prctl", _PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if name:
            _call("prctl", _PR_SET_NAME, name.encode(), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above: nothing would ever stop this process
            sys.exit(f"launch: the parent process {parent} has ended")


def _enter_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")


def _become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    reach = 1 << _CAP_DAC_OVERRIDE
    _call("capset", struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), struct.pack("=6I", reach, reach, reach, 0, 0, 0))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: int | bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"launch: {name} failed")


if __name__ == "__main__":
    main(sys.argv[1:])
