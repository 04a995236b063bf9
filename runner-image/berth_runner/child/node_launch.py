"""How the Node process of a TypeScript run is started."""

import shutil
from pathlib import Path

HARNESS = Path(__file__).parent.parent / "node" / "harness.mjs"
# Node's own memory beside the JavaScript heap; the supervisor watches the whole.
_HEAP_SHARE = 0.75
_MIN_HEAP_MIB = 32


def node_argv(limits: dict[str, int], node: str | None = None) -> list[str]:
    """Return the command line; `node` defaults to the first one on the PATH."""
    program = node or shutil.which("node")
    if program is None:
        raise FileNotFoundError("node: not on the PATH; TypeScript needs Node 24")
    heap = max(_MIN_HEAP_MIB, int(limits["memoryMiB"] * _HEAP_SHARE))
    return [
        program,
        f"--max-old-space-size={heap}",
        # Fewer threads: they count against the limit of processes.
        "--v8-pool-size=1",
        "--disable-warning=ExperimentalWarning",
        "--no-addons",
        str(HARNESS),
    ]
