"""Every file of JSONTestSuite, posted to real processes: as an entity's value, and as the body.

To a sink, and to a transform that decodes what it sends back and mends what the hub cannot read.
n_ must be refused by any parser, y_ must be accepted, i_ is left to each.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.notes import PATIENCE_SECONDS
from tests.server.hostile import Process, process
from tests.wire import Client, Reply, reply

TRANSFORMS = Path(__file__).resolve().parent / "transforms.py"


@dataclass(frozen=True)
class Told:
    """What the process answered to each file, by name."""

    as_value: dict[str, Reply]
    as_body: dict[str, Reply]
    alive: int
    log: str


class Kept:
    """A client that keeps its connection, as the hub does."""

    def __init__(self, client: Client) -> None:
        self._connection = http.client.HTTPConnection(
            client.host, client.port, timeout=PATIENCE_SECONDS
        )

    def post(self, body: bytes) -> Reply:
        """One request."""
        self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return reply(self._connection.getresponse())

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@pytest.fixture(scope="module")
def suite() -> dict[str, bytes]:
    """Every file of the suite; skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "suites" / "JSONTestSuite"
    files = sorted((folder / "test_parsing").glob("*.json"))
    if not files:
        pytest.skip(f"no JSONTestSuite at {folder}: its files are not posted")
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(
    scope="module", params=[(), (str(TRANSFORMS), "MendedCopy")], ids=["sink", "transform"]
)
def told(
    suite: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Told]:
    """All of it posted to one process, which then ends well."""
    folder = tmp_path_factory.mktemp("bodies") / "process"
    with process(folder, request.param) as connector:
        yield _tell(connector, suite)


def _tell(connector: Process, suite: dict[str, bytes]) -> Told:
    client = connector.listening()
    kept = Kept(client)
    as_value = {
        name: kept.post(b'[{"_id":"1","value":' + content + b"}]")
        for name, content in suite.items()
    }
    as_body = {name: kept.post(content) for name, content in suite.items()}
    alive = kept.post(b'[{"_id":"1"}]').status
    kept.close()
    assert connector.end() == 0
    return Told(as_value, as_body, alive, connector.output())


def test_the_suite_is_whole(suite: dict[str, bytes]) -> None:
    """All 318 files: a part of it would prove less than it says."""
    kinds = [name[:2] for name in suite]

    assert (kinds.count("y_"), kinds.count("n_"), kinds.count("i_")) == (95, 188, 35)


def test_no_invalid_json_is_accepted(told: Told) -> None:
    """Neither as a value nor as a body.

    Seen to fail when the standard library reads it first: NaN is taken, deep nesting fails.
    """
    accepted = [
        (name, found.status)
        for answers in (told.as_value, told.as_body)
        for name, found in answers.items()
        if name.startswith("n_") and found.status != 400
    ]

    assert accepted == []


def test_no_valid_json_is_refused_as_a_value(told: Told) -> None:
    """Not even for keys that are there twice, which the standard does not forbid."""
    refused = {
        name
        for name, found in told.as_value.items()
        if name.startswith("y_") and found.status != 200
    }

    assert refused == set()


def test_nothing_is_answered_with_a_failure_of_the_connector(told: Told) -> None:
    """Whatever the body is: 200, or a problem document that says why not."""
    for answers in (told.as_value, told.as_body):
        assert {name: found.status for name, found in answers.items() if found.status >= 500} == {}
        for found in answers.values():
            if found.status != 200:
                assert found.headers["content-type"] == "application/problem+json"
                assert json.loads(found.body)["status"] == found.status


def test_the_process_lives_on(told: Told) -> None:
    """It takes the next batch, and has logged one line for each request and no bug."""
    assert told.alive == 200
    lines = told.log.splitlines()
    assert len([line for line in lines if " POST / " in line]) == 2 * len(told.as_body) + 1
    assert [line for line in lines if not line.startswith("INFO ")] == []
