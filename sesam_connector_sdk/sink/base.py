"""The class that the author of a sink subclasses.

Imports ``settings`` and ``errors``; a subclass runs in a test without a server.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from sesam_connector_sdk.settings import Settings

from .batch import Batch

SettingsT = TypeVar("SettingsT", bound=Settings)


class Sink(ABC, Generic[SettingsT]):
    """Delivers entities to a target. Subclass it with your settings, and write ``write``.

    One instance serves the whole process. ``Sink[MySettings]`` says which settings it reads from
    the environment.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
    """

    route: ClassVar[str | None] = None
    """The path the sink answers on, in Falcon's syntax, such as ``/{queue}``. None: any path."""

    concurrency: ClassVar[int | None] = None
    """How many ``write`` calls may run at once; None: as many as the server has threads.

    A request that finds no place waits for one until its deadline, then is answered 429.
    """

    retryable: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions of the target's library that mean "away for now": answered 503 instead of 500."""

    settings_class: ClassVar[type[Settings]] = Settings
    """The settings the sink was declared with; set by ``Sink[...]``."""

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = typing.get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Sink):
                cls.settings_class = _settings_class(cls, typing.get_args(base)[0])

    def open(self) -> None:
        """Connect to the target. Called once, from the main thread, before the first request.

        An exception ends the process with exit code 1. Do not fail only because the target is away
        for the moment: connect lazily, so that the connector comes up when the target does.
        """

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Deliver every entity of the batch; return only when the target has confirmed them all.

        Called from the server's threads, several at once unless ``concurrency`` says otherwise. The
        hub sends batches again after an error, so be idempotent: use ``entity.key``. A batch
        may hold several versions of an entity, in order, and deleted entities. It may be empty: the
        hub ends every run with an empty one.

        Raises:
            DestinationNotAllowed: The request names a place that may not be written to; 403.
            Rejected: Entities can never be accepted; 422, and the hub isolates the bad one.
            Throttled: The target asks for a pause; 429 with ``Retry-After``.
            TargetRefusedUs: The target refuses the connector's credentials or address; 502.
            TargetUnavailable: The target is away; 503 with ``Retry-After``. So is every exception
                listed in ``retryable``.
            OutcomeUnknown: The target did not confirm in time; 504.
            Exception: Anything else is a bug; 500 with an error id.
        """

    def close(self) -> None:
        """Let go of the target. Called once, from the main thread, after the last request."""


def _settings_class(cls: type, argument: Any) -> type[Settings]:
    if isinstance(argument, TypeVar):
        return Settings
    if isinstance(argument, type) and issubclass(argument, Settings):
        return argument
    raise TypeError(
        f"{cls.__name__}: Sink[{argument!r}] needs the settings class itself, a subclass of"
        " Settings defined above it; a name in quotes cannot be found at run time"
    )
