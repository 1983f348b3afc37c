"""The firewall lines of the README, in a network of their own."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.serving.deploy.proxy import DEPLOY

LINES = re.findall(
    r"^nft .*$", (DEPLOY / "README.md").read_text(), re.MULTILINE
)
APART = ["unshare", "--net", "--map-root-user", "bash", "-ec"]
CONNECTS = """
import socket

def connect(source, times):
    "Returns the connections up to the first that nobody answers."
    made = []
    for _ in range(times):
        made.append(socket.socket())
        made[-1].settimeout(0.5)
        made[-1].bind((source, 0))
        try:
            made[-1].connect(("127.0.0.1", 8443))
        except TimeoutError:
            return made[:-1]
    return made

with socket.create_server(("127.0.0.1", 8443), backlog=1000) as server:
    mine = connect("127.0.0.1", 120)
    others = connect("127.0.0.2", 5)
    taken = [server.accept()[0] for _ in mine + others]
    for each in taken + mine:
        each.close()
    print(len(mine), len(others), len(connect("127.0.0.1", 50)))
"""


def programs_and_rights():
    if not all(map(shutil.which, ("nft", "ip", "unshare", "bash"))):
        return False
    done = subprocess.run([*APART, "nft list ruleset"], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(
    not programs_and_rights(), reason="no nft here, or no network of its own"
)
def test_an_address_gets_a_hundred_connections():
    lines = ["ip link set lo up", *LINES, 'exec "$0" -c "$1"']
    done = subprocess.run(
        [*APART, "\n".join(lines), sys.executable, CONNECTS],
        capture_output=True,
        text=True,
    )
    assert len(LINES) == 4 and done.returncode == 0, done.stderr
    assert done.stdout == "100 5 50\n"
