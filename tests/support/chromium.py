#!/usr/bin/env python3
"""Chromium without notices of network changes.

A starting or stopping container is a network change to a Chromium on the engine's machine, which then aborts requests.
A seccomp filter refuses the netlink sockets through which the kernel reports new addresses.
"""

import ctypes
import errno
import os
import shutil
import struct
import sys

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SOCKET_CALL = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
AF_NETLINK = 16
NUMBER_OFFSET, ARGUMENT_OFFSET = 0, 16  # in struct seccomp_data
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
# Each instruction: code, jump if true, jump if false, value.
FILTER = (
    (LOAD, 0, 0, NUMBER_OFFSET),
    (JUMP_IF_EQUAL, 0, 3, SOCKET_CALL),
    (LOAD, 0, 0, ARGUMENT_OFFSET),
    (JUMP_IF_EQUAL, 0, 1, AF_NETLINK),
    (RETURN, 0, 0, FAIL),
    (RETURN, 0, 0, ALLOW),
)


def refuse_netlink() -> None:
    """Install the filter in this process, which keeps it when it executes another program."""
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in FILTER))
    program = struct.pack("HxxxxxxP", len(FILTER), ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
        if prctl(*call):
            raise OSError(ctypes.get_errno(), f"prctl {call[0]}")


if __name__ == "__main__":
    refuse_netlink()
    found = (path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    program = next(found, None) or sys.exit(f"no Chromium found as {', '.join(CHROMIUM_NAMES)}")
    os.execv(program, [program, *sys.argv[1:]])
