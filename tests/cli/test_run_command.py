"""``sesam-connector run``: finds classes, refuses what is none, and serves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sesam_connector_sdk import cli
from tests.hub.targets import PATIENCE_SECONDS
from tests.wire import CANARY, CREDENTIALS, GUARDED, Client, assert_silent

PROGRAM = str(Path(sys.executable).with_name("sesam-connector"))
SINK = """
from pathlib import Path

from sesam_connector_sdk import Batch, Secret, Settings, Sink


class NotesSettings(Settings):
    notes_token: Secret
    '''The token.'''


class NotesSink(Sink[NotesSettings]):
    def write(self, batch: Batch) -> None:
        token = self.settings.notes_token.reveal().encode()
        Path("notes").write_bytes(b" ".join([token, *(each.json for each in batch)]))


class Routed(NotesSink):
    route = "/routed"


class Unfinished(Sink[NotesSettings]):
    pass


number = 7
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The command in this process, in a directory with a module of connectors."""
    (tmp_path / "run_notes.py").write_text(SINK)
    (tmp_path / "run_needs.py").write_text("import run_absent_library")
    (tmp_path / "run_broken.py").write_text("x = 1\nraise RuntimeError('on purpose')\n")
    (tmp_path / "run_typo.py").write_text("def:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    yield lambda *arguments: CliRunner().invoke(cli.main, ["run", *arguments])
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_classes_are_served(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order given, found in the current directory."""
    served: list[type] = []
    monkeypatch.setattr(cli, "serve", lambda *classes: served.extend(classes))

    assert run("run_notes:NotesSink").exit_code == 0
    assert run("run_notes:Routed", "run_notes:Routed").exit_code == 0
    assert [each.__name__ for each in served] == ["NotesSink", "Routed", "Routed"]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("run_notes", "run_notes: write it as MODULE:CLASS"),
        (":NotesSink", ":NotesSink: write it as MODULE:CLASS"),
        ("run_nowhere:X", "there is no module run_nowhere; it is looked for in"),
        ("run_notes.inner:X", "there is no module run_notes.inner; it is looked for in"),
        ("run_notes:Nothing", "run_notes:Nothing: the module run_notes has no Nothing"),
        ("run_notes:number", "run_notes:number: is no sink, source or transform"),
        ("run_notes:NotesSettings", "run_notes:NotesSettings: is no sink, source or transform"),
        ("run_notes:Unfinished", "run_notes:Unfinished: has no method write"),
        ("run_needs:X", "run_needs cannot be imported: it needs the module run_absent_library"),
        ("run_broken:X", "run_broken cannot be imported: RuntimeError: on purpose"),
        ("run_typo:X", "run_typo cannot be imported: SyntaxError"),
        ("..:X", "cannot be imported"),
    ],
)
def test_what_is_no_connector_is_refused_in_one_line(
    run: Callable[..., Result], named: str, says: str
) -> None:
    """With exit code 2 and no traceback."""
    done = run(named)

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_error_in_a_module_is_told_with_its_line(run: Callable[..., Result]) -> None:
    """The file and the line where it was raised."""
    assert re.search(r"\(\S+run_broken\.py, line 2\)", run("run_broken:X").stderr)


def test_several_connectors_need_routes(run: Callable[..., Result]) -> None:
    """It is said before anything is opened."""
    done = run("run_notes:Routed", "run_notes:NotesSink")

    assert done.exit_code == 2
    assert done.stderr == "NotesSink has no route, and needs one beside others\n"


def test_without_a_connector_the_usage_is_shown(run: Callable[..., Result]) -> None:
    """With exit code 2."""
    done = run()

    assert done.exit_code == 2
    assert "Missing argument 'MODULE:CLASS...'" in done.stderr


def spawn(directory: Path, **environment: str) -> subprocess.Popen[str]:
    """The installed program, as a container runs it."""
    (directory / "notes_program.py").write_text(SINK)
    kept = {name: text for name, text in os.environ.items() if name != "NOTES_TOKEN"}
    return subprocess.Popen(
        [PROGRAM, "run", "notes_program:NotesSink"],
        cwd=directory,
        env={**kept, "PORT": "0", "BIND_ADDRESS": "127.0.0.1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_missing_setting_exits_with_2(tmp_path: Path) -> None:
    """Its variable is named on stderr."""
    with spawn(tmp_path, **GUARDED) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 2
    assert_silent(out, "the command's stdout")
    assert_silent(err, "the command's stderr")
    assert "NOTES_TOKEN is not set" in err
    assert err.count("\n") == 1


def test_it_serves_until_a_signal(tmp_path: Path) -> None:
    """Then it exits with 0, and has told nobody its token, its password or what it was sent."""
    secret = f"{CANARY}-token"
    with spawn(tmp_path, NOTES_TOKEN=secret, **GUARDED) as process:
        output: Any = process.stdout
        first = output.readline()
        found = re.search(r"listening on ([\d.]+):(\d+)$", first)
        assert found
        client, body = Client(found[1], int(found[2])), json.dumps([{"_id": "1", "text": CANARY}])
        assert client.send(body=body.encode(), headers=CREDENTIALS).status == 200
        assert client.send(body=body.encode()).status == 401
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_SECONDS)
        out = output.read()  # not communicate(): it leaves out what was read along with a line
        err = process.stderr.read() if process.stderr else ""

    assert (code, err) == (0, "")
    assert (tmp_path / "notes").read_text() == f"{secret} {body[1:-1]}"
    assert " POST / 200 " in out
    assert_silent(first + out, "the command's stdout")
