"""A fork server: one warm Python that never sees a tenant's data and forks a fresh child for every run."""

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from berth_runner import channel, child_process, linux, sweep, tree, warm_up
from berth_runner.sandbox import Plan

_ALL_SPACES = (
    linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWNET | linux.CLONE_NEWCGROUP
) | linux.CLONE_NEWPID


def main(config_text: str) -> None:
    """Run the fork server on the channel that the configuration names, until the other end is closed."""
    config: dict[str, Any] = json.loads(config_text)
    control = socket.socket(fileno=config["controlFd"])
    plan = Plan(config["level"], config["uidRange"], config["seccomp"], tuple(config["without"]))
    if plan.level == "namespaces":
        _enter_namespaces(control, config)
    if "dumpable" not in plan.without:
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    versions = warm_up.warm_up(config["libraries"], config["cacheDir"])
    if plan.level == "namespaces":
        tree.protect_cache()
    channel.send(control, {"state": "ready", "packages": versions})
    _Server(control, plan).serve()


def _enter_namespaces(control: socket.socket, config: dict[str, Any]) -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    if config["uidRange"]:
        channel.send(control, {"state": "map-me"})
        if channel.receive(control) is None:
            os._exit(0)
    else:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    linux.unshare(_ALL_SPACES)
    linux.mount("none", "/", "none", flags=linux.MS_REC | linux.MS_PRIVATE)
    sources = tree.open_sources(config["paths"])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if config["uidRange"]:
        os.setgroups([])
    if os.fork():
        os._exit(0)
    tree.build(sources)
    os.setsid()


class _Server:
    """The loop: forks on demand, tells how each child ended."""

    def __init__(self, control: socket.socket, plan: Plan) -> None:
        self._control = control
        self._plan = plan
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
            for fd, _ in poll.poll():
                if fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif not self._obey():
                    self._end()
            self._reap()

    def _obey(self) -> bool:
        received = channel.receive(self._control)
        if received is None:
            return False
        message, fds = received
        if message["do"] == "fork":
            self._fork(message, fds)
        else:
            clean = sweep.end_all_children(self._tell_exit)
            channel.send(self._control, {"state": "swept", "run": message["run"], "clean": clean})
        for fd in fds:
            os.close(fd)
        return True

    def _fork(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            if self._plan.level == "namespaces":
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
            self._tell_exit(pid, status, usage.ru_utime + usage.ru_stime)

    def _tell_exit(self, pid: int, status: int, cpu_seconds: float) -> None:
        run = self._runs.pop(pid, None)
        if run is not None:
            channel.send(self._control, {"state": "exit", "run": run, "status": status, "cpu": cpu_seconds})

    def _end(self) -> None:
        # Pid 1 of the namespaces takes everything with it; elsewhere the children must be swept by hand.
        if self._plan.level != "namespaces":
            sweep.end_all_children(lambda *_: None)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
