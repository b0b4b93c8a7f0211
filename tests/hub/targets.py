"""What the local hub is pushed against: misbehaving sinks on a real server, and worse."""

# ruff: noqa: D102  # hooks, documented where they are declared

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sesam_connector_sdk import Batch, ConnectorError, PushRequest, ServerSettings, Settings, Sink
from sesam_connector_sdk import wsgi_app as wsgi_app_of
from sesam_connector_sdk.hub import Fate, Plan, Run, push
from sesam_connector_sdk.nodeconfig import Pipe, System
from sesam_connector_sdk.server.waitress_server import WaitressServer

PATIENCE_SECONDS = 20.0
DEAD_LETTERS = {
    "dead_letter_dataset": "dead",
    "max_consecutive_write_errors": 100,
    "max_write_errors_in_retry_dataset": 100,
    "max_retries_per_entity": 0,
}
"""A pump that goes on after a bad entity."""


class Conflict(ConnectorError):
    """The sequence is not the one the sink knows."""

    status = 409
    code = "conflict"


class ScriptedSink(Sink[Settings]):
    """Takes entities into a list, except where its script or its poison says otherwise.

    Args:
        script: What each request meets, in order: an exception to raise, or None; None ever after.
        poison: Ids that are rejected always.
    """

    def __init__(self, script: Iterable[Exception | None] = (), poison: Iterable[str] = ()) -> None:
        super().__init__(Settings())
        self.script = iter(script)
        self.poison = set(poison)
        self.requests: list[PushRequest] = []
        self.seen: list[list[str]] = []
        self.taken: list[bytes] = []

    def write(self, batch: Batch) -> None:
        entities = list(batch)
        self.requests.append(batch.request)
        self.seen.append([entity.id for entity in entities])
        if error := next(self.script, None):
            raise error
        if bad := [entity for entity in entities if entity.id in self.poison]:
            for entity in bad:
                batch.reject(entity, "poison")
        else:
            self.taken += [entity.json for entity in entities]

    @property
    def ids(self) -> list[str]:
        """The ids of what was taken, in order."""
        return [msgspec.json.decode(each)["_id"] for each in self.taken]


@contextlib.contextmanager
def listening(target: Sink[Any] | Callable[..., Any]) -> Iterator[str]:
    """Serve a sink or a WSGI application on a free port; gives its address."""
    settings = ServerSettings(port=0, bind_address="127.0.0.1")
    app = wsgi_app_of(target, settings=settings) if isinstance(target, Sink) else target
    server = WaitressServer(app, settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()
        thread.join(PATIENCE_SECONDS)


class RudeServer:
    """An HTTP server that can do what no WSGI application can: cut, stay silent, send half.

    Args:
        script: What each request meets: a status to answer with; ``cut`` without an answer;
            ``take and cut``: the same after the target has the entities; ``silent`` until the test
            is over; ``half`` an answer; an ``endless`` one. 200 ever after.
        headers: Of every answer.
        body: Of every answer.
    """

    def __init__(
        self,
        script: Iterable[int | str] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"{}",
    ) -> None:
        self.script = iter(script)
        self.headers = dict(headers or {})
        self.body = body
        self.bodies: list[bytes] = []
        self.targets: list[str] = []
        self.clients: list[tuple[str, int]] = []
        self.received: list[Mapping[str, str]] = []
        self.taken: list[str] = []
        self.confirmed: list[str] = []
        self.completed = 0
        self.sent = 0
        self.over = threading.Event()
        self.left = threading.Semaphore(0)

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        """Serve on a free port; gives the address."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            self.over.set()
            server.shutdown()
            thread.join(PATIENCE_SECONDS)
            server.server_close()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Take one request, and do what the script says."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.bodies.append(body)
        self.targets.append(handler.path)
        self.clients.append(handler.client_address)
        self.received.append(dict(handler.headers))
        does = next(self.script, 200)
        ids = [entity["_id"] for entity in msgspec.json.decode(body)]
        if does in (200, 204, "take and cut"):
            self.taken += ids
        if does in (200, 204):
            self.confirmed += ids
            self.completed += not ids
        if isinstance(does, int):
            self.reply(handler, does)
            return
        if does == "silent":
            self.over.wait(PATIENCE_SECONDS)
        elif does == "endless":
            self._reply_without_end(handler)
        elif does == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        handler.close_connection = True

    def reply(self, handler: http.server.BaseHTTPRequestHandler, status: int) -> None:
        """Send a whole answer."""
        handler.send_response(status)
        for name, text in self.headers.items():
            handler.send_header(name, text)
        body = b"" if status == 204 else self.body
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _reply_without_end(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        with contextlib.suppress(OSError):
            while self.sent < 999_000_000:
                self.sent += handler.wfile.write(b" " * 100_000)
                handler.wfile.flush()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, *_arguments: Any) -> None:
        """A client that went away is what these tests are about."""


def _handler(rude: RudeServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 64 * 1024
        timeout = PATIENCE_SECONDS / 4
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            rude.answer(self)

        def do_GET(self) -> None:
            rude.targets.append(self.path)
            rude.reply(self, 200)

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()
            rude.left.release()

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


def entities(*ids: str) -> list[dict[str, Any]]:
    """Small entities."""
    return [{"_id": each} for each in ids]


def plan(
    base: str,
    source: list[dict[str, Any]],
    *,
    pump: Mapping[str, Any] | None = None,
    sink: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    batch_size: int = 2,
) -> Plan:
    """A pipe with an embedded source, to be pushed to an address."""
    document = {
        "source": {"type": "embedded", "entities": source},
        "sink": {"type": "json", "system": "target", "url": "/", **(sink or {})},
        "pump": dict(pump or {}),
        "batch_size": batch_size,
    }
    target = System("target", "system:microservice", "systems/target.conf.json", dict(system or {}))
    pipe = Pipe("to-target", "pipes/to-target.conf.json", document)
    return Plan.of(pipe, {"target": target}, base)


def run_against(
    target: ScriptedSink,
    /,
    *ids: str,
    slept: list[float] | None = None,
    incremental: bool = False,
    **asked: Any,
) -> Run:
    """Push entities to a sink on a real server; waiting takes no time."""
    clock = [] if slept is None else slept
    with listening(target) as base:
        return push(
            plan(base, entities(*ids), **asked), incremental=incremental, sleep=clock.append
        )


def fates(run: Run) -> str:
    """A letter for each entity: (d)elivered, dead-(l)ettered, (f)ailed, (n)ot sent."""
    letters = dict(zip(Fate, "dlfn", strict=True))
    return "".join(letters[account.fate] for account in run.ledger.accounts)


def kinds(run: Run) -> str:
    """The requests of a run, such as ``b b+1 s f``."""
    return " ".join(
        record.kind[0] + (f"+{record.attempt}" if record.attempt else "") for record in run.requests
    )


def parameters(run: Run, name: str) -> list[str | None]:
    """One query parameter of every request."""
    return [record.parameters.get(name) for record in run.requests]
