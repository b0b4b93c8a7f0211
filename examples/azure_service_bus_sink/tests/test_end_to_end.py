"""The whole way: a process with a node's environment, a socket, AMQP, the official client."""

from __future__ import annotations

import json
from pathlib import Path

from service_bus_emulator import Emulator

from azure_service_bus_sink.settings import OWN_PATHS

from .processes import SinkProcess, process
from .support import Door, bodies, body_of, by_connection_string, items, local, receive, variables

PIPE = json.loads(
    (Path(__file__).parent.parent / "pipes" / "azure-sb-sink-pipe.conf.json").read_text()
)
# As the hub writes them, with spaces that no other encoder would put there.
POSTED = [
    b'{"_id":"1", "_updated": 0,"payload":"foo" }',
    b'{"_id":"2","_updated":1,  "payload":"bar"}',
]
PUBLISHED = PIPE["source"]["entities"]
RUN = {"is_full": "true", "sequence_id": "11", "is_first": "true", "request_id": "0"}
END = {**RUN, "is_first": "false", "is_last": "true", "request_id": "1"}


def push_the_pipe(sink: Door) -> list[int]:
    """Do what the published pipe does: one batch, then the empty one that ends the run."""
    path = "/" + PIPE["sink"]["url"]
    return [sink.post(path, items(POSTED), RUN).status, sink.post(path, b"[]", END).status]


def without_updated(body: bytes) -> object:
    """The entity as the published pipe's author wrote it."""
    entity = json.loads(body)
    del entity["_updated"]
    return entity


def test_the_published_pipe_puts_its_two_entities_into_the_queue(emulator: Emulator) -> None:
    """The official client receives both entities, in order, exactly as the hub sent them.

    Seen to fail when the sink encodes entities anew, and when it sends a message for no entities.
    """
    with process(variables(emulator)) as sink:
        assert push_the_pipe(sink) == [200, 200]
    found = receive(emulator, "my_queue", 2)
    assert [body_of(message) for message in found] == POSTED
    assert [without_updated(body_of(message)) for message in found] == PUBLISHED
    assert [message.message_id for message in found] == ["1@0", "2@1"]
    assert {message.content_type for message in found} == {"application/json"}


def test_payload_key_sends_what_the_published_example_would_send(emulator: Emulator) -> None:
    """With PAYLOAD_KEY the bodies are `json.dumps(entity[PAYLOAD_KEY])`, as published."""
    with local(variables(emulator, PAYLOAD_KEY="payload")) as sink:
        assert push_the_pipe(sink) == [200, 200]
    found = receive(emulator, "my_queue", 2)
    assert [body_of(message) for message in found] == [
        json.dumps(entity["payload"]).encode() for entity in PUBLISHED
    ]


def test_without_port_it_listens_on_5000(emulator: Emulator) -> None:
    """The default port is 5000, as the published system's configuration says."""
    # An address of its own, so that nothing else on the machine can have the port.
    address = {"PORT": "", "BIND_ADDRESS": "127.83.69.83"}
    with process(variables(emulator, **address)) as sink:
        sink.wait_for_log("listening on 127.83.69.83:5000$")


def test_log_level_decides_what_is_logged(emulator: Emulator, sink: SinkProcess) -> None:
    """LOG_LEVEL=DEBUG shows what the default leaves out."""
    sink.get("/healthz")
    with process(variables(emulator, LOG_LEVEL="DEBUG")) as loud:
        loud.get("/healthz")
        loud.wait_for_log(r"^DEBUG .*GET /healthz 200")
    assert "/healthz" not in sink.log


def test_a_connection_string_serves_as_well(emulator: Emulator, queue: str) -> None:
    """CONNECTION_STRING stands for the three SERVICE_ variables."""
    with local(by_connection_string(emulator)) as sink:
        assert sink.post(f"/{queue}", [{"_id": "1"}]).status == 200
    assert [body_of(message) for message in receive(emulator, queue, 1)] == [b'{"_id": "1"}']


def test_a_topic_is_written_to_like_a_queue(emulator: Emulator, sink: SinkProcess) -> None:
    """Each subscription of a topic gets the message."""
    assert sink.post("/events", [{"_id": "1", "_updated": 5}]).status == 200
    for subscription in ("audit", "billing"):
        (found,) = receive(emulator, f"events/Subscriptions/{subscription}", 1)
        assert found.message_id == "1@5"


def test_names_may_have_slashes_and_any_case(emulator: Emulator, sink: SinkProcess) -> None:
    """A name with slashes, dots and capitals reaches its queue however the url spells it."""
    name = "Norway/Oslo.Orders_2026"
    paths = [f"/{name}", f"/{name.lower()}/", f"/{name.upper().replace('/', '%2F')}"]
    for path in paths:
        assert sink.post(path, [{"_id": path}]).status == 200
    found = receive(emulator, name, 3)
    assert [json.loads(body_of(message))["_id"] for message in found] == paths
    assert emulator.stats(name).links_total == 2, "the sink's one, and the receiver's"


def test_a_queue_with_the_name_of_an_own_path_is_written_to_with_a_slash(
    emulator: Emulator,
) -> None:
    """The url `metrics/` is the queue `metrics`, also where only such queues are allowed."""
    allowed = ",".join(f"{name}/" for name in OWN_PATHS)
    with process(variables(emulator, ALLOWED_DESTINATIONS=allowed)) as sink:
        for name in OWN_PATHS:
            assert sink.post(f"/{name}/", [{"_id": name}]).status == 200
            assert bodies(emulator, name) == [b'{"_id": "%s"}' % name.encode()]
