"""The life of a connector's process, from its settings to its exit code.

Imports everything a process needs; nothing imports it but the package's door and ``cli``.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError, Misuse
from sesam_connector_sdk.settings import ServerSettings, Settings, SettingsError
from sesam_connector_sdk.web import wsgi_app
from sesam_connector_sdk.web.problems import places

from . import logs
from .stop import Stop
from .waitress_server import WaitressServer

SettingsT = TypeVar("SettingsT", bound=Settings)

_log = logging.getLogger("sesam_connector_sdk.server")

EXIT_FAILED = 1
EXIT_SETTINGS = 2


def serve(*connectors: type[Connector[Any]], environment: Mapping[str, str] | None = None) -> None:
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
        settings, own = _read(connectors, environment)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(EXIT_SETTINGS) from None
    logs.configure(settings.log_level, settings.log_format)
    _keep_what_requests_free()
    if not _run([*zip(connectors, own, strict=True)], settings):
        raise SystemExit(EXIT_FAILED)


def _keep_what_requests_free() -> None:
    """Have the C library keep up to two megabytes that are free, for the next request.

    Else it gives them back to the system whenever a request has used more than some 128 KiB, and
    getting them again was measured to take a quarter of such a request's time. glibc keeps twice as
    much as the largest block that it has mapped and freed (mallopt(3), M_MMAP_THRESHOLD), so here
    is one; to other libraries it means nothing.
    """
    bytes(1024 * 1024)


def _read(
    connectors: tuple[type[Connector[Any]], ...], environment: Mapping[str, str] | None
) -> tuple[ServerSettings, list[Settings | None]]:
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
    return server, own


def _run(kinds: list[tuple[type[Connector[Any]], Any]], settings: ServerSettings) -> bool:
    stop = Stop(settings.shutdown_delay)
    # From the start: as PID 1 a process has no handler of its own, and open may take its time.
    stop.on_signals()
    try:
        connectors = [_made(kind, own) for kind, own in kinds]
        app = _application(connectors, settings, stop)
        with contextlib.ExitStack() as opened:
            for connector in connectors:
                connector.open()
                opened.callback(connector.close)
            return _serve(_listen(app, settings, stop), settings)
    except Exception as error:  # noqa: BLE001  # whatever it is, the process ends with it
        _log.error("cannot go on: %s", _cause(error))
        return False


def _made(kind: type[Connector[Any]], own: Any) -> Connector[Any]:
    """One of its kind.

    Raises:
        Misuse: It cannot be made as it is.
    """
    if not isinstance(kind, type):
        raise Misuse(f"serve takes the class {type(kind).__name__}, and makes one itself")
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise Misuse(f"{kind.__name__} has no method {missing}")
    return kind(own)


def _application(
    connectors: list[Connector[Any]], settings: ServerSettings, stop: Stop
) -> Callable[..., Any]:
    try:
        return wsgi_app(*connectors, settings=settings, stopping=stop.requested, draining=stop.due)
    except (TypeError, ValueError) as error:
        raise ConnectorError(f"{error}") from None  # of their routes, and nothing else


def _listen(app: Callable[..., Any], settings: ServerSettings, stop: Stop) -> WaitressServer:
    try:
        return WaitressServer(app, settings, stop)
    except (OSError, ValueError) as error:
        where = f"{settings.bind_address}:{settings.port}"
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConnectorError(
            f"{where} cannot be listened on: {reason}; see PORT, BIND_ADDRESS"
        ) from None


def _serve(server: WaitressServer, settings: ServerSettings) -> bool:
    with_scheme = settings.authentication != "none"
    asking = f"with {settings.authentication}" if with_scheme else "without"
    _log.info("%s authentication, listening on %s", asking, server.address)
    finished = server.run()
    if finished:
        _log.info("stopped")
    else:
        _log.error("stopped with unfinished requests after %s s", settings.drain_timeout)
    return finished


def _cause(error: Exception) -> str:
    """What went wrong, and where; not the text of a library's error, which may hold a secret."""
    if isinstance(error, ConnectorError):
        return error.detail
    if isinstance(error, Misuse):
        return f"{error}"
    where = places(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} at {where}"
    return f"{type(error).__name__} at {where} (its text is not shown: it may hold a secret)"
