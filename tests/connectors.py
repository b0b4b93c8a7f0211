"""Connectors in processes of their own: started, spoken to, signalled, their targets read back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from .notes import PATIENCE_SECONDS
from .wire import CANARY, Client, assert_silent, eventually

INHERITED = {
    name: text
    for name, text in os.environ.items()
    if name in {"PATH", "PYTHONPATH"} or name.startswith("COVERAGE_")
}
PROGRAM = Path(__file__).resolve().parent / "notes.py"
Spawn = Callable[..., subprocess.Popen[str]]


class Connector:
    """A connector in a process of its own, with its target."""

    def __init__(
        self,
        spawned: Spawn,
        target: Path,
        kind: str,
        prefix: tuple[str, ...],
        program: str = PROGRAM.name,
        **variables: str,
    ) -> None:
        own = {"NOTES_FILE": str(target), "PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
        own["NOTES_TOKEN"] = f"{CANARY}-token"
        self.target = target
        self.process = spawned(
            *prefix,
            sys.executable,
            "-u",
            str(PROGRAM.with_name(program)),
            kind,
            env=INHERITED | own | variables,
        )
        self.lines: list[str] = []

    def listening(self) -> Client:
        """Wait until it listens."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"listening on ([\d.]+):(\d+)$", line):
                return Client(found[1], int(found[2]))
        raise AssertionError(f"it ended instead: {self.lines} {self.errors()}")

    def errors(self) -> str:
        """What it wrote to stderr, until its end."""
        assert self.process.stderr
        return self.process.stderr.read()

    def end(self, number: signal.Signals | None = None) -> int:
        """Wait for its end, after a signal if one is given, and read the rest of its log."""
        if number is not None:
            self.process.send_signal(number)
        watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        watchdog.start()
        # Not communicate(): it leaves out what was read along with the line of ``listening``.
        self.lines += self.process.stdout or ()
        self.stderr = self.errors()
        watchdog.cancel()
        assert_silent(self.log(), "the process's stdout")
        assert_silent(self.stderr, "the process's stderr")
        return self.process.wait(PATIENCE_SECONDS)

    def log(self) -> str:
        """Everything that it logged."""
        return "".join(self.lines)

    def closed(self) -> int:
        """How often the sink was closed."""
        file = Path(f"{self.target}.closed")
        return len(file.read_text().splitlines()) if file.exists() else 0

    def begun(self) -> None:
        """Wait until a GatedSink is at work."""
        eventually(Path(f"{self.target}.begun").exists, "the write begins")

    def open_gate(self) -> None:
        """Let a GatedSink go on."""
        Path(f"{self.target}.gate").touch()

    def close_gate(self) -> None:
        """Have the next write of a GatedSink wait again."""
        for mark in ("gate", "begun"):
            Path(f"{self.target}.{mark}").unlink()


Start = Callable[..., Connector]


def body_of(*names: str) -> bytes:
    """A request with entities of these ids."""
    body = json.dumps([{"_id": name} for name in names]).encode()
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
