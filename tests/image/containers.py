"""A container in the box that a Sesam node gives it, and what can be asked of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.image.conftest import Tool
from tests.wire import CREDENTIALS, GUARDED, assert_silent

# The node's default box, and every right taken away.
BOX = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"),
    *("--memory", "128m", "--memory-swap", "128m", "--cpus", "0.25"),
)
DOCKER_KNOWS_NOT = ("--read-only-tmpfs=false",)
START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass
class Running:
    """A running container.

    Attributes:
        tool: What runs it.
        name: Its name.
        process: The foreground process of the tool.
        port: Where the sink listens.
        lines: What it has said.
    """

    tool: Tool
    name: str
    process: subprocess.Popen[str]
    port: int
    lines: list[str]

    def post(
        self, path: str, body: bytes, credentials: Mapping[str, str] = CREDENTIALS
    ) -> tuple[int, bytes]:
        """Send one batch."""
        headers = {"Content-Type": "application/json", **credentials}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for something."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=CREDENTIALS)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def status(self) -> str:
        """What the kernel says of the container's first process."""
        return self.tool.execute(
            self.name, "python", "-c", "print(open('/proc/1/status').read())"
        ).stdout

    def megabytes(self, line: str) -> float:
        """What the kernel says of its memory: ``VmRSS`` now, ``VmHWM`` at the most so far."""
        found = re.search(rf"^{line}:\s+(\d+) kB", self.status(), re.MULTILINE)
        assert found
        return int(found[1]) / 1024

    def terminate(self) -> int:
        """Send SIGTERM, as an engine does to stop it; gives the exit code."""
        # Not SIGKILL: from inside, the kernel keeps that from a container's first process.
        self.tool.execute(self.name, "python", "-c", "import os; os.kill(1, 15)")
        return self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def listening(
    tool: Tool, image: str, variables: dict[str, str], options: Sequence[str] = ()
) -> Iterator[Running]:
    """Run an image in the box, on a free port of the loopback address, until the block ends.

    Args:
        tool: What runs it.
        image: Its tag.
        variables: The container's environment, beside its address and its password.
        options: More of the tool's options.
    """
    name = f"image-test-{time.monotonic_ns()}"
    box = [each for each in BOX if not (tool.docker and each in DOCKER_KNOWS_NOT)]
    settings = {**variables, **GUARDED, "PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
    environment = [part for key, text in settings.items() for part in ("-e", f"{key}={text}")]
    process = tool.run(image, name, *box, *options, *environment)
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    lines: list[str] = []
    assert process.stdout is not None
    port = 0
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"listening on \S+:(\d+)", line):
            port = int(found[1])
            break
    watchdog.cancel()
    assert port, "".join(lines)
    reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
    reader.start()
    container = Running(tool, name, process, port, lines)
    try:
        yield container
    finally:
        if process.poll() is None:
            container.terminate()
        reader.join(START_SECONDS)
        process.stdout.close()
        assert_silent("".join(lines), "the container's log")


def is_healthy(container: Running, project: Path) -> bool:
    """Whether the command of the Dockerfile's own HEALTHCHECK says so, in the container."""
    text = (project / "Dockerfile").read_text("utf-8")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    command: list[str] = json.loads(found[1])
    port = f"PORT={container.port}"
    return container.tool.execute(container.name, "env", port, *command).returncode == 0
