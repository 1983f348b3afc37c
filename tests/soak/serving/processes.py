"""`lgn serve` as a process, what it uses, and processes beside it."""

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.soak import orphans

ROOT = Path(__file__).parents[3]
MODEL = "lgn_net"
START = 180.0
"""Seconds in which a server must answer."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process and its children hold.

    Attributes:
        each: resident MB of each of them, the process first.
        files: open ones.
        threads: of all processes.
    """

    each: tuple[float, ...]
    files: int
    threads: int

    @property
    def memory(self) -> float:
        """Resident MB of all."""
        return sum(self.each)


def tree(process: int) -> list[int]:
    """Returns a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program may hold anything, brackets too.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found


def usage(process: int) -> Usage:
    """Returns what a process and all that descend from it hold."""
    memory: list[float] = []
    files, threads = 0, 0
    for each in tree(process):
        place = Path(f"/proc/{each}")
        try:
            pages = int((place / "statm").read_text().split()[1])
            files += len(os.listdir(place / "fd"))  # noqa: PTH208
            threads += len(os.listdir(place / "task"))  # noqa: PTH208
        except OSError:
            continue
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return Usage(tuple(memory), files, threads)


def start(*arguments: str, out: Path) -> "subprocess.Popen[bytes]":
    """Starts a Python program of this project in a group of its own.

    It ends with this process, however that ends.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "serving")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with (
        out.with_suffix(".out").open("wb") as printed,
        out.with_suffix(".error").open("wb") as error,
    ):
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=error,
            start_new_session=True,
            preexec_fn=functools.partial(orphans.end_with, os.getpid()),
        )


class Server:
    """`lgn serve`; a context manager.

    Args:
        models: the folder of the versions.
        folder: for what it prints.
        *options: further ones of the command.

    Attributes:
        rest: host and port of REST.
        grpc: host and port of gRPC.
        process: of the server.
    """

    def __init__(self, models: Path, folder: Path, *options: str) -> None:
        """Starts the process and waits until it answers.

        Raises:
            RuntimeError: where it does not.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._printed = folder / "server"
        self.process = start(
            *("lgn_tf", "serve", str(models), "--model-name", MODEL),
            *("--rest-port", "0", "--grpc-port", "0", "--poll-seconds", "0.2"),
            *options,
            out=self._printed,
        )
        self.rest, self.grpc = self._addresses()

    def _addresses(self) -> tuple[str, str]:
        end = time.monotonic() + START
        while time.monotonic() < end and self.alive():
            text = self._printed.with_suffix(".out").read_text()
            found = re.search(
                r"http://([\w.:]+)/v1/models, gRPC on (\S+)", text
            )
            if found:
                return found[1], found[2]
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server does not start: {self.said()}")

    def alive(self) -> bool:
        """Returns whether the process is there."""
        return self.process.poll() is None

    def said(self) -> str:
        """Returns the end of its standard error."""
        text = self._printed.with_suffix(".error").read_text(errors="replace")
        return text[-600:]

    def usage(self) -> Usage:
        """Returns what it holds, with its children."""
        return usage(self.process.pid)

    def states(self, seconds: float = 30.0) -> dict[int, str]:
        """Returns the state of each version, from the status page.

        Raises:
            OSError: where it does not answer.
        """
        connection = http.client.HTTPConnection(self.rest, timeout=seconds)
        try:
            connection.request("GET", f"/v1/models/{MODEL}")
            found = json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            raise OSError(f"no status: {error!r}") from error
        finally:
            connection.close()
        return {
            int(each["version"]): each["state"]
            for each in found.get("model_version_status", ())
        }

    def end(self, seconds: float = 30.0) -> int | None:
        """Sends SIGTERM; returns the exit status, None where it hangs."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it and its children at once."""
        ended(self.process)

    def __enter__(self) -> "Server":
        """Returns the running server."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends it at once."""
        self.kill()


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Kills a process and its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Helper:
    """A program beside the server that prints one JSON object at its end.

    Args:
        module: below `tests.soak.serving`.
        folder: for what it prints.
        name: of its files.
        **options: of the program.
    """

    def __init__(
        self, module: str, folder: Path, name: str, **options: Any
    ) -> None:
        """Starts it."""
        self._printed = folder / name
        flags = [f"--{key}={value}" for key, value in options.items()]
        self.process = start(
            f"tests.soak.serving.{module}", *flags, out=self._printed
        )

    def running(self) -> bool:
        """Returns whether it has not ended yet."""
        return self.process.poll() is None

    def result(self, seconds: float, stop: bool = False) -> dict[str, Any]:
        """Waits for the end and returns what it found.

        Args:
            seconds: after which it is killed.
            stop: whether it is told to end.

        Raises:
            RuntimeError: where it found nothing.
        """
        end = time.monotonic() + seconds
        while self.running() and (left := end - time.monotonic()) > 0:
            if stop:
                # More than once: just after SIGCONT the system may hand it to
                # another thread than the main one, which then sleeps on.
                self.process.send_signal(signal.SIGTERM)
                left = min(left, 1.0)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(left)
        ended(self.process)
        text = self._printed.with_suffix(".out").read_text()
        if not text:
            error = self._printed.with_suffix(".error").read_text()
            raise RuntimeError(
                f"{self._printed.name}: {error[-2000:] or 'hung'}"
            )
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
        return found


@contextlib.contextmanager
def stopped(helpers: Sequence[Helper]) -> Iterator[None]:
    """Lets programs do nothing while the context lasts."""
    for helper in helpers:
        helper.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for helper in helpers:
            helper.process.send_signal(signal.SIGCONT)
