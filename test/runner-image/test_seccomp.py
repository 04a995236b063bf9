"""The filter's program, run by a small machine of our own, for both processors and every rule."""

import errno
import struct

import pytest
from berth_runner.seccomp import compile_filter
from berth_runner.system_calls import AARCH64, NUMBERS, X86_64

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
MACHINES = [("x86_64", X86_64, 0), ("aarch64", AARCH64, 1)]


def verdict(program: bytes, arch: int, number: int, *arguments: int) -> int:
    data = struct.pack("IIQ6Q", number, arch, 0, *[*arguments, *[0] * (6 - len(arguments))])
    position, accumulator = 0, 0
    while True:
        code, yes, no, value = struct.unpack_from("HBBI", program, position * 8)
        position += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("I", data, value)
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            position += yes if holds else no


@pytest.mark.parametrize(("machine", "arch", "column"), MACHINES)
def test_every_listed_call_has_a_rule(machine: str, arch: int, column: int) -> None:
    program = compile_filter((), machine)
    harmless = {"clone", "socket", "kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"}
    looking = harmless | {"prlimit64", "fcntl", "ioctl", "prctl", "clone3"}

    for name, numbers in NUMBERS.items():
        if numbers[column] is not None and name not in looking:
            assert verdict(program, arch, numbers[column]) == EPERM, name
    assert verdict(program, arch, NUMBERS["clone3"][column]) == ENOSYS


@pytest.mark.parametrize(("machine", "arch", "column"), MACHINES)
def test_ordinary_calls_pass(machine: str, arch: int, column: int) -> None:
    program = compile_filter((1, 77), machine)
    listed = {numbers[column] for numbers in NUMBERS.values()}

    assert all(verdict(program, arch, number) == ALLOW for number in range(450) if number not in listed)


@pytest.mark.parametrize(("machine", "arch", "column"), MACHINES)
def test_signals_reach_no_protected_process_and_no_group(machine: str, arch: int, column: int) -> None:
    program = compile_filter((1, 77), machine)

    for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"):
        number = NUMBERS[name][column]
        assert [verdict(program, arch, number, pid) for pid in (1, 77, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)] == [EPERM] * 4
        assert [verdict(program, arch, number, pid) for pid in (0, 2, 76)] == [ALLOW] * 3


@pytest.mark.parametrize(("machine", "arch", "column"), MACHINES)
def test_only_unix_sockets_and_only_own_limits(machine: str, arch: int, column: int) -> None:
    program = compile_filter((), machine)
    socket_call, prlimit = NUMBERS["socket"][column], NUMBERS["prlimit64"][column]

    assert [verdict(program, arch, socket_call, family) for family in (1, 2, 10, 16, 17, 40)] == [ALLOW] + [EPERM] * 5
    assert [verdict(program, arch, prlimit, pid) for pid in (0, 5)] == [ALLOW, EPERM]


@pytest.mark.parametrize(("machine", "arch", "column"), MACHINES)
def test_clone_makes_processes_and_threads_but_no_namespace(machine: str, arch: int, column: int) -> None:
    program = compile_filter((), machine)
    clone = NUMBERS["clone"][column]
    spaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]

    assert [verdict(program, arch, clone, flags) for flags in (17, 0x1200011, 0x3D0F00)] == [ALLOW] * 3
    assert [verdict(program, arch, clone, flags | 17) for flags in [*spaces, 0x8000]] == [EPERM] * 8


def test_another_processor_s_calls_kill() -> None:
    assert verdict(compile_filter((), "x86_64"), 0x40000003, 1) == KILL
    assert verdict(compile_filter((), "x86_64"), X86_64, 0x40000000 | 39) == KILL
    assert verdict(compile_filter((), "aarch64"), 0x40000028, 1) == KILL
