"""Bakes the template, as people do on the command line and quickly within this process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter  # type: ignore[import-untyped]

REPOSITORY = Path(__file__).parents[2]
KINDS = ["sink", "source", "transform"]


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of cookiecutter that leaves the developer's own alone."""
    folder = tmp_path_factory.mktemp("cookiecutter")
    path = folder / "config.yaml"
    path.write_text(json.dumps({name: str(folder) for name in ("replay_dir", "cookiecutters_dir")}))
    return path


@pytest.fixture(scope="session")
def environment(config: Path) -> dict[str, str]:
    """The variables for a command, without what an outer make, git or pytest has left there."""
    outer = ("COV", "GIT_", "MAKE", "MFLAGS", "PYTEST", "PYTHON", "VIRTUAL_ENV")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(outer)}
    return kept | {"COOKIECUTTER_CONFIG": str(config)}


@pytest.fixture(scope="session")
def options() -> list[str]:
    """The questions that the template asks, from the template itself."""
    answers = json.loads((REPOSITORY / "template" / "cookiecutter.json").read_text("utf-8"))
    return [name for name in answers if not name.startswith("_")]


@pytest.fixture
def bake(tmp_path: Path, config: Path) -> Callable[..., Path]:
    """Bakes a project with some answers into ``out`` of the test's folder; hooks on demand."""

    def baked(*, hooks: bool = False, **answers: str) -> Path:
        return _baked(tmp_path / "out", config, hooks=hooks, **answers)

    return baked


def _baked(out: Path, config: Path, *, hooks: bool, **answers: str) -> Path:
    return Path(
        cookiecutter(
            str(REPOSITORY / "template"),
            no_input=True,
            extra_context=answers,
            output_dir=str(out),
            config_file=str(config),
            accept_hooks=hooks,
        )
    )


@pytest.fixture(scope="session")
def command(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs cookiecutter's command in a folder that holds the template."""

    def run(
        folder: Path, out: Path, *arguments: str, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        start = [sys.executable, "-m", "cookiecutter", ".", "--directory", "template"]
        return subprocess.run(
            [*start, "--output-dir", str(out), *arguments],
            cwd=folder,
            env=environment | variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def projects(
    tmp_path_factory: pytest.TempPathFactory,
    config: Path,
    command: Callable[..., subprocess.CompletedProcess[str]],
) -> dict[str, Path]:
    """The default project of each kind; the sink's is made by the documented command."""
    out = tmp_path_factory.mktemp("projects")
    result = command(REPOSITORY, out, "--no-input")
    assert result.returncode == 0, result.stderr
    others = {kind: _baked(out, config, hooks=False, kind=kind) for kind in KINDS[1:]}
    return {"sink": out / "notes-sink"} | others
