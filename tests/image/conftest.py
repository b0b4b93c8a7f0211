"""Finds something that builds and runs images; without it, these tests skip and say why."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.wire import assert_silent

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "azure_service_bus_sink"
TOOL_VARIABLE = "IMAGE_TOOL"
BUILD_SECONDS = 900.0
PULL_SECONDS = 300.0


@dataclass(frozen=True)
class Tool:
    """A program with docker's commands, or one with ``build DIR TAG``, ``run TAG OPTIONS``.

    Attributes:
        program: Its path.
        docker: Whether it takes docker's own order of arguments.
    """

    program: str
    docker: bool

    def build(self, folder: Path, tag: str) -> None:
        """Build ``folder/Dockerfile``."""
        arguments = ["-t", tag, str(folder)] if self.docker else [str(folder), tag]
        subprocess.run([self.program, "build", *arguments], check=True, timeout=BUILD_SECONDS)

    def run(self, tag: str, name: str, *options: str) -> subprocess.Popen[str]:
        """Run an image in the foreground, on the host's network."""
        arguments = ["--name", name, *options]
        if self.docker:
            arguments = ["--rm", "--network", "host", *arguments, tag]
        else:
            arguments = [tag, *arguments]
        return subprocess.Popen(
            [self.program, "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a running container."""
        done = subprocess.run(
            [self.program, "exec", name, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert_silent(done.stdout + done.stderr, f"what {command[0]} says in the container")
        return done


@pytest.fixture(scope="session")
def tool() -> Tool:
    """What ``IMAGE_TOOL`` names, or docker or podman where one of them can get the base image."""
    named = os.environ.get(TOOL_VARIABLE)
    if named:
        return Tool(named, docker=Path(named).name in ("docker", "podman"))
    for name in ("docker", "podman"):
        program = shutil.which(name)
        if program and _can_pull(program, base_image()):
            return Tool(program, docker=True)
    pytest.skip(
        f"neither docker nor podman works here and can pull {base_image()},"
        f" and {TOOL_VARIABLE} names nothing in their place"
    )


def base_image() -> str:
    """What the Dockerfile builds on."""
    found = re.search(
        r"^ARG PYTHON_IMAGE=(\S+)$", (EXAMPLE / "Dockerfile").read_text(), re.MULTILINE
    )
    assert found
    return found[1]


def _can_pull(program: str, image: str) -> bool:
    """Whether it works at all, and reaches a registry: else every build would fail."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        command = [program, "pull", "--quiet", image]
        done = subprocess.run(command, capture_output=True, check=False, timeout=PULL_SECONDS)
        return done.returncode == 0
    return False


@pytest.fixture(scope="session")
def image(tool: Tool) -> str:
    """The Service Bus sink's image, built from its own Dockerfile."""
    subprocess.run(["make", "wheels"], cwd=ROOT, check=True, timeout=BUILD_SECONDS)
    tool.build(EXAMPLE, "azure-service-bus-sink-test")
    return "azure-service-bus-sink-test"
