"""The processes of the versions, as the system shows them."""

import contextlib
import os
import shutil
import time
from pathlib import Path

from lgn_serving.models import launcher


def put(folder, number):
    """Adds a version, whole from the first moment."""
    shutil.copytree(folder / "1", folder / f".{number}")
    (folder / f".{number}").rename(folder / str(number))


def until(condition):
    # A busy machine needs half a minute to import TensorFlow.
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_there(process):
    """Returns whether a process runs or waits; a dead one does neither."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return state(process) not in "ZX"
    return False


def fields_of(process):
    """Returns what the system knows of a process, from its state on."""
    text = Path(f"/proc/{process}/stat").read_text()
    return text.rpartition(")")[2].split()


def state(process):
    return fields_of(process)[0]


def seconds_used(process):
    fields = fields_of(process)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def all_workers():
    """Returns the processes below the fork server."""
    parent = launcher.shared()._program.pid
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(each) for each in path.read_text().split()]


def states(server, name="counter"):
    return {each.number: each.state for each in server.catalogue.status(name)}


def resident(process):
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096
