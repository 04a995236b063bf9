/**
 * What the self-test runs inside a berth, as a tenant's code would. It reports what it could do; the verdict is made outside.
 * `forbidden` names paths that exist on this machine and belong to nobody in here; at `port` of this machine somebody listens.
 */
export const selfTestCode = `
import os, socket

def outcome(action):
    try:
        action()
        return "possible"
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def connect(kind, address):
    with socket.socket(socket.AF_INET, kind) as wire:
        wire.settimeout(1)
        wire.connect(address)
        wire.send(b"x")

def main(variables):
    own = None
    if os.path.exists(variables["file"]):
        with open(variables["file"], encoding="utf-8") as file:
            own = file.read()
    return {
        "own": own,
        "forbidden": {name: outcome(lambda: os.listdir(path) if os.path.isdir(path) else open(path).read())
                      for name, path in variables["forbidden"].items()},
        "tcp": outcome(lambda: connect(socket.SOCK_STREAM, ("127.0.0.1", variables["port"]))),
        "udp": outcome(lambda: connect(socket.SOCK_DGRAM, ("127.0.0.1", variables["port"]))),
    }
`
