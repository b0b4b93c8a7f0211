"""Systems and pipes as values, with the defaults that Sesam documents.

Built from checked documents by ``directory``. Imports ``variables``, ``document`` and ``settings``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sesam_connector_sdk.reading import Secret

from .document import ConfigError
from .variables import Variables, as_text, describe_missing

DEFAULT_BATCH_SIZE = 100
"""Entities in a batch (``configuration-sinks-json``)."""


@dataclass(frozen=True, slots=True)
class System:
    """A file of ``systems/``: something that pipes read from or write to.

    The defaults are those of Sesam's ``configuration-systems-microservice``.

    Attributes:
        id: Its ``_id``.
        type: Such as ``system:microservice``.
        file: The file's name in the directory.
        document: The file's object, variables filled in, without ``docker.environment``.
        environment_as_written: ``docker.environment``, variables not filled in.
        variables: What ``environment`` fills in.
    """

    id: str
    type: str
    file: str
    document: Mapping[str, Any] = field(repr=False)
    environment_as_written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Variables = field(default_factory=Variables, repr=False)

    @property
    def image(self) -> str | None:
        """The Docker image, of a microservice."""
        return self._docker.get("image")

    @property
    def port(self) -> int | None:
        """The port that the container exposes, of a microservice."""
        return self._docker.get("port")

    @property
    def memory(self) -> float:
        """What the container may use, in megabytes."""
        return float(self._docker.get("memory", 128))

    @property
    def cpu_quota(self) -> float:
        """What the container may use, in percent of a core."""
        return float(self._docker.get("cpu_quota", 25))

    @property
    def username(self) -> str | None:
        """For ``authentication``; without that it has no effect."""
        return self.document.get("username")

    @property
    def password(self) -> Secret | None:
        """For ``authentication``."""
        value = self.document.get("password")
        return None if value is None else Secret(value)

    @property
    def authentication(self) -> str | None:
        """How the hub authenticates itself: ``basic``, ``digest``, or None for not at all."""
        return self.document.get("authentication")

    @property
    def verify_ssl(self) -> bool:
        """Whether certificates are checked; by default they are not."""
        return bool(self.document.get("verify_ssl", False))

    @property
    def connect_timeout(self) -> float:
        """Seconds to wait for a connection."""
        return float(self.document.get("connect_timeout", 60))

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for an answer."""
        return float(self.document.get("read_timeout", 1800))

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every request."""
        return self.document.get("headers") or {}

    @property
    def retry_strategy(self) -> Mapping[str, Mapping[str, Any]]:
        """Pump properties by status; keys: ``429``, ``400-428``, ``500,502``, ``default``."""
        strategy: dict[str, dict[str, Any]] = self.document.get("retry_strategy", {})
        return strategy

    def environment(self) -> dict[str, str]:
        """The container's environment: strings as they are, other values as JSON text.

        Raises:
            ConfigError: Variables in it have no value; names them all.
        """
        missing: set[str] = set()
        filled = self.variables.fill(self.environment_as_written, missing)
        if missing:
            raise ConfigError(describe_missing({self.file: missing}))
        return {name: as_text(value) for name, value in filled.items()}

    @property
    def _docker(self) -> Mapping[str, Any]:
        docker: dict[str, Any] = self.document.get("docker", {})
        return docker


@dataclass(frozen=True, slots=True)
class Pump:
    """How a pipe retries. The defaults are those of Sesam's ``configuration-pump``.

    Attributes:
        retries: The retry properties that the pump sets itself; they win over a system's
            ``retry_strategy``.
        fallback: ``fallback_to_single_entities_on_batch_fail``: whether a batch that failed is
            sent again one entity at a time.
        dead_letter_dataset: Where entities go that were given up, or None.
    """

    retries: Mapping[str, Any] = field(default_factory=dict)
    fallback: bool = True
    dead_letter_dataset: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Pump:
        """Read a pipe's ``pump``."""
        fallback = document.get("fallback_to_single_entities_on_batch_fail", True)
        return cls(document, fallback, document.get("dead_letter_dataset") or None)


@dataclass(frozen=True, slots=True)
class JsonSink:
    """A ``sink`` of type ``json``: where a pipe posts its entities.

    Attributes:
        system: The system's ``_id``.
        url: Path on the system, with the pipe's own query string.
        batch_size: The sink's own; None if the pipe's counts.
        headers: Headers of every request.
    """

    system: str
    url: str = field(repr=False)
    batch_size: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Pipe:
    """A file of ``pipes/``.

    Attributes:
        id: Its ``_id``.
        file: The file's name in the directory.
        document: The file's object, variables filled in.
    """

    id: str
    file: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def source_type(self) -> str:
        """Such as ``embedded``."""
        return str(self.document["source"].get("type"))

    @property
    def entities(self) -> list[dict[str, Any]] | None:
        """The entities of an embedded source; None for a source of another type."""
        source = self.document["source"]
        return source["entities"] if source.get("type") == "embedded" else None

    @property
    def sink_type(self) -> str:
        """Such as ``json``; a pipe without a sink writes to a dataset."""
        return str(self.document.get("sink", {}).get("type", "dataset"))

    @property
    def sink(self) -> JsonSink | None:
        """Where it posts; None if its sink is of another type."""
        if self.sink_type != "json":
            return None
        sink = self.document["sink"]
        return JsonSink(
            sink["system"], sink["url"], sink.get("batch_size"), sink.get("headers") or {}
        )

    @property
    def pump(self) -> Pump:
        """How it retries."""
        return Pump.of(self.document.get("pump", {}))

    @property
    def batch_size(self) -> int:
        """Most entities in a request: the sink's own, else the pipe's, else 100."""
        own = self.sink.batch_size if self.sink else None
        return own or int(self.document.get("batch_size", DEFAULT_BATCH_SIZE))


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a configuration directory holds.

    Attributes:
        systems: By ``_id``.
        pipes: By ``_id``.
    """

    systems: dict[str, System]
    pipes: dict[str, Pipe]
