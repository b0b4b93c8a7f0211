"""Shared by the tests: the target, a real server on a free port, the data beside the project."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Nothing here is a test of speed: a machine with other work would fail it.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
# At the end: an installed SDK is tested rather than the one beside the tests.
sys.path.append(str(ROOT))

from sesam_connector_sdk import ServerSettings, wsgi_app  # noqa: E402
from sesam_connector_sdk.connector import Connector as AnyConnector  # noqa: E402
from sesam_connector_sdk.server.waitress_server import WaitressServer  # noqa: E402
from tests.connectors import Connector  # noqa: E402
from tests.notes import PATIENCE_SECONDS, NotesSettings, ObedientSink  # noqa: E402
from tests.wire import Client  # noqa: E402

Serving = Callable[..., Client]


@pytest.fixture
def shared() -> Path:
    """The folder of data beside the repository; the test is skipped where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: this test needs the recorded cases beside the project")
    return folder


@pytest.fixture
def notes_file(tmp_path: Path) -> Path:
    """The file that is the target."""
    return tmp_path / "notes"


@pytest.fixture
def sink(notes_file: Path) -> Iterator[ObedientSink]:
    """An open sink that treats each entity as the entity says."""
    made = ObedientSink(NotesSettings(notes_file=str(notes_file)))
    made.open()
    yield made
    made.close()


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Serve opened connectors on a free port of this machine, until the test ends."""
    with contextlib.ExitStack() as stack:

        def serve(*connectors: AnyConnector[Any], app: Any = None, **settings: Any) -> Client:
            chosen = ServerSettings(port=0, bind_address="127.0.0.1", **settings)
            server = WaitressServer(app or wsgi_app(*connectors, settings=chosen), chosen)
            thread = threading.Thread(target=server.run)
            thread.start()
            stack.callback(thread.join, PATIENCE_SECONDS)
            stack.callback(server.stop)
            host, port = server.address.split(":")
            return Client(host, int(port))

        yield serve


@pytest.fixture
def spawned() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes that are gone when the test ends."""
    with contextlib.ExitStack() as stack:

        def spawn(*command: str, **options: Any) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield spawn


@pytest.fixture
def connector(
    spawned: Callable[..., subprocess.Popen[str]], notes_file: Path
) -> Callable[..., Connector]:
    """Start connectors that are gone when the test ends."""

    def start(kind: str = "NotesSink", prefix: tuple[str, ...] = (), **env: str) -> Connector:
        return Connector(spawned, notes_file, kind, prefix, **env)

    return start
