"""The image of the Service Bus sink, in the box that a Sesam node gives it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from service_bus_emulator import Emulator, running

from tests.image.conftest import EXAMPLE, Tool

pytestmark = pytest.mark.image

# The node's default box, and every right taken away.
BOX = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"),
    *("--memory", "128m", "--memory-swap", "128m", "--cpus", "0.25"),
)
DOCKER_KNOWS_NOT = ("--read-only-tmpfs=false",)
START_SECONDS = 60.0
STOP_SECONDS = 10.0
MAXIMAL = 4 * 1024 * 1024
PEAK_MEGABYTES = 110


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

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send one batch."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            connection.request("POST", path, body, {"Content-Type": "application/json"})
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


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A Service Bus on loopback."""
    with running(queues=["my_queue"]) as found:
        yield found


@pytest.fixture
def container(tool: Tool, image: str, emulator: Emulator) -> Iterator[Running]:
    """The sink's container, listening."""
    name = f"sink-test-{time.monotonic_ns()}"
    box = [each for each in BOX if not (tool.docker and each in DOCKER_KNOWS_NOT)]
    process = tool.run(image, name, *box, *_environment(emulator))
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
    yield Running(tool, name, process, port, lines)
    if process.poll() is None:
        # Not SIGKILL: from inside, the kernel keeps that from a container's first process.
        tool.execute(name, "python", "-c", "import os; os.kill(1, 15)")
    process.wait(STOP_SECONDS)
    reader.join(START_SECONDS)
    process.stdout.close()


def _environment(emulator: Emulator) -> list[str]:
    variables = {
        "SERVICE_NAMESPACE": emulator.address,
        "SERVICE_SAS_TOKEN_NAME": emulator.key_name,
        "SERVICE_SAS_TOKEN_VALUE": emulator.key,
        "PORT": "0",
        "BIND_ADDRESS": "127.0.0.1",
    }
    return [part for name, text in variables.items() for part in ("-e", f"{name}={text}")]


def health_command() -> list[str]:
    """The command of the Dockerfile's own HEALTHCHECK."""
    text = (EXAMPLE / "Dockerfile").read_text("utf-8")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    command: list[str] = json.loads(found[1])
    return command


def test_it_delivers_is_healthy_and_ends_in_time(container: Running, emulator: Emulator) -> None:
    """Read-only, without rights, in 128 MB: probed by its own command, pushed through, stopped."""
    port = str(container.port)
    probe = container.tool.execute(container.name, "env", f"PORT={port}", *health_command())
    assert probe.returncode == 0, probe.stderr

    status, _ = container.post("/my_queue?sequence_id=1", b'[{"_id":"1"},{"_id":"2"}]')
    assert status == 200
    assert [each.body for each in emulator.messages("my_queue")] == [b'{"_id":"1"}', b'{"_id":"2"}']

    seen = container.status()
    assert re.search(r"^Uid:\s+10001\s", seen, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", seen, re.MULTILINE)

    began = time.monotonic()
    container.tool.execute(container.name, "python", "-c", "import os; os.kill(1, 15)")
    assert container.process.wait(STOP_SECONDS) == 0
    print(f"\nimage: stopped {time.monotonic() - began:.1f} s after SIGTERM")


def test_ten_maximal_bodies_at_once_fit_the_box(container: Running, emulator: Emulator) -> None:
    """Ten pipes push the largest bodies: all is delivered, and memory stays below 110 MB."""
    status, _ = container.post("/my_queue?sequence_id=0", b'[{"_id":"first"}]')
    assert status == 200
    idle = container.megabytes("VmRSS")
    body = maximal_body()

    def push(pipe: int) -> int:
        for _ in range(20):
            status, _ = container.post(f"/my_queue?sequence_id={pipe}", body)
            if status != 503:  # no room: as the hub does, send it again
                return status
        return status

    with ThreadPoolExecutor(10) as pipes:
        statuses = list(pipes.map(push, range(10)))

    peak = container.megabytes("VmHWM")
    print(f"\nimage: idle, after one request: {idle:.0f} MB")
    print(f"image: ten bodies of {len(body):,} bytes at once: {statuses}, peak {peak:.0f} MB")
    assert statuses == [200] * 10
    assert emulator.stats("my_queue").messages_stored >= 10 * body.count(b'"_id"')
    assert peak < PEAK_MEGABYTES


def maximal_body() -> bytes:
    """Entities of about 800 bytes, as many as the default limit takes."""
    entities: list[bytes] = []
    size = 2
    while size < MAXIMAL - 1000:
        entity = json.dumps({"_id": f"{len(entities)}", "_updated": 1, "text": "x" * 750}).encode()
        entities.append(entity)
        size += len(entity) + 1
    return b"[" + b",".join(entities) + b"]"
