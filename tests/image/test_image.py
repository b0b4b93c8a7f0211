"""The image of the Service Bus sink, in the box that a Sesam node gives it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from service_bus_emulator import Emulator, running

from tests.image.conftest import EXAMPLE, Tool
from tests.image.containers import Running, is_healthy, listening
from tests.large_bodies import SHAPES, largest_body
from tests.wire import CANARY, eventually

pytestmark = pytest.mark.image

MAXIMAL = 4 * 1024 * 1024
BODIES = 4  # of each pipe
PEAK_MEGABYTES = 110
ENTITIES = 20  # in a body: each just under the 256 KB of a message


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A Service Bus on loopback."""
    with running(queues=["my_queue"], key=f"{CANARY}-key") as found:
        yield found


@pytest.fixture
def container(tool: Tool, image: str, emulator: Emulator) -> Iterator[Running]:
    """The sink's container, listening."""
    variables = {
        "SERVICE_NAMESPACE": emulator.address,
        "SERVICE_SAS_TOKEN_NAME": emulator.key_name,
        "SERVICE_SAS_TOKEN_VALUE": emulator.key,
    }
    with listening(tool, image, variables) as found:
        yield found


def test_it_delivers_is_healthy_and_ends_in_time(container: Running, emulator: Emulator) -> None:
    """Read-only, without rights, in 128 MB: probed by its own command, pushed through, stopped.

    Its log holds neither the key of Service Bus nor the password of requests nor an entity's text.
    """
    assert is_healthy(container, EXAMPLE)

    entities = [b'{"_id":"%d","text":"%b"}' % (each, CANARY.encode()) for each in (1, 2)]
    body = b"[" + b",".join(entities) + b"]"
    assert container.post("/my_queue?sequence_id=1", body)[0] == 200
    assert [each.body for each in emulator.messages("my_queue")] == entities
    assert container.post("/my_queue?sequence_id=2", body, credentials={})[0] == 401
    assert container.post("/my_queue?sequence_id=2", body[:-1])[0] == 400
    eventually(lambda: "POST /my_queue 200" in "".join(container.lines), "the log has it")

    seen = container.status()
    assert re.search(r"^Uid:\s+10001\s", seen, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", seen, re.MULTILINE)

    began = time.monotonic()
    assert container.terminate() == 0
    print(f"\nimage: stopped {time.monotonic() - began:.1f} s after SIGTERM")


def test_ten_maximal_bodies_at_once_fit_the_box(container: Running, emulator: Emulator) -> None:
    """Ten pipes push one after the other: all is delivered, and memory stays below 110 MB.

    Seen to fail without the Dockerfile's settings of the heap.
    """
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
        statuses = list(pipes.map(push, [*range(10)] * BODIES))

    peak = container.megabytes("VmHWM")
    print(f"\nimage: idle, after one request: {idle:.0f} MB")
    print(
        f"image: {len(statuses)} bodies of {len(body):,} bytes, ten at once:"
        f" {set(statuses)}, peak {peak:.0f} MB"
    )
    assert set(statuses) == {200}
    assert emulator.stats("my_queue").messages_stored >= len(statuses) * body.count(b'"_id"')
    assert peak < PEAK_MEGABYTES


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_maximal_bodies_that_are_hard_to_read_fit_the_box(
    container: Running, emulator: Emulator, shape: str
) -> None:
    """Entities as large as Service Bus takes, whatever is in them: memory stays below 110 MB."""
    body = largest_body(shape, ENTITIES)
    with ThreadPoolExecutor(10) as pipes:
        paths = [f"/my_queue?sequence_id={pipe}" for pipe in range(10)]
        statuses = {status for status, _ in pipes.map(container.post, paths, [body] * 10)}

    peak = container.megabytes("VmHWM")
    print(f"\nimage: ten bodies of {len(body):,} bytes, {shape}: {statuses}, peak {peak:.0f} MB")
    assert statuses == {200}
    assert emulator.stats("my_queue").messages_stored == 10 * ENTITIES
    assert peak < PEAK_MEGABYTES


def maximal_body() -> bytes:
    """Entities of about 800 bytes, as many as the default limit takes."""
    entities: list[bytes] = []
    size = 2
    while size < MAXIMAL - 1000:
        entity = json.dumps(
            {"_id": f"{len(entities)}", "_updated": 1, "text": CANARY * 125}
        ).encode()
        entities.append(entity)
        size += len(entity) + 1
    return b"[" + b",".join(entities) + b"]"
