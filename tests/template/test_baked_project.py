"""The default project of each kind as its owner gets it: made by the command, tested, run."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sesam_connector_sdk.testing import running
from tests.template.conftest import KINDS
from tests.wire import CANARY, CREDENTIALS, GUARDED, assert_silent

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def make(projects: dict[str, Path], environment: dict[str, str]) -> Callable[[str, str], str]:
    """Runs a target of the Makefile of a kind's project, and gives what it says."""

    def run(kind: str, target: str) -> str:
        project = projects[kind]
        if kind != "sink":
            _share_environment(projects["sink"], project)
        result = subprocess.run(
            ["make", target, f"PYTHON={sys.executable}"],  # noqa: S607  # the make that is there
            cwd=project,
            env=environment | {"PYTHONPATH": str(project)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    return run


@pytest.fixture(scope="session")
def set_up(make: Callable[[str, str], str]) -> None:
    """The sink's fresh environment, with this SDK in it."""
    make("sink", "setup")


def _share_environment(owner: Path, project: Path) -> None:
    """Give a project an environment that has all but the project itself, which costs a minute."""
    if not (project / ".venv").exists():
        (project / ".venv").symlink_to(owner / ".venv")
    (project / ".venv" / "ready").touch()


@pytest.mark.usefixtures("set_up")
@pytest.mark.parametrize("kind", KINDS)
def test_the_projects_own_tests_pass(make: Callable[[str, str], str], kind: str) -> None:
    """`make test` in a new project passes, in a fresh environment with this SDK."""
    assert re.search(r"=+ \d+ passed in ", make(kind, "test"))


@pytest.mark.usefixtures("set_up")
@pytest.mark.parametrize("kind", KINDS)
def test_the_projects_own_checks_pass(make: Callable[[str, str], str], kind: str) -> None:
    """`make lint` finds nothing in a new project, with strict types."""
    output = make(kind, "lint")

    assert "All checks passed!" in output
    assert "Success: no issues found" in output


def test_the_command_brings_the_sdk_along(projects: dict[str, Path]) -> None:
    """While no index has the SDK, its wheel lies in wheels/, made of this repository."""
    sdk = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    (wheel,) = (projects["sink"] / "wheels").glob("*.whl")

    assert wheel.name == f"sesam_connector_sdk-{sdk['version']}-py3-none-any.whl"


def test_git_ignores_what_is_made(
    make: Callable[[str, str], str], projects: dict[str, Path], environment: dict[str, str]
) -> None:
    """Of a project that has been used, git sees the baked files: no wheel, cache or environment."""
    make("sink", "test")
    git = ["git", "-c", "core.excludesFile=", "-C", str(projects["sink"])]
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


def test_the_images_health_check_tells_alive_from_gone(
    projects: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very command of the Dockerfile succeeds on a running connector, and on nothing else."""
    monkeypatch.chdir(projects["sink"])
    dockerfile = (projects["sink"] / "Dockerfile").read_text("utf-8")
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
    with running("notes_sink", NOTES_FILE=str(tmp_path / "notes")) as connector:
        assert status(connector.port) == 0
    assert status(nobody) == 1
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as broken:  # answers 501
        broken.timeout = 30
        threading.Thread(target=broken.handle_request).start()
        assert status(broken.server_port) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_running_project_tells_no_secret(
    projects: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A password in its settings and in headers, a payload in an entity: each went in.

    What the connector has logged is printed by ``running``, and so searched like all output.
    """
    monkeypatch.chdir(projects[kind])
    entity = json.dumps({"_id": "1", "_updated": 1, "price": 8, "text": CANARY}).encode()
    notes = tmp_path / "notes"
    notes.write_bytes(entity + b"\n" if kind == "source" else b"")
    own = {"NOTES_FILE": str(notes), "TAX_PERCENT": "25", "LOG_LEVEL": "DEBUG"}
    with running(f"notes_{kind}", **own, **GUARDED) as connector:
        if kind == "source":
            answers = [connector.get("/?since=1", CREDENTIALS), connector.get("/?since=1")]
        else:
            body = b"[" + entity + b"]"
            answers = [connector.post(body, headers=CREDENTIALS), connector.post(body)]
            answers.append(connector.post(body[:-1], headers=CREDENTIALS))

    assert [status for status, _ in answers] == [200, 401, 400][: len(answers)]
    assert CANARY.encode() in (notes.read_bytes() if kind == "sink" else answers[0][1])
    for _, text in answers[1:]:
        assert_silent(text.decode(), "an answer")


@pytest.mark.parametrize("kind", KINDS)
def test_the_projects_own_tests_tell_no_payload(
    projects: dict[str, Path], environment: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """With the check of this repository beside them, and a payload that it knows."""
    folder = shutil.copytree(projects[kind], tmp_path / kind, ignore=lambda *_: {".venv"})
    shutil.copy(REPOSITORY / "conftest.py", folder)
    file = folder / "tests" / f"test_{kind}.py"
    text, count = re.subn(r"blåbær|bl\\xc3\\xa5b\\xc3\\xa6r", CANARY, file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )

    assert count
    assert done.returncode == 0, done.stdout
    assert "listening on" in done.stdout, "what the connector logs is shown"
    assert_silent(done.stdout, "what pytest says")


def test_a_template_alone_says_that_the_sdk_is_missing(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Without the SDK beside it the template still makes the project, and says what to do."""
    shutil.copytree(REPOSITORY / "template", tmp_path / "alone" / "template")
    result = command(tmp_path / "alone", tmp_path / "out", "--no-input", "kind=source")

    assert result.returncode == 0
    assert "wheels/README.md says how to get it" in result.stderr
    assert "Write yours into source.py" in result.stdout
    assert list((tmp_path / "out" / "notes-source" / "wheels").glob("*.whl")) == []


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


@pytest.mark.parametrize("wheels", [[], ["other-1.0-py3-none-any.whl"]], ids=["none", "one"])
def test_a_clone_without_the_wheel_says_how_to_get_it(
    bake: Callable[..., Path], environment: dict[str, str], wheels: list[str]
) -> None:
    """Where no index has the SDK either; of a wheel that is there nothing is said."""
    project = bake()
    for name in wheels:
        (project / "wheels" / name).touch()
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],  # noqa: S607  # the make that is there
        cwd=project,
        env=environment | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 2
    assert "No matching distribution found" in done.stderr
    assert done.stderr.count("see wheels/README.md") == (0 if wheels else 1)
    assert "README" not in done.stdout


@pytest.mark.parametrize(
    ("folder", "part", "command"),
    [
        ("systems", "docker", "system {} --id notes-{kind} --image your-organisation/notes-{kind}"),
        ("pipes", "pump", "pipe {} --id notes-{kind}-pipe --system notes-{kind}"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lags_behind_the_code_is_told_with_the_command(
    bake: Callable[..., Path],
    environment: dict[str, str],
    kind: str,
    folder: str,
    part: str,
    command: str,
) -> None:
    """The project's own test says what prints the system or the pipe as it should be."""
    project = bake(kind=kind)
    (path,) = (project / folder).iterdir()
    document = json.loads(path.read_text("utf-8"))
    document[part] = {name: document[part][name] for name in ("image", "port") if part == "docker"}
    path.write_text(json.dumps(document), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "code_says"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )

    assert "1 failed, 1 passed" in done.stdout
    told = command.format(f"notes_{kind}.{kind}:Notes{kind.capitalize()}", kind=kind)
    assert f".venv/bin/sesam-connector render {told}" in done.stdout
