"""The life of a process: real processes, real signals, exit codes, the target read back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.connectors import INHERITED, PROGRAM, Spawn, Start, body_of
from tests.notes import PATIENCE_SECONDS
from tests.wire import Client, eventually, ids, read_reply, refused


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_connector_ends_promptly_and_well(number: signal.Signals, connector: Start) -> None:
    """Exit code 0, the sink closed once, also with an open connection that was used before."""
    found = connector(DRAIN_TIMEOUT="600")
    client = found.listening()
    with client.connect() as connection:
        connection.sendall(body_of("1"))
        assert read_reply(connection).status == 200

        assert found.end(number) == 0

    assert ids(found.target) == ["1"]
    assert found.closed() == 1
    assert found.log().endswith("INFO sesam_connector_sdk.server: stopped\n")
    assert found.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_at_work_is_answered_and_delivered_before_the_end(
    number: signal.Signals, connector: Start
) -> None:
    """New connections are refused meanwhile; the sink is closed after the last request.

    Seen to fail when the process ends on the signal, and when the sink is closed first.
    """
    found = connector("GatedSink")
    client = found.listening()
    with client.connect() as connection:
        connection.sendall(body_of("1", "2"))
        found.begun()
        found.process.send_signal(number)
        eventually(lambda: refused(client), "new connections are refused")
        assert found.closed() == 0
        found.process.send_signal(number)
        found.open_gate()

        assert read_reply(connection).document == {"delivered": 2, "skipped": 0}
    assert found.end() == 0
    assert ids(found.target) == ["1", "2"]
    assert found.closed() == 1


def test_with_a_shutdown_delay_it_is_not_ready_and_takes_everything(connector: Start) -> None:
    """Until a second signal: whoever routes by readiness has turned away, and nothing was refused.

    Seen to fail when the listener is closed on the first signal, when requests are answered 503
    from then on, and when the second signal does not end the delay.
    """
    found = connector(SHUTDOWN_DELAY="600")
    client = found.listening()
    assert client.send("GET", "/readyz", None).status == 200
    with client.connect() as connection:
        connection.sendall(body_of("1"))
        assert read_reply(connection).status == 200
        found.process.send_signal(signal.SIGTERM)
        eventually(lambda: client.send("GET", "/readyz", None).status == 503, "it is not ready")

        connection.sendall(body_of("2"))
        assert read_reply(connection).status == 200
        assert client.post([{"_id": "3"}]).document == {"delivered": 1, "skipped": 0}
        assert client.send("GET", "/healthz", None).status == 200
        assert found.end(signal.SIGTERM) == 0

    assert ids(found.target) == ["1", "2", "3"]
    assert found.closed() == 1


def test_a_shutdown_delay_ends_by_itself_and_then_the_drain_begins(connector: Start) -> None:
    """One signal is enough; a request at work when the delay ends is answered."""
    found = connector("GatedSink", SHUTDOWN_DELAY="1.5")
    client = found.listening()
    with client.connect() as connection:
        connection.sendall(body_of("1"))
        found.begun()
        found.process.send_signal(signal.SIGTERM)
        eventually(lambda: refused(client), "new connections are refused")
        found.open_gate()

        assert read_reply(connection).status == 200
    assert found.end() == 0
    assert ids(found.target) == ["1"]


def test_a_request_that_outlasts_the_drain_ends_the_process_with_1(connector: Start) -> None:
    """It is not answered, so the hub sends it again; the log says so."""
    found = connector("GatedSink", DRAIN_TIMEOUT="0.3")
    with found.listening().connect() as connection:
        connection.sendall(body_of("1"))
        found.begun()

        assert found.end(signal.SIGTERM) == 1
        assert connection.recv(100) == b""

    assert "stopped with unfinished requests after 0.3 s" in found.log()
    assert ids(found.target) == []


def test_as_the_first_process_of_a_container_it_obeys_signals(
    connector: Start, spawned: Spawn
) -> None:
    """PID 1 has no default handlers: without its own, SIGTERM would do nothing.

    Seen to fail when ``serve`` installs no handlers.
    """
    unshare = shutil.which("unshare")
    prefix = (unshare or "", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
    if not unshare or spawned(*prefix, "true").wait(PATIENCE_SECONDS):
        pytest.skip("this machine lets nobody make a PID namespace with unshare")
    found = connector("GatedSink", prefix=prefix)
    with found.listening().connect() as connection:
        connection.sendall(body_of("1"))
        found.begun()
        os.kill(child_of(found.process.pid), signal.SIGTERM)
        found.open_gate()

        assert read_reply(connection).status == 200
    assert found.end() == 0
    assert ids(found.target) == ["1"]
    assert found.closed() == 1


def child_of(parent: int) -> int:
    """The one child of a process."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def test_the_log_says_whether_anybody_is_asked_for_credentials(connector: Start) -> None:
    """Once, at the start."""
    who = {"AUTHENTICATION": "digest", "AUTH_USERNAME": "u", "AUTH_PASSWORD": "CANARY"}
    for variables, said, status in (({}, "without", 405), (who, "with digest", 401)):
        found = connector(**variables)
        assert found.listening().send("GET", "/", None).status == status
        assert found.end(signal.SIGTERM) == 0
        assert f": {said} authentication, listening on 127.0.0.1:" in found.log()
        assert "CANARY" not in found.log()


def test_missing_and_wrong_variables_end_it_with_2_and_a_line_each(connector: Start) -> None:
    """On stderr, all of them at once, without a traceback and without a value."""
    found = connector(NOTES_FILE="", PORT="CANARY", THREADS="0", NOTES_TOKEN="CANARY")

    assert found.end() == 2
    assert found.log() == ""
    assert [line.split(" is ")[0] for line in found.stderr.splitlines()] == [
        "PORT",
        "THREADS",
        "NOTES_FILE",
    ]
    assert "NOTES_FILE is not set. File that notes are appended to.\n" in found.stderr
    assert "CANARY" not in found.stderr


def test_a_sink_that_cannot_open_ends_it_with_1(connector: Start, tmp_path: Path) -> None:
    """The log says why and where; nothing was listening, and what was not opened is not closed."""
    found = connector(NOTES_FILE=str(tmp_path / "missing" / "notes"))

    assert found.end() == 1
    assert re.fullmatch(
        r"ERROR \S+: cannot go on: No such file or directory at \S+:\d+ open < \S*notes.py:\d+ open"
        r" < .+\n",
        found.log(),
    )
    assert found.stderr == ""


@pytest.mark.parametrize(
    ("kind", "hook"), [("UnmakeableSink", "__init__"), ("UnopenableSink", "open")]
)
def test_the_text_of_an_exception_at_the_start_is_not_shown(
    kind: str, hook: str, connector: Start
) -> None:
    """A library's error may quote a connection string: class and place are enough to mend it.

    Seen to fail when the exception is left to the interpreter.
    """
    found = connector(kind)

    assert found.end() == 1
    assert re.fullmatch(
        rf"ERROR \S+: cannot go on: ValueError at \S*notes.py:\d+ {hook} < .+ \(its text .*\)\n",
        found.log(),
    )
    assert found.stderr == ""
    assert found.closed() == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Writeless", "Writeless has no method write"),
        ("Kept(NotesSettings(notes_file=''))", "serve takes the class Kept, and makes one itself"),
        ("Checked", r"Checked\.schema: The schema is no JSON Schema: \$\.type: \S.*"),
        ("Lost", r"Lost\.route is 'notes': \S.*"),
    ],
)
def test_a_class_that_cannot_serve_is_named_in_one_line(
    given: str, said: str, spawned: Spawn, tmp_path: Path
) -> None:
    """The text is the SDK's own, about the author's code, so it is shown: it says what to mend.

    Seen to fail when the text is held back as that of a library's error.
    """
    program = tmp_path / "mine.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
        "from sesam_connector_sdk import Sink, serve\n"
        "from notes import NotesSettings, NotesSink\n"
        "class Writeless(Sink[NotesSettings]): pass\n"
        "class Kept(NotesSink): pass\n"
        "class Checked(NotesSink): schema = {'type': 'text'}\n"
        "class Lost(NotesSink): route = 'notes'\n"
        f"serve({given})\n"
    )
    own = {"NOTES_FILE": str(tmp_path / "notes"), "PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
    process = spawned(sys.executable, "-u", str(program), env=INHERITED | own)

    log, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1
    assert re.fullmatch(rf"ERROR sesam_connector_sdk.server: cannot go on: {said}\n", log)
    assert errors == ""


def test_a_close_that_fails_ends_it_with_1(connector: Start) -> None:
    """What was accepted before is in the target all the same."""
    found = connector("TalkativeSink")
    assert found.listening().post([{"_id": "1"}]).status == 200

    assert found.end(signal.SIGTERM) == 1
    assert "cannot go on: ValueError at " in found.log()
    assert "CANARY" not in found.log() + found.stderr
    assert ids(found.target) == ["1"]


def test_a_taken_port_ends_it_with_1_and_one_line(connector: Start) -> None:
    """The line names the address; the sink, which was open by then, is closed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = connector(PORT=str(port))

        assert found.end() == 1
    where = f"127.0.0.1:{port}"
    assert re.fullmatch(
        rf"ERROR \S+: cannot go on: {where} cannot be listened on: Address already in use"
        r"; see PORT, BIND_ADDRESS\n",
        found.log(),
    )
    assert found.stderr == ""
    assert found.closed() == 1


def test_no_folder_for_temporary_files_is_needed(connector: Start, tmp_path: Path) -> None:
    """Bodies up to the limit stay in memory, sent at once or in chunks.

    Seen to fail with waitress's own limit for what is kept in memory.
    """
    (tmp_path / "sitecustomize.py").write_text("import tempfile; tempfile.tempdir = '/nowhere'")
    paths = [str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    found = connector(PYTHONPATH=os.pathsep.join(filter(None, paths)))
    client = found.listening()
    entities = [{"_id": str(at), "text": "x" * 1000} for at in range(3_900)]
    body = json.dumps(entities).encode()
    pieces = (body[at : at + 2**16] for at in range(0, len(body), 2**16))

    assert client.send(body=body.ljust(4 * 2**20)).document == {"delivered": 3_900, "skipped": 0}
    assert client.send(body=pieces).document == {"delivered": 3_900, "skipped": 0}
    assert found.end(signal.SIGTERM) == 0
    assert len(ids(found.target)) == 7_800


def test_the_log_holds_no_payload_no_token_and_no_forged_line(connector: Start) -> None:
    """Over a whole life, with errors and bugs: one line an event, no canary anywhere.

    Seen to fail when an exception's text is logged, and when a query is.
    """
    found = connector("ObedientSink", LOG_LEVEL="DEBUG", NOTES_TOKEN="CANARY-token")
    client = found.listening()
    orders = ("take", "reject", "fail", "ValueError", "TargetAwayError", "stop", "Throttled")
    for order in orders:
        client.post(
            [{"_id": "1", "do": order, "x": "CANARY-payload"}], "/%0aERROR%20forged?k=CANARY"
        )
    client.send(body=b'[{"_id":"CANARY"')
    client.send(headers={"Authorization": "CANARY", "Content-Type": "text/plain"})

    assert found.end(signal.SIGTERM) == 0
    assert "CANARY" not in found.log() + found.stderr
    assert found.stderr == ""
    starts = {line.split(" ")[0] for line in found.log().splitlines()}
    assert starts <= {"DEBUG", "INFO", "WARNING", "ERROR"}
    assert "\nERROR forged" not in found.log()
    requests = [line for line in found.log().splitlines() if ": POST " in line]
    assert len(requests) == len(orders) + 2


def test_several_connectors_are_one_service(
    spawned: Spawn, tmp_path: Path, notes_file: Path
) -> None:
    """Each on its route, with its settings; a second one without a route ends the start."""
    program = tmp_path / "several.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
        "from notes import NotesSink\n"
        "from sesam_connector_sdk import serve\n"
        "class One(NotesSink): route = '/one'\n"
        "class Two(NotesSink): route = sys.argv[1] or None\n"
        "serve(One, Two)\n"
    )
    own = {"NOTES_FILE": str(notes_file), "PORT": "0", "BIND_ADDRESS": "127.0.0.1"}

    def start(route: str) -> Any:
        return spawned(sys.executable, "-u", str(program), route, env=INHERITED | own)

    process = start("/two")
    line = process.stdout.readline()
    host, port = line.split()[-1].split(":")
    client = Client(host, int(port))
    assert client.post([{"_id": "1"}], "/one").status == 200
    assert client.post([{"_id": "2"}], "/two").status == 200
    assert client.post([{"_id": "3"}], "/three").status == 404
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert ids(notes_file) == ["1", "2"]

    log, _ = start("").communicate(timeout=PATIENCE_SECONDS)
    assert "cannot go on: Two needs a route" in log
