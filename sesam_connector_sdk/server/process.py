"""The life of a connector's process, from its settings to its exit code.

Imports everything a process needs; nothing imports it but the package's door and ``cli``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from sesam_connector_sdk.settings import ServerSettings, Settings, SettingsError
from sesam_connector_sdk.sink import Sink
from sesam_connector_sdk.web import wsgi_app

from . import logs
from .waitress_server import WaitressServer

SettingsT = TypeVar("SettingsT", bound=Settings)

_log = logging.getLogger("sesam_connector_sdk.server")

EXIT_FAILED = 1
EXIT_SETTINGS = 2


def serve(*connectors: type[Sink[Any]], environment: Mapping[str, str] | None = None) -> None:
    """Run some connectors as one service, until SIGTERM or SIGINT.

    Reads the settings, opens the connectors, listens, and after a signal answers the requests it
    has before it closes them. Returns when all went well.

    Args:
        connectors: The classes; each with a ``route`` of its own unless it is alone.
        environment: The variables to read; the process's own by default.

    Raises:
        SystemExit: With 2 if variables are missing or wrong, each named on a line of stderr; with 1
            if the service could not start, or had to end with requests unfinished.
    """
    try:
        settings, instances = _build(connectors, environment)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(EXIT_SETTINGS) from None
    logs.configure(settings.log_level)
    if not _run(instances, settings):
        raise SystemExit(EXIT_FAILED)


def _build(
    connectors: tuple[type[Sink[Any]], ...], environment: Mapping[str, str] | None
) -> tuple[ServerSettings, list[Sink[Any]]]:
    """Read everybody's settings, so that every problem is known at once."""
    problems: list[str] = []

    def read(kind: type[SettingsT]) -> SettingsT | None:
        try:
            return kind.from_env(environment)
        except SettingsError as error:
            problems.extend(text for text in error.problems if text not in problems)
            return None

    server = read(ServerSettings)
    own = [read(connector.settings_class) for connector in connectors]
    if server is None or problems:
        raise SettingsError(problems)
    return server, [make(settings) for make, settings in zip(connectors, own, strict=True)]


def _run(sinks: list[Sink[Any]], settings: ServerSettings) -> bool:
    opened: list[Sink[Any]] = []
    try:
        for sink in sinks:
            sink.open()
            opened.append(sink)
        return _listen(sinks, settings)
    except OSError as error:
        _log.error("cannot start: %s", error.strerror or type(error).__name__)
        return False
    finally:
        for sink in reversed(opened):
            sink.close()


def _listen(sinks: list[Sink[Any]], settings: ServerSettings) -> bool:
    server: WaitressServer
    app = wsgi_app(*sinks, settings=settings, draining=lambda: server.stopping())
    server = WaitressServer(app, settings)
    server.stop_on_signals()
    _log.info("listening on %s", server.address)
    finished = server.run()
    if finished:
        _log.info("stopped")
    else:
        _log.error("stopped with unfinished requests after %s s", settings.drain_timeout)
    return finished
