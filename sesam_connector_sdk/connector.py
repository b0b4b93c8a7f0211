"""What every connector has, whether it is a sink, a source or a transform.

Imports ``settings`` and ``errors`` only; a subclass runs in a test without a server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import typing
from abc import ABC
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from .errors import Misuse, TargetUnavailable
from .settings import ServerSettings, Settings

SettingsT = TypeVar("SettingsT", bound=Settings)


class Connector(ABC, Generic[SettingsT]):
    """The life that ``Sink``, ``Source`` and ``Transform`` share. Subclass one of those.

    One instance serves the whole process. ``Sink[MySettings]`` says which settings it reads from
    the environment.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
    """

    route: ClassVar[str | None] = None
    """The path it answers on, in Falcon's syntax, such as ``/{queue}``. None: any path.

    A source may share its route with a sink or a transform: it takes GET, they take POST.
    """

    concurrency: ClassVar[int | None] = None
    """How many requests it works on at once; None: as many as the server has threads.

    A request that finds no place waits for one until its deadline, then is answered 429.
    """

    retryable: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions of the other side's library that mean "away for now": 503 instead of 500."""

    settings_class: ClassVar[type[Settings]] = Settings
    """The settings it was declared with; set by ``Sink[...]``."""

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = typing.get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Connector):
                cls.settings_class = _settings_class(cls, origin, typing.get_args(base)[0])
        _refuse_unusable(cls)

    def open(self) -> None:
        """Connect to the other side. Called once, from the main thread, before the first request.

        An exception ends the process with exit code 1. Do not fail only because the other side is
        away for the moment: connect lazily, so that the connector comes up when it does.
        """

    def check(self) -> None:
        """Find out whether the other side is there, without leaving a trace in it.

        Return if it is, raise if it is not: connect, log in, ask for a version. The default checks
        nothing. Called while somebody asks for ``/readyz``, from a thread of its own, beside the
        requests at work; never twice at once, and not again before ``CHECK_INTERVAL`` is over. Give
        it a timeout of its own: after ``CHECK_TIMEOUT`` the connector counts as not ready, and it
        is not asked again before it has returned. ``close`` does not wait for it.

        Raises:
            Exception: The connector is not ready; ``/readyz`` answers 503. The log says why: the
                detail of a ``ConnectorError``, of anything else the class. No request is refused
                for it.
        """

    def close(self) -> None:
        """Let go of the other side. Called once, from the main thread, after the last request."""


@contextlib.contextmanager
def typed_errors(connector: Connector[Any], missing: str) -> Iterator[None]:
    """Around a hook: what it raises comes out as an error class, or as the bug that it is.

    Args:
        connector: Whose hook it is.
        missing: What is away where one of its ``retryable`` is raised, for the answer to say.
    """
    try:
        yield
    except connector.retryable as error:
        raise TargetUnavailable(f"{missing} is not available ({type(error).__name__}).") from error
    except SystemExit as error:
        # It would end the server's thread and leave the hub without an answer.
        name = type(connector).__name__
        raise Misuse(f"{name} called sys.exit; raise an error instead") from error


def _settings_class(cls: type, origin: type, argument: Any) -> type[Settings]:
    if isinstance(argument, TypeVar):
        return Settings
    if isinstance(argument, type) and issubclass(argument, Settings):
        _refuse_the_servers_own(argument)
        return argument
    raise TypeError(
        f"{cls.__name__}: {origin.__name__}[{argument!r}] needs the settings class itself, a"
        " subclass of Settings defined above it; a name in quotes cannot be found at run time"
    )


def _refuse_unusable(cls: type[Connector[Any]]) -> None:
    """What would come to light at the first request, or at the first error of the other side."""
    places: Any = cls.concurrency
    retryable: Any = cls.retryable
    if places is not None and (type(places) is not int or places < 1):
        raise TypeError(f"{cls.__name__}.concurrency is {places!r}; it is an int from 1, or None")
    kinds = retryable if isinstance(retryable, tuple) else (retryable,)
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        raise TypeError(f"{cls.__name__}.retryable is a tuple of exceptions, such as (OSError,)")


def _refuse_the_servers_own(settings: type[Settings]) -> None:
    """A field ``port`` would read the port that the server listens on, whatever it is meant for."""
    servers = {each.name for each in dataclasses.fields(ServerSettings)}
    for base in settings.__mro__:
        if base not in ServerSettings.__mro__:
            for name in servers & inspect.get_annotations(base).keys():
                raise TypeError(
                    f"{base.__name__}.{name} would read {name.upper()}, a setting of every"
                    " connector's server; choose another name"
                )
