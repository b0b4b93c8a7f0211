"""Test a connector without a server: what the hub would send, what it would be answered.

``push`` runs the whole way that a request takes, from the WSGI door to the author's ``write``;
``settings_table`` is what a README says of the settings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import falcon.testing
import msgspec

from .reading import FILE_SUFFIX
from .settings import ServerSettings, Setting, Settings
from .sink import Sink
from .web import wsgi_app

__all__ = ["Answer", "opened", "push", "settings_table"]

_SinkT = TypeVar("_SinkT", bound=Sink[Any])

_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub would see.

    Attributes:
        status: The HTTP status.
        headers: Response headers, names in lower case.
        document: The body: a receipt, or an RFC 9457 problem document.
    """

    status: int
    headers: Mapping[str, str]
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the hub would count every entity as delivered."""
        return 200 <= self.status < 300

    @property
    def rejected_ids(self) -> list[str | None]:
        """The ``_id`` of each entity that the answer names; None for one without."""
        return [each["_id"] for each in self.document.get("entities", [])]


def push(
    sink: Sink[Any],
    entities: Iterable[Mapping[str, Any]] | bytes,
    *,
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    settings: ServerSettings | None = None,
) -> Answer:
    """Send one batch to a sink, as the hub does.

    Args:
        sink: The sink, opened; see ``opened``.
        entities: The batch as dicts, or the request's body as bytes.
        path: The path, for a sink with a ``route``.
        query: Query parameters: the protocol's and the pipe's own.
        headers: Request headers beside ``Content-Type``.
        settings: Limits; the defaults if left out.

    Raises:
        Exception: Whatever exception of ``write`` would be answered 500, so that the test shows it.
    """
    body = entities if isinstance(entities, bytes) else _ENCODER.encode(list(entities))
    client = falcon.testing.TestClient(wsgi_app(sink, settings=settings, reraise_bugs=True))
    result = client.simulate_post(
        path,
        body=body,
        query_string=urlencode(query or {}),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    return Answer(
        status=result.status_code,
        headers={name.lower(): text for name, text in result.headers.items()},
        document=msgspec.json.decode(result.content),
    )


@contextlib.contextmanager
def opened(sink: _SinkT) -> Iterator[_SinkT]:
    """Open a sink for the length of a ``with`` block, and close it whatever happens.

    Args:
        sink: A sink that is not open.
    """
    sink.open()
    try:
        yield sink
    finally:
        sink.close()


def settings_table(*classes: type[Settings]) -> str:
    """A Markdown table of every variable of some settings, for a README that a test keeps true.

    Args:
        classes: Settings classes, in the order of the table.
    """
    lines = ["| variable | default | value | what it does |", "| --- | --- | --- | --- |"]
    lines += [_settings_row(each) for kind in classes for each in kind.describe()]
    return "\n".join(lines) + "\n"


def _settings_row(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else "not set"
    if setting.default is None:
        default = "required"
    value = setting.kind
    if setting.secret:
        value += f"; `{setting.variable}{FILE_SUFFIX}` names a file with it"
    cells = (f"`{setting.variable}`", default, value, setting.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
