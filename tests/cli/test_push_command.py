"""``sesam-connector hub push``: what it prints, and what it exits with."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sesam_connector_sdk.cli import main
from tests.hub.targets import DEAD_LETTERS, PATIENCE_SECONDS, ScriptedSink, listening
from tests.wire import CANARY, CREDENTIALS, PASSWORD, assert_silent

PROGRAM = str(Path(sys.executable).with_name("sesam-connector"))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory with a pipe of three entities, and secrets wherever one can be."""
    monkeypatch.setenv("word", PASSWORD)
    document = {
        "_id": "target",
        "type": "system:microservice",
        "docker": {"image": "i", "port": 5000, "environment": {"K": "$SECRET(unused)"}},
        "authentication": "basic",
        "username": "me",
        "password": "$SECRET(word)",
        "headers": {"X-Api-Key": "$SECRET(word)"},
    }
    entities = [{"_id": each, "text": CANARY} for each in "abc"]
    url = "/$ENV(path)?code=$SECRET(word)"
    pipe = {
        "_id": "to-target",
        "type": "pipe",
        "source": {"type": "embedded", "entities": entities},
        "sink": {"type": "json", "system": "target", "url": url, "batch_size": 2},
        "pump": DEAD_LETTERS,
    }
    for folder, content in {"systems": document, "pipes": pipe}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.conf.json").write_text(json.dumps(content))
    (tmp_path / "test-env.json").write_text('{"path": "queue"}')
    return tmp_path


def run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The installed program, as a person runs it."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert_silent(done.stdout, "the command's stdout")
    assert_silent(done.stderr, "the command's stderr")
    return done


def push(*arguments: str) -> Result:
    """The command in this process."""
    done = CliRunner().invoke(main, ["hub", "push", *arguments])
    assert_silent(done.stdout, "the command's stdout")
    assert_silent(done.stderr, "the command's stderr")
    return done


def assert_told(sink: ScriptedSink, count: int) -> None:
    """Check that the secrets went in: each request has those of its pipe, each entity its text."""
    assert [json.loads(each)["text"] for each in sink.taken] == [CANARY] * count
    assert sink.requests
    for each in sink.requests:
        assert each.query == {"code": PASSWORD}
        assert each.headers["authorization"] == CREDENTIALS["Authorization"]
        assert each.headers["x-api-key"] == PASSWORD


def changed(node: Path, folder: str, **values: Any) -> None:
    """Change a file of the directory."""
    file = node / folder / "one.conf.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_a_delivered_pipe_exits_with_0(node: Path) -> None:
    """The current directory is the configuration; every request is a line."""
    sink = ScriptedSink()
    with listening(sink) as base:
        done = run("hub", "push", "to-target", "--url", base, directory=node)

    assert (done.returncode, done.stderr) == (0, "")
    assert sink.ids == ["a", "b", "c"]
    assert_told(sink, 3)
    lines = done.stdout.splitlines()
    assert lines[0] == "local hub: a development tool, not Sesam"
    assert lines[1] == f"pipe to-target to system target at {base}/queue"
    assert [re.sub(r"\d+ ms", "N ms", " ".join(line.split())) for line in lines[5:8]] == [
        "1 batch 2 200 N ms is_first",
        "2 batch 1 200 N ms",
        "3 final 0 200 N ms is_last",
    ]
    assert lines[-2:] == [
        "3 entities: 3 delivered, 0 dead-lettered, 0 failed, 0 not sent",
        "ok: the run ended: the final empty batch was accepted",
    ]


def test_entities_that_were_not_delivered_exit_with_1(node: Path) -> None:
    """Also when the run itself completed."""
    sink = ScriptedSink(poison="b")
    with listening(sink) as base:
        done = run("hub", "push", "to-target", "--url", base, directory=node)

    assert (done.returncode, done.stderr) == (1, "")
    assert "  dead-lettered: b (at 1): 422" in done.stdout
    assert_told(sink, 2)


def test_a_wrong_configuration_exits_with_2(node: Path) -> None:
    """A line for each problem, on stderr, and nothing is sent."""
    changed(node, "pipes", batch_size=0, pump={"batch_retries": "3"})

    done = run("hub", "push", "to-target", "--url", "http://127.0.0.1:1", directory=node)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "pipes/one.conf.json: $.batch_size: must be at least 1",
        "pipes/one.conf.json: $.pump.batch_retries: must be integer, not a string",
    ]


def test_a_connector_that_is_not_there_exits_with_3(node: Path) -> None:
    """After the pipe's own retries."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = run("hub", "push", "to-target", "--url", url, directory=node)

    assert (done.returncode, done.stderr) == (3, "")
    *_, ended, last = done.stdout.splitlines()
    assert ended.endswith("did not answer (no connection: nothing listens there)")
    assert last == f"nothing listens at {url}/queue: is the connector running?"


def test_with_json_it_prints_one_document(node: Path) -> None:
    """And nothing else, with the same exit code."""
    sink = ScriptedSink(poison="c")
    with listening(sink) as base:
        done = push("to-target", "--url", base, "--config", str(node), "--json", "--incremental")

    document = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert (document["ok"], document["is_full"]) == (False, False)
    assert document["counts"]["dead-lettered"] == 1
    assert_told(sink, 2)


def test_secrets_are_read_from_the_file_and_the_environment(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file comes first; only what the pipe and its system use is needed."""
    sink = ScriptedSink()
    changed(node, "systems", username="$SECRET(user)")
    secrets = node / "secrets.json"
    secrets.write_text('{"user": "me"}')
    with listening(sink) as base:
        arguments = ["to-target", "--url", base, "--config", str(node), "--secrets", str(secrets)]
        assert push(*arguments).exit_code == 0
        monkeypatch.delenv("word")
        done = push(*arguments)

    assert_told(sink, 3)
    assert done.exit_code == 2
    places = "pipes/one.conf.json, systems/one.conf.json"
    assert done.stderr.startswith(f"$SECRET(word) has no value, used in {places}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["to-target"], "Missing option '--url'"),
        (["--url", "http://x"], "Missing argument 'PIPE'"),
        (["to-target", "--url", "127.0.0.1:5000"], "no connector's address"),
        (["other", "--url", "http://x"], "there is no pipe other"),
        (["to-target", "--url", "http://x", "--secrets", "no.json"], "no.json: cannot be read"),
        (["to-target", "--url", "http://x", "--config", "nowhere"], "no such directory"),
        (["to-target", "--url", "http://x", "--profile", "x"], "No such option"),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    node: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    """And says what is wrong with it."""
    monkeypatch.chdir(node)

    done = push(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_pipe_that_cannot_be_pushed_exits_with_2(node: Path) -> None:
    """One line says why."""
    changed(node, "pipes", source={"type": "dataset", "dataset": "d"})

    done = push("to-target", "--url", "http://127.0.0.1:1", "--config", str(node))

    assert done.exit_code == 2
    assert done.stderr == (
        "pipes/one.conf.json: its source is of type dataset; only embedded is pushed."
        " Give a copy of the pipe such a source, with example entities, and push that\n"
    )
