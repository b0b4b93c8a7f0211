"""Fills ``$ENV(name)`` and ``$SECRET(name)`` into a configuration.

Knows names and values, not what they are for. Imports ``document`` only. Rules: Sesam's pages
``environment-variables`` and ``secrets``. A value is never looked at for further variables, and
what stands in a key is left alone.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .document import read_object

_VARIABLE = re.compile(r"\$(ENV|SECRET)\(([^()]+)\)")
_WHERE = {
    "ENV": "add it to test-env.json",
    "SECRET": "add it to the secrets file, or set an environment variable of that name",
}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Variables:
    """The values there are.

    Attributes:
        env: For ``$ENV``; any JSON values.
        secrets: For ``$SECRET``.
    """

    env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def fill(self, value: Any, missing: set[str]) -> Any:
        """A copy of a JSON value with its variables filled in.

        A string that is one variable becomes that variable's value, of whatever JSON type; inside
        a longer string the value becomes text.

        Args:
            value: Any JSON value.
            missing: Receives each variable without a value, such as ``$ENV(name)``.
        """
        if isinstance(value, dict):
            return {name: self.fill(each, missing) for name, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, missing) for each in value]
        return self._fill_text(value, missing) if isinstance(value, str) else value

    def _fill_text(self, text: str, missing: set[str]) -> Any:
        whole = _VARIABLE.fullmatch(text)
        if whole:
            return self._value(whole, missing)
        return _VARIABLE.sub(lambda found: as_text(self._value(found, missing)), text)

    def _value(self, found: re.Match[str], missing: set[str]) -> Any:
        values = self.env if found[1] == "ENV" else self.secrets
        if found[2] not in values:
            missing.add(found[0])
            return found[0]
        return values[found[2]]


def read_variables(
    directory: Path, secrets: Path | None, environment: Mapping[str, str]
) -> Variables:
    """The values for a configuration directory.

    Args:
        directory: May hold ``test-env.json``.
        secrets: A JSON object of secrets, or None.
        environment: Asked for the secrets that the file does not hold.

    Raises:
        ConfigError: One of the files does not hold a JSON object.
    """
    env_file = directory / "test-env.json"
    env = read_object(env_file, env_file.name) if env_file.exists() else {}
    own = read_object(secrets, secrets.name) if secrets else {}
    return Variables(env, ChainMap(own, dict(environment)))


def describe_missing(users: Mapping[str, set[str]]) -> list[str]:
    """A line for each variable without a value.

    Args:
        users: The variables that each file misses.
    """
    files: dict[str, list[str]] = {}
    for file, missing in users.items():
        for variable in missing:
            files.setdefault(variable, []).append(file)
    return [
        f"{variable} has no value, used in {', '.join(sorted(found))};"
        f" {_WHERE[variable[1:].partition('(')[0]]}"
        for variable, found in sorted(files.items())
    ]


def as_text(value: Any) -> str:
    """A JSON value as text: a string as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return _ENCODER.encode(value).decode()
