"""The application under a server that is not ours: the standard library's, strictly watched.

``wsgiref.validate`` stands between the two and fails what WSGI does not allow of either. The server
speaks HTTP/1.0 and gives a body that can be read only once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer, make_server
from wsgiref.util import shift_path_info
from wsgiref.validate import validator

import pytest

from sesam_connector_sdk import Settings, wsgi_app
from sesam_connector_sdk.connector import Connector
from tests.notes import PATIENCE_SECONDS, NotesSettings, NotesSink
from tests.transforms import ObedientTransform
from tests.wire import Client, ids

Mounted = Callable[..., Client]
KILOBYTE = "x" * 1024


class Notes(NotesSink):
    """Takes notes."""

    route = "/notes/{shelf}"


class Obedient(ObedientTransform):
    """Does what its entities say, and holds back little of it."""

    route = "/obey"
    held_bytes = 1


class Quiet(WSGIRequestHandler):
    """Logs nothing, and keeps what the server would print of an error."""

    def log_message(self, *_: Any) -> None:
        """Not at all."""


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounted]:
    """Serve connectors below ``/sesam`` of somebody else's application, until the test ends."""
    # It prints the traceback of an answer that breaks off.
    monkeypatch.setattr(ServerHandler, "log_exception", lambda *_: None)
    with ExitStack() as stack:

        def mount(*connectors: Connector[Any]) -> Client:
            ours = validator(wsgi_app(*connectors))

            def theirs(environ: dict[str, Any], start_response: Any) -> Any:
                if shift_path_info(environ) == "sesam":
                    return ours(environ, start_response)
                start_response("200 OK", [("Content-Type", "text/plain")])
                return [b"theirs"]

            server: WSGIServer = stack.enter_context(
                make_server("127.0.0.1", 0, theirs, handler_class=Quiet)
            )
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join, PATIENCE_SECONDS)
            stack.callback(server.shutdown)
            return Client("127.0.0.1", server.server_port)

        yield mount


def test_connectors_answer_where_they_are_mounted(mounted: Mounted, notes_file: Path) -> None:
    """By the path below, and the other application by all others."""
    sink = Notes(NotesSettings(notes_file=str(notes_file)))
    sink.open()
    client = mounted(sink, Obedient(Settings()))

    assert client.send("GET", "/", None).body == b"theirs"
    assert client.post([{"_id": "1"}], "/sesam/notes/a").document == {"delivered": 1, "skipped": 0}
    assert client.post([{"_id": "1", "do": "two"}], "/sesam/obey").status == 200
    assert client.post([{"id": "1"}], "/sesam/notes/a").status == 422
    assert client.post([], "/sesam/elsewhere").status == 404
    assert client.send("GET", "/sesam/obey", None).status == 405
    assert client.send("GET", "/sesam/healthz", None).document == {"status": "alive"}
    assert ids(notes_file) == ["1"]
    sink.close()


def test_an_answer_is_streamed_there_too(mounted: Mounted) -> None:
    """Without a length, to the end of the connection; the body was read once and kept until then.

    Seen to fail when the body is let go of before the answer has ended.
    """
    entities = [{"_id": str(at), "text": KILOBYTE} for at in range(2_000)]

    reply = mounted(Obedient(Settings())).post(entities, "/sesam/obey")

    assert (reply.status, json.loads(reply.body)) == (200, entities)
    assert "content-length" not in reply.headers


def test_a_late_failure_leaves_the_array_open_there_too(mounted: Mounted) -> None:
    """HTTP/1.0 knows no broken transfer, so the array must say it."""
    entities = [{"_id": str(at), "text": KILOBYTE} for at in range(500)]

    reply = mounted(Obedient(Settings())).post(
        [*entities, {"_id": "last", "do": "ValueError"}], "/sesam/obey"
    )

    assert reply.status == 200
    assert reply.body.startswith(b'[{"_id":')
    assert reply.body.endswith(b"}")
