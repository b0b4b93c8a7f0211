"""``$ENV`` and ``$SECRET`` are filled in, and what has no value is told by name."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.nodeconfig import ConfigError, System, load
from sesam_connector_sdk.nodeconfig.variables import Variables, as_text, read_variables

ENV = {
    "text": "t",
    "number": Decimal("1.50"),
    "whole": 7,
    "flag": True,
    "none": None,
    "object": {"a": [1]},
    "nested": "$ENV(text)",
}


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("$ENV(text)", "t"),
        ("$ENV(number)", Decimal("1.50")),
        ("$ENV(whole)", 7),
        ("$ENV(flag)", True),
        ("$ENV(none)", None),
        ("$ENV(object)", {"a": [1]}),
        ("<$ENV(text)>", "<t>"),
        ("$ENV(text)$ENV(whole)", "t7"),
        (" $ENV(number)", " 1.50"),
        ("x$ENV(flag)y$ENV(none)", "xtruey" + "null"),
        ("x$ENV(object)", 'x{"a":[1]}'),
        ("$ENV(nested)", "$ENV(text)"),
        ("$ENV()", "$ENV()"),
        ("$ENV(a", "$ENV(a"),
        ("$env(text)", "$env(text)"),
        ("$ConnectionString", "$ConnectionString"),
        ("", ""),
        (5, 5),
        ({"$ENV(text)": ["$ENV(text)", {"b": "$ENV(whole)"}]}, {"$ENV(text)": ["t", {"b": 7}]}),
    ],
)
def test_a_variable_is_filled_in(written: Any, filled: Any) -> None:
    """A whole string keeps the value's type; in a longer one the value is text; keys are left."""
    missing: set[str] = set()

    found = Variables(ENV).fill(written, missing)

    assert found == filled
    assert type(found) is type(filled)
    assert missing == set()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=VALUES)
def test_a_value_without_variables_stays_as_it_is(value: Any) -> None:
    """And the original is never changed."""
    before = copy.deepcopy(value)
    if "$ENV(" not in json.dumps(value) and "$SECRET(" not in json.dumps(value):
        assert Variables().fill(value, set()) == value
    assert value == before


def test_secrets_and_variables_are_kept_apart() -> None:
    """A secret does not fill an ``$ENV``, nor the other way round."""
    missing: set[str] = set()

    Variables({"a": 1}, {"b": 2}).fill(["$SECRET(a)", "x$ENV(b)y"], missing)

    assert missing == {"$SECRET(a)", "$ENV(b)"}


def test_the_secrets_file_comes_before_the_environment(tmp_path: Path) -> None:
    """What the file does not hold is read from the environment."""
    file = tmp_path / "secrets.json"
    file.write_text('{"a": {"x": 1}}')

    found = read_variables(tmp_path, file, {"a": "no", "b": "yes"})

    assert found.fill(["$SECRET(a)", "$SECRET(b)"], set()) == [{"x": 1}, "yes"]


def test_the_variables_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    """sesam-py writes one."""
    (tmp_path / "test-env.json").write_bytes(b'\xef\xbb\xbf{"a": 5}')

    assert read_variables(tmp_path, None, {}).fill("$ENV(a)", set()) == 5


@pytest.mark.parametrize("name", ["test-env.json", "secrets.json"])
def test_a_broken_file_of_values_is_told(tmp_path: Path, name: str) -> None:
    """By its name and place."""
    (tmp_path / name).write_text("{")
    secrets = tmp_path / name if name == "secrets.json" else None

    with pytest.raises(ConfigError, match=f"{name}: line 1, column 2"):
        read_variables(tmp_path, secrets, {})


def test_a_secrets_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It was asked for by name."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_variables(tmp_path, tmp_path / "no.json", {})


def test_all_variables_without_a_value_are_told_at_once(tmp_path: Path) -> None:
    """Each once, with the files that use it, also those of a container's environment."""
    node: dict[str, list[dict[str, Any]]] = {
        "systems": [
            {
                "_id": "s1",
                "type": "system:microservice",
                "password": "$SECRET(two)",
                "docker": {"image": "i", "port": "$ENV(one)", "environment": {"A": "$SECRET(3)"}},
            },
            {"_id": "s2", "type": "system:url", "username": "$ENV(one)"},
        ],
        "pipes": [{"_id": "p", "type": "pipe", "source": {"x": "a$ENV(one)b$ENV(four)"}}],
    }
    for folder, documents in node.items():
        (tmp_path / folder).mkdir()
        for document in documents:
            file = tmp_path / folder / f"{document['_id']}.conf.json"
            file.write_text(json.dumps(document))

    with pytest.raises(ConfigError) as refused:
        load(tmp_path, environment={})

    used = "systems/s1.conf.json"
    everywhere = f"pipes/p.conf.json, {used}, systems/s2.conf.json"
    secrets = "the secrets file, or set an environment variable of that name"
    assert refused.value.problems == (
        "$ENV(four) has no value, used in pipes/p.conf.json; add it to test-env.json",
        f"$ENV(one) has no value, used in {everywhere}; add it to test-env.json",
        f"$SECRET(3) has no value, used in {used}; add it to {secrets}",
        f"$SECRET(two) has no value, used in {used}; add it to {secrets}",
    )


def system(environment: dict[str, Any]) -> System:
    """A system whose container has this environment."""
    variables = Variables({"n": 5}, {"s": "hush", "o": {"k": "hush"}})
    return System("s", "system:microservice", "systems/s.conf.json", {}, environment, variables)


def test_a_containers_environment_is_text() -> None:
    """Strings as they are; all other values, secrets in them filled in, as JSON."""
    written = {
        "TEXT": "5",
        "NUMBER": 5,
        "DECIMAL": Decimal("1.10"),
        "FLAG": True,
        "NONE": None,
        "LIST": [1, "å"],
        "OBJECT": {"password": "$SECRET(s)", "n": "$ENV(n)"},
        "SECRET": "$SECRET(s)",
        "WHOLE": "$SECRET(o)",
        "INSIDE": "<$ENV(n)>",
    }

    assert system(written).environment() == {
        "TEXT": "5",
        "NUMBER": "5",
        "DECIMAL": "1.10",
        "FLAG": "true",
        "NONE": "null",
        "LIST": '[1,"å"]',
        "OBJECT": '{"password":"hush","n":5}',
        "SECRET": "hush",
        "WHOLE": '{"k":"hush"}',
        "INSIDE": "<5>",
    }


def test_no_value_is_in_a_repr(tmp_path: Path) -> None:
    """Of the variables, the systems, the pipes, or all of them together."""
    (tmp_path / "systems").mkdir()
    (tmp_path / "pipes").mkdir()
    (tmp_path / "systems" / "s.conf.json").write_text(
        '{"_id": "ss", "type": "system:microservice", "password": "$SECRET(s)",'
        ' "docker": {"image": "i", "port": 1, "environment": {"A": "$SECRET(s)"}}}'
    )
    (tmp_path / "pipes" / "p.conf.json").write_text(
        '{"_id": "p", "type": "pipe", "source": {"type": "embedded", "entities": []}, "sink":'
        ' {"type": "json", "system": "ss", "url": "/$SECRET(s)", "headers": {"A": "$SECRET(s)"}}}'
    )

    config = load(tmp_path, environment={"s": "hush"})

    assert config.systems["ss"].environment() == {"A": "hush"}
    shown = [config, config.pipes["p"].sink, config.systems["ss"].password]
    assert "hush" not in repr([*shown, config.systems["ss"].variables])


@given(value=st.text())
def test_text_stays_text(value: str) -> None:
    """A string is never quoted."""
    assert as_text(value) == value
