"""The workflows can be read, run what developers run, and may do no more than they must."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are not installed

from tests.docs import pages

FOLDER = pages.ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
CI = FOLDER / "ci.yml"
RELEASE = FOLDER / "release.yml"


def workflow(path: Path) -> dict[str, Any]:
    """A workflow as data."""
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    """Every step of every job."""
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def test_there_are_two() -> None:
    """What this file checks is all that there is."""
    assert WORKFLOWS == [CI, RELEASE]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(path: Path) -> None:
    """A workflow has no permissions; a job has those that it names, a timeout, and no secret."""
    found = workflow(path)

    assert found["permissions"] == {}
    assert "secrets." not in path.read_text("utf-8")
    for job in found["jobs"].values():
        assert set(job["permissions"]) <= {"contents", "id-token"}
        assert job["permissions"].get("contents", "read") == "read"
        assert 0 < job["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    """An action is named by its commit, with its version beside it, and keeps no credentials."""
    lines = re.findall(r"uses: (.+)", path.read_text("utf-8"))

    assert [line for line in lines if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", line)] == []
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_ci_runs_what_developers_run_on_every_python() -> None:
    """CI runs make test on each Python that the package says it supports."""
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    classified = [
        name.rpartition(" ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)
    ]
    job = workflow(CI)["jobs"]["test"]

    assert job["strategy"]["matrix"]["python"] == classified
    assert "make test PYTHON=python" in [step.get("run") for step in job["steps"]]
    assert workflow(CI)["concurrency"]["cancel-in-progress"] is True


def test_only_the_job_that_publishes_may_prove_who_it_is() -> None:
    """The identity that the index trusts is given to one job, which runs no code of ours."""
    jobs = workflow(RELEASE)["jobs"]

    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert [step for step in jobs["publish"]["steps"] if "run" in step] == []
