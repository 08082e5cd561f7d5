#!/usr/bin/env python3
"""Runs a program that the kernel refuses io_uring, as most container sandboxes do.

    tests/support/without_io_uring.py target/release/switchover serve …

Installs a seccomp filter (Linux, no privileges needed) that answers io_uring's system calls with EPERM, and becomes the
program.
"""
import ctypes
import errno
import os
import struct
import sys

# linux/prctl.h, linux/seccomp.h
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# linux/bpf_common.h: load a word, jump if at least, return
LOAD, JUMP_IF_GE, RETURN = 0x20, 0x35, 0x06
# setup, enter, register: the same numbers on every architecture
IO_URING_FIRST, IO_URING_LAST = 425, 427


def instruction(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)


PROGRAM = b"".join([
    instruction(LOAD, 0, 0, 0),  # seccomp_data.nr
    instruction(JUMP_IF_GE, 0, 2, IO_URING_FIRST),
    instruction(JUMP_IF_GE, 1, 0, IO_URING_LAST + 1),
    instruction(RETURN, 0, 0, ERRNO | errno.EPERM),
    instruction(RETURN, 0, 0, ALLOW),
])


class Filter(ctypes.Structure):
    """linux/filter.h: struct sock_fprog"""
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def refuse_io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    filter = Filter(len(PROGRAM) // 8, PROGRAM)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero),
        (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(filter), zero, zero),
    ):
        if libc.prctl(*arguments) != 0:
            sys.exit(f"prctl {arguments[0]}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    refuse_io_uring()
    os.execv(sys.argv[1], sys.argv[1:])
