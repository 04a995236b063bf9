"""System calls that reach out of a run are refused. The control: without the filter, the very same call is not."""

import pytest
from runner_process import Runner

PRELUDE = """
import ctypes, fcntl, os, errno, platform, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == 'x86_64'
def call(x86, arm, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(x86 if X86 else arm), *arguments)
    return 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return 'ok'
me = os.getpid()
"""

# Calls that do no harm when they pass: the control runs them for real.
REFUSED = {
    "ptrace": "call(101, 117, 0, 0, 0, 0)",
    "process_vm_readv": "call(310, 270, me, None, 0, None, 0, 0)",
    "process_vm_writev": "call(311, 271, me, None, 0, None, 0, 0)",
    "unshare": "call(272, 97, 0)",
    "unshare a user namespace": "call(272, 97, 0x10000000)",
    "io_uring_setup": "call(425, 425, 0, None)",
    "keyctl": "call(250, 219, 0, -3, 0)",
    "add_key": "call(248, 217, None, None, None, 0, -3)",
    "personality": "call(135, 92, 0xffffffff)",
    "setpriority": "call(141, 140, 0, 0, 19)",
    "sched_setaffinity": "call(203, 122, 0, 8, struct.pack('Q', 3))",
    "sched_setscheduler": "call(144, 119, 0, 0, struct.pack('i', 0))",
    "ioprio_set": "call(251, 30, 1, 0, 0)",
    "prlimit of another process": "call(302, 261, me, 7, None, None)",
    "pidfd_send_signal": "call(424, 424, os.open(f'/proc/{me}', os.O_RDONLY), 0, None, 0)",
    "pidfd_getfd": "call(438, 438, os.pidfd_open(me), 1, 0)",
    "process_madvise": "call(440, 440, os.pidfd_open(me), None, 0, 0, 0)",
    "move_pages": "call(279, 239, 0, 0, None, None, None, 0)",
    "kcmp": "call(312, 272, me, me, 0, 1, 1)",
    "tkill": "call(200, 130, me, 0)",
    "kill of a process group": "attempt(lambda: os.kill(-os.getpgrp(), 0))",
    "fcntl F_SETOWN": "attempt(lambda: fcntl.fcntl(socket.socketpair()[0], 8, me))",
    "fcntl F_SETSIG": "attempt(lambda: fcntl.fcntl(socket.socketpair()[0], 10, 9))",
    "fcntl F_SETOWN_EX": "attempt(lambda: fcntl.fcntl(socket.socketpair()[0], 15, struct.pack('ii', 1, me)))",
    "fcntl F_SETLEASE": "attempt(lambda: fcntl.fcntl(os.open('own', os.O_CREAT), 1024, 2))",
    "socketpair AF_INET": "attempt(lambda: socket.socketpair(socket.AF_INET))",
    "ioctl FIOSETOWN": "attempt(lambda: fcntl.ioctl(socket.socketpair()[0], 0x8901, struct.pack('i', me)))",
    "shmget": "call(29, 194, 0, 4096, 0o600)",
    "semget": "call(64, 190, 0, 1, 0o600)",
    "msgget": "call(68, 186, 0, 0o600)",
    "mq_open": "call(240, 180, b'x', 0o102, 0o600, None)",
    "prctl PR_SET_PDEATHSIG": "attempt(lambda: None) if libc.prctl(1, 0, 0, 0, 0) == 0 else 'EPERM'",
    "socket AF_INET": "attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))",
    "socket AF_INET6": "attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))",
    "socket AF_NETLINK": "attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))",
}
# Refused for want of a capability even without the filter, so there the control shows nothing.
DOUBLY_REFUSED = {
    "mount": "call(165, 40, b'x', b'/', b'tmpfs', 0, None)",
    "umount": "call(166, 39, b'/', 2)",
    "setns": "call(308, 268, 0, 0)",
    "pivot_root": "call(155, 41, b'/', b'/')",
    "bpf": "call(321, 280, 0, None, 0)",
    "open_by_handle_at": "call(304, 265, -100, None, 0)",
    "socket AF_PACKET": "attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))",
    "socket AF_VSOCK": "attempt(lambda: socket.socket(40, socket.SOCK_STREAM))",
    "reboot": "call(169, 142, 0, 0, 0, None)",
    "swapon": "call(167, 224, b'/x', 0)",
    "init_module": "call(175, 105, None, 0, b'')",
    "settimeofday": "attempt(lambda: __import__('time').clock_settime(0, 0))",
    "chroot": "attempt(lambda: os.chroot('/'))",
    "mknod of a device": "attempt(lambda: os.mknod('device', 0o20666, os.makedev(1, 3)))",
    "setuid": "attempt(lambda: os.setuid(0))",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_is_refused_by_the_filter(runner: Runner, unfiltered: Runner, name: str) -> None:
    code = f"{PRELUDE}\n{REFUSED[name]}"

    assert runner.value(code) == "EPERM"
    assert unfiltered.value(code) != "EPERM"


@pytest.mark.parametrize("name", DOUBLY_REFUSED)
def test_a_call_is_refused_twice_over(runner: Runner, name: str) -> None:
    assert runner.value(f"{PRELUDE}\n{DOUBLY_REFUSED[name]}") in ("EPERM", "EINVAL")


def test_clone3_is_hidden_so_that_clone_can_be_watched(runner: Runner, unfiltered: Runner) -> None:
    code = f"{PRELUDE}\ncall(435, 435, None, 0)"

    assert runner.value(code) == "ENOSYS"
    assert unfiltered.value(code) == "EINVAL"


def test_clone_with_a_namespace_is_refused(runner: Runner, unfiltered: Runner) -> None:
    # CLONE_NEWUSER | CLONE_THREAD is invalid, so the control gets EINVAL and starts nothing.
    code = f"{PRELUDE}\ncall(56, 220, 0x10010000, 0, 0, 0, 0)"

    assert runner.value(code) == "EPERM"
    assert unfiltered.value(code) == "EINVAL"


@pytest.mark.skipif("__import__('platform').machine() != 'x86_64'", reason="x32 calls exist on x86_64 alone")
def test_calls_of_another_abi_kill(runner: Runner, unfiltered: Runner) -> None:
    code = f"{PRELUDE}\ncall(0x40000000 + 39, 0)"

    assert "SIGSYS" in runner.run(code)["outcome"]["detail"]
    assert unfiltered.value(code) == "ENOSYS"


def test_unix_sockets_between_own_processes_work(runner: Runner) -> None:
    assert runner.value("import socket\na, b = socket.socketpair()\na.send(b'hi')\nb.recv(2).decode()") == "hi"


def test_children_of_a_run_can_be_signalled_by_it(runner: Runner) -> None:
    code = "import subprocess\np = subprocess.Popen(['/bin/sleep', '30'])\np.terminate()\np.wait()"

    assert runner.value(code) == -15


def test_threads_asyncio_and_subprocesses_work_under_the_filter(runner: Runner) -> None:
    code = """
import asyncio, subprocess
from concurrent.futures import ThreadPoolExecutor
async def total():
    return sum(await asyncio.gather(*(asyncio.sleep(0, n) for n in range(5))))
text = subprocess.run(['/bin/echo', 'hi'], capture_output=True, text=True).stdout
with ThreadPoolExecutor(4) as pool:
    squares = sum(pool.map(lambda n: n * n, range(5)))
[asyncio.run(total()), text, squares]
"""
    assert runner.value(code) == [10, "hi\n", 30]


def test_no_capability_and_no_new_privileges(runner: Runner) -> None:
    code = """
fields = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
[fields[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs', 'Seccomp')]
"""
    assert runner.value(code) == ["0" * 16] * 4 + ["1", "2"]


def test_limits_cannot_be_raised(runner: Runner) -> None:
    code = """
import resource
refused = []
for name in ('NPROC', 'FSIZE', 'AS', 'CPU', 'NOFILE'):
    kind = getattr(resource, f'RLIMIT_{name}')
    soft, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (hard + 1, hard + 1))
    except (ValueError, OSError):
        refused.append(kind)
len(refused)
"""
    assert runner.value(code) == 5
