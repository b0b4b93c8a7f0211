"""What the README and the tutorial show in a terminal is what happens."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs import pages
from tests.notes import PATIENCE_SECONDS
from tests.wire import Client

Spawn = Callable[..., subprocess.Popen[str]]

NOT_RUN = ("make ", ". .venv/bin/activate", "cookiecutter ")
SHOWN_ADDRESS = "0.0.0.0:5000"


class Terminal:
    """Runs the commands of a page in a folder, and returns what each prints.

    Attributes:
        server: The process that listens, if one does.
    """

    def __init__(self, folder: Path, spawn: Spawn) -> None:
        self.folder = folder
        self.server: subprocess.Popen[str] | None = None
        self._spawn = spawn
        self._client = Client("", 0)
        self._environment = {
            **{name: os.environ[name] for name in os.environ if not name.startswith("NOTES_")},
            "PORT": "0",
            "BIND_ADDRESS": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, command: str) -> str:
        """What a command prints; a server is left running, and its first line returned."""
        words = shlex.split(command)
        if words[0] == "curl":
            return self._curl(words[1:])
        if words[0] == "cat":
            return (self.folder / words[1]).read_text("utf-8")
        if words[0] == "pytest":
            return self._output("-m", *words, "-p", "no:cacheprovider", "--rootdir", ".")
        if words[0] == "python":
            return self._output(*words[1:])
        name, _, value = words[0].partition("=")
        assert words[1] == "python", f"this test does not know how to run: {command}"
        return self._serve(words[2:], {name: value})

    def stop(self) -> int | None:
        """End the server as the node would, and return its exit code; None if there is none."""
        if self.server is None:
            return None
        self.server.send_signal(signal.SIGTERM)
        return self.server.wait(PATIENCE_SECONDS)

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.stdout

    def _serve(self, arguments: list[str], variables: dict[str, str]) -> str:
        assert self.stop() in (None, 0)
        self.server = self._spawn(
            sys.executable, *arguments, cwd=self.folder, env=self._environment | variables
        )
        assert self.server.stdout
        line = self.server.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)$", line.rstrip())
        assert found, line
        self._client = Client("127.0.0.1", int(found[1]))
        return line.replace(found[0], SHOWN_ADDRESS)

    def _curl(self, words: list[str]) -> str:
        header, value, data, body, url = words
        assert (header, data) == ("-H", "-d")
        name, _, content = value.partition(": ")
        path = url.removeprefix("localhost:5000") or "/"
        return self._client.send("POST", path, body.encode(), {name: content}).body.decode()


def steps(name: str) -> Iterator[tuple[str, str]]:
    """The steps of a page in order: a file to write, or a command, each with the text to come."""
    for block in pages.blocks(name):
        if block.file is not None:
            yield f"write {block.file}", block.text
        elif block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


def matches(shown: str, real: str) -> bool:
    """Whether an output is the one shown, where … stands for anything within a line."""
    pattern = ".+?".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, real.strip()) is not None


@pytest.mark.parametrize("name", [pages.README, pages.TUTORIAL])
def test_a_page_can_be_followed_from_top_to_bottom(
    name: str, tmp_path: Path, spawned: Spawn
) -> None:
    """Its files are written, its commands run, each prints what the page shows; SIGTERM ends it."""
    terminal = Terminal(tmp_path, spawned)
    for step, shown in steps(name):
        if step.startswith("write "):
            (tmp_path / step.removeprefix("write ")).write_text(shown, "utf-8")
        elif not step.startswith(NOT_RUN):
            real = terminal.run(step)
            assert matches(shown, real), f"$ {step}\nshown: {shown}\nreal: {real}"

    assert terminal.stop() == 0
