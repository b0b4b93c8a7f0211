"""Processes of their own: started, asked, weighed and stopped.

Knows nothing of what they do. Figures are Linux's own: ``/proc`` and the process's CPU clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from .load import WrongAnswerError

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_ASK_SECONDS = 180.0
_POLL_SECONDS = 0.002
_KEPT = ("HOME", "LANG", "PATH", "XDG_CACHE_HOME")


def module(name: str) -> list[str]:
    """The command that runs a module with this Python.

    Args:
        name: Its dotted name.
    """
    return [sys.executable, "-m", name]


class Process:
    """A running process; a context manager that ends it, whatever happens.

    Args:
        command: What to run, in the repository's root.
        environment: Its variables; it gets nothing else of ours but where programs are.
        log: File that its output is written to; None keeps standard output as a pipe instead.
    """

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        output = log.open("wb") if log else None
        self.popen = subprocess.Popen(  # noqa: S603  # our own commands
            command,
            cwd=ROOT,
            env={**own, **environment},
            stdin=subprocess.PIPE,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,  # Ctrl-C is for us: we end what we have started
        )
        if output:
            output.close()
        self.name = command[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()

    def cpu(self) -> float:
        """Seconds of processor time so far, of all its threads, in user and kernel mode.

        The process's own CPU clock: what ``/proc/PID/stat`` counts in hundredths of a second.
        """
        # The number of that clock, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~self.popen.pid << 3) | 2)

    def resident(self) -> float:
        """MB in memory now."""
        return self._kilobytes("status", "VmRSS") / 1000

    def peak(self) -> float:
        """MB in memory at most, since ``forget_peak`` or the start."""
        return self._kilobytes("status", "VmHWM") / 1000

    def proportional(self) -> float:
        """MB in memory now, where what is shared with other processes counts by its share."""
        return self._kilobytes("smaps_rollup", "Pss") / 1000

    def forget_peak(self) -> None:
        """Begin to look for the peak anew."""
        self._proc("clear_refs").write_text("5")

    def _kilobytes(self, file: str, field: str) -> int:
        for line in self._proc(file).read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024 // 1000
        raise WrongAnswerError(f"{self.name}: /proc has no {field} for it; has it ended?")

    def _proc(self, file: str) -> Path:
        return Path(f"/proc/{self.popen.pid}/{file}")


class Server(Process):
    """A process that says ``listening on HOST:PORT`` once it does.

    Args:
        command: What to run.
        log: File that its output is written to.
        environment: Its variables.
    """

    def __init__(
        self, command: list[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        defaults = {"PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
        super().__init__(command, {**defaults, **(environment or {})}, log)
        self._log = log

    def address(self) -> str:
        """Wait until it listens, and return where, as ``host:port``.

        Raises:
            WrongAnswerError: It has ended, or takes far too long.
        """
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self.popen.poll() is None:
            for line in self._log.read_text().splitlines(keepends=True):
                if "listening on " in line and line.endswith("\n"):
                    return line.split()[-1]
            time.sleep(_POLL_SECONDS)
        raise WrongAnswerError(f"{self.name} did not start: {self._log.read_text()[-500:]}")


class Answerer(Process):
    """A process that answers each line of JSON with one line of JSON.

    Args:
        command: What to run.
        environment: Its variables.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(command, environment or {})

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask, and return the answer.

        Raises:
            WrongAnswerError: It has ended, or takes far too long.
        """
        if self.popen.stdin is None or self.popen.stdout is None:
            raise WrongAnswerError(f"{self.name} cannot be asked")
        with _time_limit(self.popen):
            self.popen.stdin.write(json.dumps(question).encode() + b"\n")
            self.popen.stdin.flush()
            line = self.popen.stdout.readline()
        if not line:
            raise WrongAnswerError(f"{self.name} ended instead of answering")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def _time_limit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(_ASK_SECONDS, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
