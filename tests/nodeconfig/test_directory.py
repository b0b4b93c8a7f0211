"""A configuration directory is read whole, or every problem in it is told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from sesam_connector_sdk.nodeconfig import ConfigError
from tests.nodeconfig.nodes import PIPE, SYSTEM, Write, problems, read


def test_systems_and_pipes_are_found_by_their_id(node: Write) -> None:
    """The files' names do not matter, beyond their suffix."""
    directory = node()
    (directory / "systems" / "notes.txt").write_text("not a configuration")
    (directory / "pipes" / "draft.json").write_text("{")

    config = read(directory)

    assert list(config.systems) == ["target"]
    assert list(config.pipes) == ["to-target"]
    assert config.systems["target"].file == "systems/target.conf.json"


def test_what_is_left_out_has_the_documented_default(node: Write) -> None:
    """Those of the pages on microservices, pumps and JSON sinks."""
    config = read(node())
    system, pipe = config.systems["target"], config.pipes["to-target"]

    assert (system.image, system.port, system.memory, system.cpu_quota) == ("i", 5000, 128, 25)
    assert (system.connect_timeout, system.read_timeout) == (60, 1800)
    assert (system.verify_ssl, system.authentication, system.username) == (False, None, None)
    assert (system.password, system.headers, system.retry_strategy) == (None, {}, {})
    assert system.environment() == {}
    assert (pipe.batch_size, pipe.source_type, pipe.sink_type) == (100, "embedded", "json")
    assert (pipe.pump.fallback, pipe.pump.dead_letter_dataset, pipe.pump.retries) == (
        True,
        None,
        {},
    )


def test_what_is_set_is_read(node: Write) -> None:
    """Every property that the local hub looks at."""
    strategy = {"429": {"batch_retries": 9}}
    system = {
        "docker": {"image": "i", "port": 1, "memory": 256, "cpu_quota": 50.5},
        "username": "u",
        "password": "p",
        "authentication": "digest",
        "verify_ssl": True,
        "connect_timeout": 1,
        "read_timeout": 2.5,
        "headers": {"A": "b"},
        "retry_strategy": strategy,
    }
    pump = {
        "batch_retries": 0,
        "dead_letter_dataset": "d",
        "fallback_to_single_entities_on_batch_fail": False,
    }
    sink = {**PIPE["sink"], "batch_size": 7, "headers": {"C": "d"}}
    config = read(node(system, {"pump": pump, "sink": sink, "batch_size": 9}))
    found, pipe = config.systems["target"], config.pipes["to-target"]

    assert (found.memory, found.cpu_quota) == (256, 50.5)
    assert (found.username, found.authentication, found.verify_ssl) == ("u", "digest", True)
    assert found.password is not None
    assert found.password.reveal() == "p"
    assert (found.connect_timeout, found.read_timeout) == (1, 2.5)
    assert (found.headers, found.retry_strategy) == ({"A": "b"}, strategy)
    assert (pipe.batch_size, pipe.pump.fallback) == (7, False)
    assert (pipe.pump.dead_letter_dataset, pipe.pump.retries["batch_retries"]) == ("d", 0)
    assert pipe.sink is not None
    assert (pipe.sink.system, pipe.sink.url, pipe.sink.headers) == ("target", "/", {"C": "d"})


def test_embedded_entities_are_exact(write: Write, node: Write) -> None:
    """No number becomes a float."""
    node()
    pipe = json.dumps(PIPE).replace('{"_id": "a"}', '{"_id": "a", "n": 0.1000000000000000000001}')

    config = read(write("pipes/to-target.conf.json", pipe))

    assert config.pipes["to-target"].entities == [
        {"_id": "a", "n": Decimal("0.1000000000000000000001")}
    ]


def test_other_types_are_accepted_as_configuration(write: Write) -> None:
    """A node holds systems and pipes that no connector is part of."""
    write("systems/sql.conf.json", {"_id": "s/q l", "type": "system:postgresql", "port": "any"})
    write("pipes/one.conf.json", {"_id": "one", "type": "pipe", "source": {"type": "dataset"}})
    config = read(
        write(
            "pipes/two.conf.json",
            {"_id": "two", "type": "pipe", "source": {"type": "sql"}, "sink": {"type": "csv"}},
        )
    )

    assert list(config.systems) == ["s/q l"]
    assert [pipe.entities for pipe in config.pipes.values()] == [None, None]
    assert [pipe.sink for pipe in config.pipes.values()] == [None, None]
    assert [pipe.sink_type for pipe in config.pipes.values()] == ["dataset", "csv"]


def test_every_problem_is_told_at_once(write: Write, node: Write) -> None:
    """Of all files, whatever their kind."""
    node({"docker": {"image": "i"}}, {"batch_size": 0})
    write("pipes/broken.conf.json", "{")
    write("pipes/nameless.conf.json", {"type": "pipe"})
    write("pipes/numbered.conf.json", {"_id": 7})
    write("systems/again.conf.json", {**SYSTEM, "docker": {}})
    directory = write("systems/unknown.conf.json", {**SYSTEM, "_id": "x1", "name": "$ENV(no)"})

    found = problems(directory)

    assert sorted(text.split(":")[0] for text in found) == [
        "$ENV(no) has no value, used in systems/unknown.conf.json; add it to test-env.json",
        "pipes/broken.conf.json",
        "pipes/nameless.conf.json",
        "pipes/numbered.conf.json",
        "pipes/to-target.conf.json",
        "systems/again.conf.json",
        "systems/target.conf.json",
    ]


def test_two_files_with_one_id_are_told(write: Write, node: Write) -> None:
    """Both files are named."""
    node()

    assert problems(write("systems/zz.conf.json", SYSTEM)) == (
        "systems/zz.conf.json: has the same _id as systems/target.conf.json",
    )


def test_a_directory_without_configuration_is_told(tmp_path: Path) -> None:
    """Most likely it is the wrong one."""
    assert "holds neither systems/" in problems(tmp_path)[0]
    assert "no such directory" in problems(tmp_path / "nowhere")[0]


def test_one_pipe_needs_only_what_it_uses(write: Write, node: Write) -> None:
    """Variables and shapes of the rest of the node, and the container's, are left alone."""
    write("systems/other.conf.json", {**SYSTEM, "_id": "other", "password": "$SECRET(theirs)"})
    write("pipes/other.conf.json", {"_id": "other", "type": "pipe", "source": {}, "batch_size": 0})
    directory = node({"docker": {**SYSTEM["docker"], "environment": {"K": "$SECRET(mine)"}}})

    config = read(directory, pipe="to-target")

    assert (list(config.systems), list(config.pipes)) == (["target"], ["to-target"])
    with pytest.raises(ConfigError, match=r"\$SECRET\(mine\) has no value"):
        config.systems["target"].environment()


def test_one_pipe_tells_the_problems_of_its_system_with_its_own(node: Write) -> None:
    """All at once, also where the system's name is a variable."""
    pipe = {"sink": {**PIPE["sink"], "system": "$ENV(system)", "url": "$ENV(path)"}}
    directory = node({"username": "$ENV(user)", "password": "$SECRET(password)"}, pipe)
    (directory / "test-env.json").write_text('{"system": "target"}')

    assert [text.split(" has no value")[0] for text in problems(directory, pipe="to-target")] == [
        "$ENV(path)",
        "$ENV(user)",
        "$SECRET(password)",
    ]


def test_a_pipe_that_is_not_there_is_told_with_those_that_are(node: Write) -> None:
    """It may be a slip of the pen, or a file that cannot be read."""
    directory = node()

    assert "found: to-target" in problems(directory, pipe="to_target")[0]
    (directory / "pipes" / "broken.conf.json").write_text("{")
    assert "pipes/broken.conf.json: line 1" in problems(directory, pipe="to_target")[0]


def test_a_pipe_to_a_system_that_is_not_there_is_read(node: Write) -> None:
    """Whether that matters is for the one who uses it."""
    config = read(node(pipe={"sink": {**PIPE["sink"], "system": "gone"}}), pipe="to-target")

    assert config.systems == {}
