"""What a node is given for a connector, made from the code: its system, and a pipe that fits it.

The retry policies are those of the classes in ``errors``, so code and configuration cannot
disagree. Imports what connectors are, and ``errors``. Sources: Sesam's pages
``configuration-systems-microservice``, ``configuration-systems-url`` for ``retry_strategy``,
``configuration-pump``, ``configuration-sinks-json``, ``configuration-sources-json``,
``configuration-transforms-http``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sesam_connector_sdk import errors
from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError, Retry
from sesam_connector_sdk.sink import Sink
from sesam_connector_sdk.source import Source
from sesam_connector_sdk.transform import Transform

DEFAULT_PORT = 5000

PAGE_SIZE = 10_000
"""Entities in a page of a source that can be read by pages, so that no request takes long."""

_SOON = 60
"""Seconds between two runs."""

_CHANGES = {"schedule_interval": _SOON, "rescan_cron_expression": "0 3 * * ?"}
"""Everything once a night: with ``since``, the hub does not look for what is missing."""
_EVERYTHING = {"schedule_interval": 900}
"""The hub's own interval for a source outside it: each run costs a full read."""

# Of an entity that failed for itself, the hub keeps a note and goes on; too many end the run.
_GO_ON = {"max_consecutive_write_errors": 10, "max_write_errors_in_retry_dataset": 100}
# Where the fault is not the entity's, the run ends there and the next one begins there: nothing
# becomes a dead letter because the target was away.
_STOP = {"max_consecutive_write_errors": 1, "max_write_errors_in_retry_dataset": 0}

POLICIES: dict[Retry, dict[str, int]] = {
    Retry.NEVER: {
        "batch_retries": 0,
        "max_read_retries": 0,
        "max_retries_per_entity": 0,
        **_GO_ON,
    },
    Retry.FEW: {
        "batch_retries": 1,
        "max_read_retries": 1,
        "max_retries_per_entity": 3,
        "read_retry_delay": 10,
        "write_retry_delay": 10,
        **_GO_ON,
    },
    Retry.WAIT: {
        "batch_retries": 20,
        "max_read_retries": 20,
        "read_retry_delay": 30,
        "write_retry_delay": 30,
        **_STOP,
    },
    Retry.LATER: {
        "batch_retries": 2,
        "max_read_retries": 2,
        "read_retry_delay": 60,
        "write_retry_delay": 60,
        **_STOP,
    },
}
"""What each policy means in the hub's own properties: retries as numbers, delays in seconds.

The waits of one request stay below the 30 minutes after which a node's pipe is worth a look.
"""


def retry_strategy() -> dict[str, dict[str, int]]:
    """``retry_strategy`` of a system: for each policy the statuses that have it.

    A status without a policy is in none of them: the hub acts on 409 by itself.
    """
    statuses: dict[Retry, set[int]] = {}
    for error in _classes():
        if error.retry in POLICIES:
            statuses.setdefault(error.retry, set()).add(error.status)
    return {
        ",".join(map(str, sorted(numbers))): dict(POLICIES[policy])
        for policy, numbers in sorted(statuses.items(), key=lambda each: min(each[1]))
    }


def system(
    *connectors: type[Connector[Any]], system_id: str, image: str, port: int = DEFAULT_PORT
) -> dict[str, Any]:
    """A file of ``systems/`` that runs connectors as a microservice.

    Args:
        connectors: The classes that the image serves.
        system_id: The system's ``_id``.
        image: The Docker image, with its tag.
        port: TCP port on which the image listens.
    """
    return {
        "_id": system_id,
        "type": "system:microservice",
        "docker": {"image": image, "port": port, "environment": environment(*connectors)},
        "retry_strategy": retry_strategy(),
    }


def environment(*connectors: type[Connector[Any]]) -> dict[str, str]:
    """``docker.environment``: a variable for each setting of the connectors' own that is required.

    Secrets come from the system's secrets, everything else from the node's environment variables.
    """
    return {
        each.variable: f"${'SECRET' if each.secret else 'ENV'}({each.field})"
        for connector in connectors
        for each in connector.settings_class.describe()
        if each.default is None
    }


def pipe(
    connector: type[Connector[Any]], *, pipe_id: str, system_id: str, dataset: str | None = None
) -> dict[str, Any]:
    """A file of ``pipes/`` that fits a connector.

    A pipe without a ``sink`` fills the dataset of its own name, as the hub has it.

    Args:
        connector: The class.
        pipe_id: The pipe's ``_id``.
        system_id: The ``_id`` of the connector's system.
        dataset: The dataset that the pipe reads: what a sink delivers, or a transform is applied
            to. None for a source, which is what the pipe reads.

    Raises:
        TypeError: The class is no kind of connector that there is a pipe for.
        ValueError: A source with a dataset, or another kind without one.
    """
    head = {"_id": pipe_id, "type": "pipe"}
    address = {"system": system_id, "url": connector.route or "/"}
    if issubclass(connector, Source):
        if dataset is not None:
            raise ValueError(f"{connector.__name__} is a source: its pipe reads no dataset")
        return head | _source_parts(connector, address)
    for kind, parts in _READERS.items():
        if issubclass(connector, kind):
            source = {"source": _dataset(connector, dataset)}
            return head | source | parts(connector, address) | {"pump": pump(pipe_id)}
    raise TypeError(f"{connector.__name__} is no sink, source or transform")


def _source_parts(source: type[Source[Any]], address: dict[str, str]) -> dict[str, Any]:
    capabilities = source.capabilities()
    part: dict[str, Any] = {"type": "json", **address, **capabilities}
    if all(capabilities.values()):
        part["page_size"] = PAGE_SIZE
    if not source.may_be_empty:
        part["if_source_empty"] = "fail"
    # What writes to a dataset has no dead letters.
    return {"source": part, "pump": dict(_CHANGES if source.since else _EVERYTHING)}


def _sink_parts(sink: type[Sink[Any]], address: dict[str, str]) -> dict[str, Any]:
    return {"sink": {"type": "json", **address, "batch_size": sink.batch_size}}


def _transform_parts(transform: type[Transform[Any]], address: dict[str, str]) -> dict[str, Any]:
    return {
        "transform": {
            "type": "http",
            **address,
            "batch_size": transform.batch_size,
            "side_effects": transform.side_effects,
        }
    }


_READERS: dict[type[Connector[Any]], Callable[..., dict[str, Any]]] = {
    Sink: _sink_parts,
    Transform: _transform_parts,
}
"""The kinds whose pipes read a dataset, each with its part of the pipe."""


def _dataset(connector: type[Connector[Any]], dataset: str | None) -> dict[str, str]:
    if not dataset:
        raise ValueError(f"{connector.__name__} is no source: say which dataset its pipe reads")
    return {"type": "dataset", "dataset": dataset}


def pump(pipe_id: str) -> dict[str, Any]:
    """``pump`` of a pipe: only what a ``retry_strategy`` does not hold, for the pump's own wins.

    Args:
        pipe_id: The pipe's ``_id``; its dead letters' dataset is named for it.
    """
    return {"schedule_interval": _SOON, "dead_letter_dataset": f"{pipe_id}-dead-letters"}


def _classes() -> Iterator[type[ConnectorError]]:
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, ConnectorError):
            yield each
