"""`python -m rehearsal --sealed`: the rehearsal where no call can leave the machine.

It plays in a network namespace of its own that holds nothing but loopback: the kernel has no way out of there, whatever
a program asks for. Linux, with util-linux; as root, or where user namespaces are allowed.

What builds install comes from this machine then. Before the door is closed everything is fetched that they will ask
for, by installing as they do (`packages.py`); where it is all there already, nothing is fetched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

ROOTLESS = ("--user", "--map-root-user")
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that nobody has (RFC 5737, RFC 3849): the kernel says without sending anything if a way leads there."""

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
"""netdevice(7)"""


class SealError(Exception):
    """A rehearsal cannot be sealed here. The message says why, and what to do."""


def unshare_command() -> list[str]:
    """The command in front of a program that gives it a network of its own, tried. Raises SealError."""
    unshare = shutil.which("unshare")
    if not sys.platform.startswith("linux") or unshare is None:
        raise SealError(
            "A sealed rehearsal needs Linux and the program `unshare` of util-linux: nothing else keeps every call on "
            "the machine. Leave out --sealed."
        )
    said = ""
    for more in ((), ROOTLESS) if os.geteuid() == 0 else (ROOTLESS,):
        command = [unshare, *more, "--net"]
        tried = subprocess.run([*command, sys.executable, "-I", "-c", ""], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return command
        said = tried.stderr.strip() or said
    raise SealError(
        f"This machine forbids network namespaces, which seal a rehearsal: {said}. Allow them to this user (on Ubuntu: "
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0; in a container: the capability SYS_ADMIN), or leave "
        "out --sealed."
    )


def enter(command: Sequence[str], arguments: Sequence[str], packages: Mapping[str, str]) -> NoReturn:
    """Become the rehearsal with these arguments, behind `command`; `packages` is where builds install from."""
    program = [*command, sys.executable, "-m", "rehearsal.sealed", *arguments]
    os.execve(program[0], program, {**os.environ, **packages})  # noqa: S606 - no shell is wanted


def raise_loopback() -> None:
    """Set the interface `lo` up, as `ip link set lo up` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def ways_out() -> list[str]:
    """The addresses outside this machine to which the kernel knows a way: none, in a sealed rehearsal."""
    found = []
    for family, address in ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            found.append(address)
    return found


def main() -> int:
    """Inside: close what may be open, look whether it is, and play."""
    from rehearsal.__main__ import main as play

    try:
        raise_loopback()
    except OSError as problem:
        print(f"The loopback interface of the sealed network cannot be used: {problem}.", file=sys.stderr)
        return 2
    if ways_out():
        print("This is no sealed network; call `python -m rehearsal --sealed`.", file=sys.stderr)
        return 2
    return play(sys.argv[1:], sealed=True)


if __name__ == "__main__":
    sys.exit(main())
