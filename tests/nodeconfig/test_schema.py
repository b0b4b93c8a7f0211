"""What has the wrong shape is told by file, JSON path and rule, never by its value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nodeconfig.nodes import PIPE, Write, problems, read

ADDRESS = {"system": "target", "url": "/"}


@pytest.mark.parametrize(
    ("system", "path", "rule"),
    [
        ({"type": "microservice"}, "$.type", "must begin with system:"),
        ({"_id": "x"}, "$._id", "must be 2 to 63 characters"),
        ({"_id": "x" * 64}, "$._id", "must be 2 to 63 characters"),
        ({"_id": "-x"}, "$._id", "must be 2 to 63 characters"),
        ({"_id": "xå"}, "$._id", "must be 2 to 63 characters"),
        ({"_id": "xx\n"}, "$._id", "must be 2 to 63 characters"),
        ({"docker": None}, "$.docker", "must be object, not null"),
        ({"docker": {"port": 1}}, "$.docker", "misses image"),
        ({"docker": {}}, "$.docker", "misses image, port"),
        ({"docker": {"image": "", "port": 1}}, "$.docker.image", "must not be empty"),
        ({"docker": {"image": "i", "port": "1"}}, "$.docker.port", "must be integer, not a string"),
        ({"docker": {"image": "i", "port": True}}, "$.docker.port", "not true or false"),
        ({"docker": {"image": "i", "port": 0}}, "$.docker.port", "must be at least 1"),
        ({"docker": {"image": "i", "port": 65536}}, "$.docker.port", "must be at most 65535"),
        (
            {"docker": {"image": "i", "port": 1, "memory": 0}},
            "$.docker.memory",
            "must be more than 0",
        ),
        (
            {"docker": {"image": "i", "port": 1, "environment": []}},
            "$.docker.environment",
            "must be object, not a list",
        ),
        ({"authentication": "ntlm"}, "$.authentication", "must be basic or digest or null"),
        ({"verify_ssl": "true"}, "$.verify_ssl", "must be boolean, not a string"),
        ({"read_timeout": 0}, "$.read_timeout", "must be more than 0"),
        ({"headers": {"A": 1}}, "$.headers.A", "must be string, not an integer"),
        ({"headers": {"A": "a\n"}}, "$.headers.A", "is not a text that a header can have"),
        ({"headers": {"A": "å€"}}, "$.headers.A", "is not a text that a header can have"),
        ({"headers": {"A b": ""}}, "$.headers", "has a name that no header can have"),
        ({"retry_strategy": {"4xx": {}}}, "$.retry_strategy", "has a key that is not a status"),
        ({"retry_strategy": {"429": 1}}, "$.retry_strategy.429", "must be object, not an integer"),
        (
            {"retry_strategy": {"default": {"batch_retries": -1}}},
            "$.retry_strategy.default.batch_retries",
            "must be at least 0",
        ),
    ],
)
def test_a_system_of_the_wrong_shape_is_told(
    node: Write, system: dict[str, Any], path: str, rule: str
) -> None:
    """By file, JSON path and rule."""
    (problem,) = problems(node(system))

    assert problem.startswith(f"systems/target.conf.json: {path}: ")
    assert rule in problem


@pytest.mark.parametrize(
    ("pipe", "path", "rule"),
    [
        ({"type": "system:microservice"}, "$.type", "must be pipe"),
        ({"_id": "a/b"}, "$._id", "must not hold a /"),
        ({"source": []}, "$.source", "must be object, not a list"),
        ({"batch_size": 0}, "$.batch_size", "must be at least 1"),
        ({"sink": {"type": "json"}}, "$.sink", "misses system, url"),
        ({"sink": {**PIPE["sink"], "batch_size": "1"}}, "$.sink.batch_size", "must be integer"),
        ({"source": {"type": "embedded"}}, "$.source", "misses entities"),
        (
            {"source": {"type": "embedded", "entities": [{"_id": "a"}, {}]}},
            "$.source.entities[1]",
            "misses _id",
        ),
        (
            {"source": {"type": "embedded", "entities": [{"_id": 7}]}},
            "$.source.entities[0]._id",
            "must be string, not an integer",
        ),
        ({"source": {"type": "json", "system": "target"}}, "$.source", "misses url"),
        (
            {"source": {"type": "json", **ADDRESS, "supports_since": "true"}},
            "$.source.supports_since",
            "must be boolean, not a string",
        ),
        (
            {"source": {"type": "json", **ADDRESS, "if_source_empty": "stop"}},
            "$.source.if_source_empty",
            "must be accept or fail",
        ),
        (
            {"source": {"type": "json", **ADDRESS, "page_size": 0}},
            "$.source.page_size",
            "must be at least 1",
        ),
        ({"transform": {"type": "http", "url": "/"}}, "$.transform", "misses system"),
        (
            {"transform": [{"type": "dtl"}, {"type": "http", **ADDRESS, "side_effects": 0}]},
            "$.transform[1].side_effects",
            "must be boolean, not an integer",
        ),
        ({"transform": "http"}, "$.transform", "must be object, not a string"),
        ({"pump": {"batch_retries": 1.5}}, "$.pump.batch_retries", "must be integer, not a number"),
        ({"pump": {"mode": "on"}}, "$.pump.mode", "must be scheduled or manual or off"),
    ],
)
def test_a_pipe_of_the_wrong_shape_is_told(
    node: Write, pipe: dict[str, Any], path: str, rule: str
) -> None:
    """By file, JSON path and rule."""
    (problem,) = problems(node(pipe=pipe))

    assert problem.startswith(f"pipes/to-target.conf.json: {path}: {rule}")


def test_a_problem_does_not_show_a_value(node: Write) -> None:
    """It may be a secret in the wrong place."""
    wrong = {
        "password": ["hunter2"],
        "verify_ssl": "hunter2",
        "authentication": "hunter2",
        "headers": {"A": "hunter2\n"},
        "docker": "hunter2",
    }

    found = problems(node(wrong))

    assert len(found) == 5
    assert "hunter2" not in "".join(found)


def test_an_unknown_property_is_allowed(node: Write) -> None:
    """Real configurations have more than is documented."""
    proxy = {"proxy": {"header_blacklist": ["X"]}, "eager_load": True, "comment": ["c"]}

    assert read(node(proxy, {"metadata": {"$config-group": "g"}})).systems
