"""P7: it fits the hub's default box of 128 MB, with ten pipes at once.

``make image-test`` tries the image in a box of that size; here it is a process without a box.
Breaks that were tried, each on a copy: limits ten times as large for bodies, and for all of them
together; a batch that keeps the entities that it has yielded; a look for repeated fields that
makes a value of every part; a count of the nesting that recurses in a text.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from sesam_connector_sdk import ServerSettings
from tests.connectors import Start
from tests.large_bodies import SHAPES, largest_body
from tests.wire import Reply

ROOT = Path(__file__).parents[2]
PIPES = 10
ROOM = 110 * 1024 * 1024


def body_of_kilobytes() -> bytes:
    """A body of just the largest size, of entities of about a kilobyte."""
    limit = ServerSettings().max_body_bytes
    entity = b'{"_id":"%07d","text":"' + b"x" * 980 + b'"}'
    count = (limit - 2) // (len(entity % 0) + 1)
    body = b"[" + b",".join(entity % number for number in range(count)) + b"]"
    return body + b" " * (limit - len(body))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: reads /proc")
@pytest.mark.parametrize("shape", ["entities of a kilobyte", *SHAPES])
def test_ten_of_the_largest_bodies_at_once_fit(connector: Start, shape: str) -> None:
    """All are accepted, and the process has never held more than what the box leaves to it.

    Whatever is in them. The C library is told what the images tell it.
    """
    found = connector(**heap_settings())
    client = found.listening()
    body = largest_body(shape) if shape in SHAPES else body_of_kilobytes()
    replies: list[Reply] = []
    pipes = [
        threading.Thread(target=lambda: replies.append(client.send(body=body)))
        for _ in range(PIPES)
    ]
    for pipe in pipes:
        pipe.start()
    for pipe in pipes:
        pipe.join()

    assert [reply.status for reply in replies] == [200] * PIPES
    assert len(found.target.read_bytes().splitlines()) == PIPES * len(json.loads(body))
    peak = peak_memory(found.process.pid)
    print(f"\nten bodies of {len(body):,} bytes, {shape}: peak {peak / 2**20:.0f} MB")
    assert peak < ROOM


def test_what_does_not_fit_is_refused_and_not_tried(connector: Start) -> None:
    """A body over the limit is answered 413, and costs no memory of its size."""
    found = connector()
    client = found.listening()
    limit = ServerSettings().max_body_bytes

    assert client.send(body=b"[" + b" " * 4 * limit + b"]").status == 413
    assert peak_memory(found.process.pid) < ROOM


def heap_settings() -> dict[str, str]:
    """What the images set for the C library's heap."""
    text = (ROOT / "examples" / "azure_service_bus_sink" / "Dockerfile").read_text("utf-8")
    found = dict(re.findall(r"\b(MALLOC_\w+)=(\d+)", text))
    assert len(found) == 3
    return found


def peak_memory(pid: int) -> int:
    """The most that a process has ever had in memory, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
