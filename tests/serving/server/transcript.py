"""Reads the recorded answers of TensorFlow Serving 2.17.1's REST API."""

import dataclasses
import re
from pathlib import Path

RECORD = Path(__file__).parent / "transcript_2.17.1.txt"
COMMAND = re.compile(
    r"^\$ (?:-X (?P<before>\w+) )?http://[\d.:]+(?P<path>/\S*)"
    r"(?: -X (?P<after>\w+))?(?: -d ?(?P<body>.*))?$"
)
STATUS = re.compile(r"^\[(\d+) (\S+)\]$")


@dataclasses.dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    body: str | None
    answer: str
    status: int | None
    media_type: str | None

    @property
    def id(self):
        return f"{self.method} {self.path} {self.body or ''}"


def read():
    """Returns the exchanges in order, up to the hot swap and after it."""
    before, after = RECORD.read_text().split("--- hot version 2\n")
    return _exchanges(before), _exchanges(after)


def _exchanges(text):
    found = []
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE):
        if not part.strip():
            continue
        command, *lines = part.splitlines()
        match = COMMAND.match(command)
        status = media_type = None
        if (end := STATUS.match(lines[-1])) is not None:
            status, media_type = int(end[1]), end[2]
            lines.pop()
        method = match["before"] or match["after"]
        if method is None:
            method = "GET" if match["body"] is None else "POST"
        answer = "\n".join(lines)
        found.append(
            Exchange(
                method, match["path"], match["body"], answer, status, media_type
            )
        )
    return found
