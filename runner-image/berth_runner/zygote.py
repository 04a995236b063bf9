"""A fork server: one warm Python that never sees a tenant's data and forks a fresh child for every run."""

import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any

from berth_runner import channel, child_process, linux, namespaces, sweep, tree, warm_up
from berth_runner.sandbox import Plan, set_attribute


def main(config_text: str) -> None:
    """Run the fork server on the channel that the configuration names, until the other end is closed."""
    config: dict[str, Any] = json.loads(config_text)
    control = socket.socket(fileno=config["controlFd"])
    below_tmp = tuple(path for folder in tree.TEMPORARY for path in tree.below(folder, config["paths"]))
    plan = Plan(config["level"], config["uidRange"], config["seccomp"], tuple(config["without"]), below_tmp)
    cache = warm_up.read_cache(config["cacheDir"])
    if plan.has_namespaces:
        namespaces.enter(config["paths"], (lambda: namespaces.get_mapped(control)) if plan.uid_range else None)
    if "dumpable" not in plan.without:
        set_attribute(plan, linux.PR_SET_DUMPABLE, 0)
    is_subreaper = set_attribute(plan, linux.PR_SET_CHILD_SUBREAPER, 1)
    versions = warm_up.warm_up(config["libraries"], cache)
    if plan.has_namespaces:
        tree.protect_cache()
    myself = os.pidfd_open(os.getpid())
    try:
        channel.send(control, {"state": "ready", "packages": versions}, [myself])
    except BrokenPipeError:
        return  # the supervisor ended while we warmed up
    os.close(myself)
    _Server(control, plan, is_subreaper=is_subreaper).serve()


class _Server:
    """The loop: forks on demand, tells how each child ended."""

    def __init__(self, control: socket.socket, plan: Plan, *, is_subreaper: bool) -> None:
        self._control = control
        self._plan = plan
        self._is_subreaper = is_subreaper
        self._runs: dict[int, int] = {}
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            try:
                for fd, _ in poll.poll():
                    if fd == self._wake_read:
                        os.read(self._wake_read, 4096)
                    elif not self._obey():
                        self._end()
                self._reap()
            except (BrokenPipeError, ConnectionResetError):
                self._end()

    def _obey(self) -> bool:
        received = channel.receive(self._control)
        if received is None:
            return False
        message, fds = received
        if message["do"] == "fork":
            self._fork(message, fds)
        else:
            clean = sweep.end_all_children(self._tell_exit)
            if not self._is_subreaper:
                # Orphans go elsewhere then: whatever of our user is newer than we are, and not known, is one.
                clean = sweep.end_strangers(set(message["protected"])) and clean
            channel.send(self._control, {"state": "swept", "run": message["run"], "clean": clean})
        for fd in fds:
            os.close(fd)
        return True

    def _fork(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            if self._plan.has_namespaces:
                # Without the way back, the second unshare would fail: a process has only one pending pid namespace.
                linux.setns(self._own_pids, linux.CLONE_NEWPID)
                linux.unshare(linux.CLONE_NEWPID)
            pid = os.fork()
        except OSError as error:
            channel.send(self._control, {"state": "fork-failed", "run": message["run"], "detail": str(error)})
            return
        if pid == 0:
            child_process.enter(self._plan, message, fds)
        self._runs[pid] = message["run"]

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._tell_exit(pid, status, usage)

    def _tell_exit(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        run = self._runs.pop(pid, None)
        if run is not None:
            cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
            channel.send(self._control, {"state": "exit", "run": run, "status": status, "cpu": cpu, "peak": peak})

    def _end(self) -> None:
        # Pid 1 of the namespaces takes everything with it; elsewhere the children must be swept by hand.
        if not self._plan.has_namespaces:
            sweep.end_all_children(lambda *_: None)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
