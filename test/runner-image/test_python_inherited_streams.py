"""A child gets the streams that its fork server had, whatever those were connected to."""

import subprocess
import sys
from pathlib import Path

import pytest
from child_runs import ROOT

# Makes the streams on what the fork server has, then puts pipes there and runs, as a forked child does.
FORKED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from berth_runner.child import python
if sys.argv[2] == "closed":
    sys.stdout.close()
python.warm_up()
os.dup2(int(sys.argv[3]), 1)
request = {"code": "print('é')\\nprint('end', end='')", "variables": {}, "profile": "default",
           "limits": {"maxResultBytes": 1000}}
python.run(request, os.open(os.devnull, os.O_WRONLY))
os._exit(0)
"""


@pytest.mark.parametrize("before", ["file", "pipe", "devnull", "closed"])
def test_output_reaches_the_pipe(before, tmp_path):
    import os

    read, write = os.pipe()
    places = {"file": (tmp_path / "log").open("wb"), "pipe": subprocess.PIPE, "closed": subprocess.PIPE}
    command = [sys.executable, "-c", FORKED, str(Path(ROOT, "runner-image")), before, str(write)]
    ran = subprocess.run(
        command, stdout=places.get(before, subprocess.DEVNULL), stderr=subprocess.PIPE, pass_fds=[write], check=False
    )
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == "é\nend".encode(), ran.stderr
    assert ran.stderr == b""
    places["file"].close()
