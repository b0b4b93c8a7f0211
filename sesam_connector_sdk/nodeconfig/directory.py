"""Goes over the files of a configuration directory; every problem is told at once.

Imports its neighbours only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sesam_connector_sdk.schema import kind_of

from .document import ConfigError, read_object
from .model import NodeConfig, Pipe, System
from .schema import problems as shape_problems
from .variables import Variables, describe_missing, read_variables

_SUFFIX = ".conf.json"

Found = dict[str, tuple[str, dict[str, Any]]]
"""By ``_id``: the file's name, and its object as written."""


def load(
    directory: Path | str,
    *,
    pipe: str | None = None,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> NodeConfig:
    """Read ``systems/*.conf.json`` and ``pipes/*.conf.json``.

    Args:
        directory: Holds ``systems``, ``pipes`` and, for ``$ENV``, ``test-env.json``.
        pipe: Take this pipe and the system it writes to only, so that the rest of a node needs no
            values; nor does the environment of that system's container.
        secrets: A file with a JSON object: a value for each ``$SECRET``.
        environment: Variables that stand in for secrets not in that file; the process's own by
            default.

    Raises:
        ConfigError: Something is wrong; lists every problem.
    """
    path = Path(directory)
    if not path.is_dir():
        raise ConfigError([f"{path}: there is no such directory"])
    variables = read_variables(path, secrets, os.environ if environment is None else environment)
    reading = _Reading(path, variables)
    config = reading.everything() if pipe is None else reading.one_pipe(pipe)
    reading.raise_problems()
    return config


class _Reading:
    """One pass over a directory; collects problems instead of stopping at the first."""

    def __init__(self, directory: Path, variables: Variables) -> None:
        self._directory = directory
        self._variables = variables
        self._problems: list[str] = []
        self._missing: dict[str, set[str]] = {}
        self._systems = self._find("systems")
        self._pipes = self._find("pipes")

    def everything(self) -> NodeConfig:
        """All systems and pipes; also the containers' variables must have values."""
        if not (self._systems or self._pipes or self._problems):
            self._problems.append(
                f"{self._directory}: holds neither systems/*{_SUFFIX} nor pipes/*{_SUFFIX}"
            )
        systems = [self._system(each) for each in self._systems]
        for file, document in self._systems.values():
            self._fill(file, _environment(document))
        return _config(systems, [self._pipe(each) for each in self._pipes])

    def one_pipe(self, pipe_id: str) -> NodeConfig:
        """A pipe, and the system it writes to if the directory has it."""
        if pipe_id not in self._pipes:
            self.raise_problems()  # perhaps the pipe's own file cannot be read
            there = ", ".join(self._pipes) or "none"
            raise ConfigError([f"there is no pipe {pipe_id} in {self._directory}; found: {there}"])
        pipe = self._pipe(pipe_id)
        target = self._target(self._pipes[pipe_id][1])
        return _config([self._system(target)] if target else [], [pipe])

    def raise_problems(self) -> None:
        """Raise what was found so far, if anything."""
        found = [*self._problems, *describe_missing(self._missing)]
        if found:
            raise ConfigError(found)

    def _find(self, folder: str) -> Found:
        found: Found = {}
        for file, document in self._objects(folder):
            own = document.get("_id")
            if not isinstance(own, str) or not own:
                what = "misses _id" if "_id" not in document else f"_id is {kind_of(own)}"
                self._problems.append(f"{file}: {what}; it must be a string, not empty")
            elif own in found:
                self._problems.append(f"{file}: has the same _id as {found[own][0]}")
            else:
                found[own] = (file, document)
        return found

    def _objects(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted((self._directory / folder).glob(f"*{_SUFFIX}")):
            name = f"{folder}/{path.name}"
            try:
                yield name, read_object(path, name)
            except ConfigError as error:
                self._problems.extend(error.problems)

    def _pipe(self, pipe_id: str) -> Pipe | None:
        file, document = self._pipes[pipe_id]
        filled = self._fill(file, document)
        return Pipe(pipe_id, file, filled) if self._fits(file, filled, "pipes") else None

    def _system(self, system_id: str) -> System | None:
        file, document = self._systems[system_id]
        environment = _environment(document)
        filled = self._fill(file, document | _docker(document, {}))
        # The shape is checked with the environment as written, which is not filled in yet.
        if not self._fits(file, filled | _docker(filled, environment), "systems"):
            return None
        return System(system_id, filled["type"], file, filled, environment, self._variables)

    def _target(self, document: Mapping[str, Any]) -> str | None:
        """The ``_id`` of the system that a pipe writes to, if the directory has it.

        Read from the pipe as written, so that what is wrong there is told with the system's.
        """
        sink = document.get("sink")
        named = self._variables.fill(sink.get("system"), set()) if isinstance(sink, dict) else None
        return named if isinstance(named, str) and named in self._systems else None

    def _fill(self, file: str, document: Any) -> Any:
        missing: set[str] = set()
        filled = self._variables.fill(document, missing)
        if missing:
            self._missing.setdefault(file, set()).update(missing)
        return filled

    def _fits(self, file: str, document: dict[str, Any], shape: str) -> bool:
        """Check the shape, unless a variable without a value would look like a wrong type."""
        if file in self._missing:
            return False
        found = [f"{file}: {problem}" for problem in shape_problems(document, shape)]
        self._problems.extend(found)
        return not found


def _config(systems: list[System | None], pipes: list[Pipe | None]) -> NodeConfig:
    return NodeConfig(
        {each.id: each for each in systems if each}, {each.id: each for each in pipes if each}
    )


def _environment(document: Mapping[str, Any]) -> Any:
    docker = document.get("docker")
    return docker.get("environment", {}) if isinstance(docker, dict) else {}


def _docker(document: Mapping[str, Any], environment: Any) -> dict[str, Any]:
    """The ``docker`` of a system, if it has one, with another environment."""
    docker = document.get("docker")
    return {"docker": {**docker, "environment": environment}} if isinstance(docker, dict) else {}
