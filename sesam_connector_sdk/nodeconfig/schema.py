"""The shape of pipes and systems as JSON schemas (2020-12).

Only what the SDK reads is described; other properties are allowed, for real configurations have
them. Imports the SDK's own ``schema`` only. Sources: Sesam's pages ``configuration-systems-url``,
``configuration-systems-microservice``, ``configuration-pipes``, ``configuration-pump``,
``configuration-sinks-json``, ``configuration-sources-embedded``, ``configuration-sources-json``,
``configuration-transforms-http``.
"""

from __future__ import annotations

import functools
from typing import Any

from sesam_connector_sdk.schema import SchemaCheck

_STATUSES = r"^(default|[0-9]{3}(-[0-9]{3})?(, ?[0-9]{3}(-[0-9]{3})?)*)\Z"
_MICROSERVICE_ID = r"^[0-9A-Za-z][0-9A-Za-z_-]{1,62}\Z"
_PIPE_ID = r"^[^/]+\Z"
_SYSTEM_TYPE = r"^system:."
_HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"
_HEADER_TEXT = r"^([!-~\x80-\xff][\t -~\x80-\xff]*)?\Z"

_RULES = {
    _HEADER_NAME: "has a name that no header can have",
    _HEADER_TEXT: "is not a text that a header can have",
    _MICROSERVICE_ID: "must be 2 to 63 characters: an ASCII letter or digit first, then letters,"
    " digits, _ or -",
    _PIPE_ID: "must not hold a /",
    _STATUSES: 'has a key that is not a status such as "429", a range such as "400-428", several'
    ' such as "500,502", or "default"',
    _SYSTEM_TYPE: "must begin with system:",
}
"""What a pattern means, for the person who broke it."""

_TEXT_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_SECONDS = {"type": "number", "minimum": 0}
_TIMEOUT = {"type": "number", "exclusiveMinimum": 0}
_SIZE = {"type": "integer", "minimum": 1}
_FLAG = {"type": "boolean"}

_HEADERS = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": _HEADER_NAME},
    "additionalProperties": {"type": "string", "pattern": _HEADER_TEXT},
}

_RETRIES = {
    "batch_retries": _COUNT,
    "max_consecutive_write_errors": _COUNT,
    "max_read_retries": _COUNT,
    "max_retries_per_entity": _COUNT,
    "max_write_errors_in_retry_dataset": _COUNT,
    "read_retry_delay": _SECONDS,
    "write_retry_delay": _SECONDS,
}

_HTTP = {
    "connect_timeout": _TIMEOUT,
    "headers": _HEADERS,
    "password": _TEXT_OR_NULL,
    "read_timeout": _TIMEOUT,
    "retry_strategy": {
        "type": "object",
        "propertyNames": {"pattern": _STATUSES},
        "additionalProperties": {"type": "object", "properties": _RETRIES},
    },
    "username": _TEXT_OR_NULL,
    "verify_ssl": _FLAG,
}

_MICROSERVICE = {
    "properties": {
        **_HTTP,
        "_id": {"pattern": _MICROSERVICE_ID},
        "authentication": {"enum": ["basic", "digest", None]},
        "docker": {
            "type": "object",
            "required": ["image", "port"],
            "properties": {
                "cpu_quota": {"type": "number", "exclusiveMinimum": 0},
                "environment": {"type": "object"},
                "image": {"type": "string", "minLength": 1},
                "memory": {"type": "number", "exclusiveMinimum": 0},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            },
        },
    },
    "required": ["docker"],
}


def _of_type(name: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": shape}


SYSTEM: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string", "pattern": _SYSTEM_TYPE}},
    "allOf": [
        _of_type("system:microservice", _MICROSERVICE),
        _of_type("system:url", {"properties": _HTTP}),
    ],
}
"""A file in ``systems/``. A system of another type is taken as it is."""

_ADDRESS = {"headers": _HEADERS, "system": {"type": "string"}, "url": {"type": "string"}}


def _addressed(**properties: Any) -> dict[str, Any]:
    """A part of a pipe that talks to a system, with properties of its own."""
    return {"required": ["system", "url"], "properties": {**_ADDRESS, **properties}}


_IF_EMPTY = {"enum": ["accept", "fail"]}

_JSON_SINK = _addressed(batch_size=_SIZE)

_JSON_SOURCE = _addressed(
    if_source_empty=_IF_EMPTY,
    initial_since_value={"type": ["string", "integer"]},
    is_chronological=_FLAG,
    is_since_comparable=_FLAG,
    page_size=_SIZE,
    subset={"type": "array"},
    supports_since=_FLAG,
)

_HTTP_TRANSFORM = _addressed(batch_size=_SIZE, side_effects=_FLAG)

_EMBEDDED = {
    "required": ["entities"],
    "properties": {
        "entities": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["_id"],
                "properties": {"_id": {"type": "string", "minLength": 1}},
            },
        },
        "if_source_empty": _IF_EMPTY,
    },
}

_TRANSFORM = {
    "type": "object",
    "properties": {"type": {"type": "string"}},
    **_of_type("http", _HTTP_TRANSFORM),
}

PIPE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["type", "source"],
    "properties": {
        "_id": {"pattern": _PIPE_ID},
        "batch_size": _SIZE,
        "pump": {
            "type": "object",
            "properties": {
                **_RETRIES,
                "dead_letter_dataset": _TEXT_OR_NULL,
                "fallback_to_single_entities_on_batch_fail": _FLAG,
                "mode": {"enum": ["scheduled", "manual", "off"]},
            },
        },
        "sink": {
            "type": "object",
            "properties": {"type": {"type": "string"}},
            **_of_type("json", _JSON_SINK),
        },
        "source": {
            "type": "object",
            "properties": {"type": {"type": "string"}},
            "allOf": [
                _of_type("embedded", _EMBEDDED),
                _of_type("json", _JSON_SOURCE),
            ],
        },
        "transform": {
            "if": {"type": "array"},
            "then": {"items": _TRANSFORM},
            "else": _TRANSFORM,
        },
        "type": {"const": "pipe"},
    },
}
"""A file in ``pipes/``. A source, transform or sink of another type is taken as it is."""


def problems(document: dict[str, Any], shape: str) -> list[str]:
    """What is wrong with a document, a line each: its JSON path and the rule, never the value.

    Args:
        document: The document, variables filled in.
        shape: ``systems`` or ``pipes``.
    """
    return _check(shape).problems(document)


@functools.cache
def _check(shape: str) -> SchemaCheck:
    return SchemaCheck({"systems": SYSTEM, "pipes": PIPE}[shape], rules=_RULES)
