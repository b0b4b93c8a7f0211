"""The default project as its owner gets it: made by the command, set up, tested, run."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def make(project: Path, environment: dict[str, str]) -> Callable[[str], str]:
    """Runs a target of the project's Makefile, and gives what it says."""

    def run(target: str) -> str:
        result = subprocess.run(
            ["make", target, f"PYTHON={sys.executable}"],  # noqa: S607  # the make that is there
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    return run


def test_the_projects_own_tests_pass(make: Callable[[str], str]) -> None:
    """`make test` in a new project sets up a fresh environment with this SDK, and passes."""
    assert re.search(r"=+ \d+ passed in ", make("test"))


def test_the_projects_own_checks_pass(make: Callable[[str], str]) -> None:
    """`make lint` finds nothing in a new project, with strict types."""
    output = make("lint")

    assert "All checks passed!" in output
    assert "Success: no issues found" in output


def test_the_command_brings_the_sdk_along(project: Path) -> None:
    """While no index has the SDK, its wheel lies in wheels/, made of this repository."""
    sdk = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    (wheel,) = (project / "wheels").glob("*.whl")

    assert wheel.name == f"sesam_connector_sdk-{sdk['version']}-py3-none-any.whl"


def test_git_ignores_what_is_made(
    make: Callable[[str], str], project: Path, environment: dict[str, str]
) -> None:
    """Of a project that has been used, git sees the baked files: no wheel, cache or environment."""
    make("test")
    git = ["git", "-c", "core.excludesFile=", "-C", str(project)]
    subprocess.run([*git, "init", "--quiet"], env=environment, check=True)
    seen = subprocess.run(
        [*git, "ls-files", "--others", "--exclude-standard"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert len(seen.stdout.split()) == 15
    assert [path for path in seen.stdout.split() if path.startswith("wheels/")] == [
        "wheels/README.md"
    ]


@pytest.fixture
def port(make: Callable[[str], str], project: Path, tmp_path: Path) -> Iterator[int]:
    """The port of the project's connector, running as in the image."""
    make("setup")
    process = subprocess.Popen(
        [project / ".venv" / "bin" / "python", "-m", "notes_sink"],
        env={"NOTES_FILE": str(tmp_path / "notes"), "PORT": "0", "BIND_ADDRESS": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            lines = (re.search(r"listening on .*:(\d+)$", line) for line in process.stdout)
            yield next(int(found[1]) for found in lines if found)
            process.terminate()
            assert process.wait(timeout=30) == os.EX_OK
        finally:
            process.kill()


def test_the_images_health_check_tells_alive_from_gone(project: Path, port: int) -> None:
    """The very command of the Dockerfile succeeds on a running connector, and on nothing else."""
    dockerfile = (project / "Dockerfile").read_text("utf-8")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert found
    python, *arguments = json.loads(found[1])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]

    def status(port: int) -> int:
        check = subprocess.run(
            [sys.executable, *arguments],
            env={"PORT": str(port)},
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
        return check.returncode

    assert python == "python"
    assert status(port) == 0
    assert status(nobody) == 1
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as broken:  # answers 501
        broken.timeout = 30
        threading.Thread(target=broken.handle_request).start()
        assert status(broken.server_port) == 1


def test_a_template_alone_says_that_the_sdk_is_missing(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Without the SDK beside it the template still makes the project, and says what to do."""
    shutil.copytree(REPOSITORY / "template", tmp_path / "alone" / "template")
    result = command(tmp_path / "alone", tmp_path / "out", "--no-input")

    assert result.returncode == 0
    assert "wheels/README.md says how to get it" in result.stderr
    assert list((tmp_path / "out" / "notes-sink" / "wheels").glob("*.whl")) == []


def test_a_wheel_that_cannot_be_built_is_said(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Where pip finds no build tools, the project is made, and the owner learns what is missing."""
    result = command(
        REPOSITORY, tmp_path, "--no-input", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path)
    )

    assert result.returncode == 0
    assert "wheels/README.md says how to get it" in result.stderr
    assert "make test" in result.stdout
