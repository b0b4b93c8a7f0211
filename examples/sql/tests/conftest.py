"""Fixtures: every test that asks for a `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sesam_connector_sdk.testing import opened

from sql_connectors import SqlSink

from . import postgres
from .support import CANARY, Place, Server, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that the tests share."""
    folder = postgres.programs()
    if folder is None:
        pytest.skip(postgres.INSTALL)
    with postgres.running(folder) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A table that no other test uses."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/{CANARY}.sqlite", "notes")
    return Place(request.getfixturevalue("postgresql"), f"notes_{next(_numbers)}")


@pytest.fixture
def sink(place: Place) -> Iterator[SqlSink]:
    """A sink for it, opened."""
    with opened(SqlSink(place.settings())) as made:
        yield made


@pytest.fixture
def server(place: Place) -> Iterator[Server]:
    """The process that the image runs, for it."""
    with serving(place.variables()) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not run."""
    if any(
        postgres.INSTALL in str(each.longrepr) for each in terminalreporter.stats.get("skipped", [])
    ):
        terminalreporter.section("only SQLite was tested")
        terminalreporter.write_line(postgres.INSTALL)
