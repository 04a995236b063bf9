"""The system call filter: what isolates a run where there are no namespaces, and a second wall where there are.

A list of what is denied, not of what is allowed: tenants bring native libraries whose needs nobody can list.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from functools import cache

from berth_runner import linux
from berth_runner.system_calls import AARCH64, NUMBERS, X86_64

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_EPERM = 0x00050000 | errno.EPERM
_ENOSYS = 0x00050000 | errno.ENOSYS

_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH = 0, 4
_AF_UNIX = 1
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
# F_SETOWN, F_SETSIG and F_SETOWN_EX make the kernel send any signal to any process of the same user.
# F_SETLEASE would hold up whoever opens a file for writing.
_FCNTL_DENIED = (8, 10, 15, 1024)
# FIOSETOWN, SIOCSPGRP (as above), TIOCSTI, TIOCLINUX (typing into a terminal).
_IOCTL_DENIED = (0x8901, 0x8902, 0x5412, 0x541C)
_CLONE_DENIED = 0x7E020000 | 0x8000  # every namespace, and CLONE_PARENT, which would hide a child from its keeper

# Calls that look at an argument; all others of the table are denied whole.
_SPECIAL = {
    "clone", "clone3", "socket", "socketpair", "kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open",
    "prlimit64", "fcntl", "ioctl", "prctl",
}  # fmt: skip

Instruction = tuple[int, int, int, int]


def _argument(index: int) -> Instruction:
    """Load the lower half; every argument looked at is a 32-bit int to the kernel."""
    return (_LOAD, 0, 0, 16 + 8 * index)


def _when_in(index: int, values: Iterable[int]) -> list[Instruction]:
    checks: list[Instruction] = []
    for value in values:
        checks += [(_JEQ, 0, 1, value), (_RETURN, 0, 0, _EPERM)]
    return [_argument(index), *checks, (_RETURN, 0, 0, _ALLOW)]


def _unless(index: int, value: int) -> list[Instruction]:
    return [_argument(index), (_JEQ, 0, 1, value), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]


def _signal_rule(protected: tuple[int, ...]) -> list[Instruction]:
    rule = _when_in(0, protected)
    return [rule[0], (_JSET, 0, 1, 0x80000000), (_RETURN, 0, 0, _EPERM), *rule[1:]]


def _rules(protected: tuple[int, ...]) -> dict[str, list[Instruction]]:
    signals = _signal_rule(protected)
    rules: dict[str, list[Instruction]] = {
        "clone": [_argument(0), (_JSET, 0, 1, _CLONE_DENIED), (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)],
        # Its arguments lie in memory, where a filter can't look; ENOSYS makes the C library fall back to clone.
        "clone3": [(_RETURN, 0, 0, _ENOSYS)],
        "socket": _unless(0, _AF_UNIX),
        # Not the way out that socket() is, but one into the code (and the modules) of other families.
        "socketpair": _unless(0, _AF_UNIX),
        "prlimit64": _unless(0, 0),
        "fcntl": _when_in(1, _FCNTL_DENIED),
        "ioctl": _when_in(1, _IOCTL_DENIED),
        "prctl": _when_in(0, (_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER)),
    }
    for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"):
        rules[name] = signals
    for name in NUMBERS.keys() - _SPECIAL:
        rules[name] = [(_RETURN, 0, 0, _EPERM)]
    return rules


@cache
def compile_filter(protected: tuple[int, ...], machine: str = os.uname().machine) -> bytes:
    """Return the program; `protected` are processes that no signal may reach."""
    arch, column = (X86_64, 0) if machine == "x86_64" else (AARCH64, 1)
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
    ]
    if arch == X86_64:  # the x32 calls: the same kernel functions under other numbers
        program += [(_JGE, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL_PROCESS)]
    for name, rule in sorted(_rules(protected).items()):
        number = NUMBERS[name][column]
        if number is not None:
            program += [(_JEQ, 0, len(rule), number), *rule]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def load(program: bytes) -> None:
    """Install the filter for this thread and all that it starts; no_new_privs must be set before."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions)), 16)
    linux.syscall(linux.SECCOMP, "seccomp", 1, 0, header)
