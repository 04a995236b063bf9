"""What an attacker might write: every line should bounce off."""

import os
import socket


def attempt(action) -> str:
    try:
        return f"got through: {action()!r}"
    except BaseException as error:
        return f"refused: {type(error).__name__}: {error}"


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def connect(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return "connected"


def fork_bomb() -> str:
    children = 0
    while children < 1000:
        if os.fork() == 0:
            os.read(os.pipe()[0], 1)
        children += 1
    return f"{children} processes"


def main(variables: dict) -> dict:
    return {
        "read the server's key": attempt(lambda: read(variables["keyPath"])),
        "call the server's port": attempt(lambda: connect(variables["port"])),
        "leave a file for the next run": attempt(lambda: open("/usr/left-behind", "w").write("x")),
        "take root": attempt(lambda: os.setuid(0)),
        "kill the supervisor": attempt(lambda: os.kill(variables["serverPid"], 9)),
        "start 1,000 processes": attempt(fork_bomb),
    }
