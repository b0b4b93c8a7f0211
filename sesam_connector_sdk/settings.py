"""Typed settings from environment variables, every problem reported at once.

A connector's settings are a subclass of ``Settings``; the server's own are ``ServerSettings``.
Imports ``errors`` and ``reading`` only.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import os
import re
import tempfile
import textwrap
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import msgspec

from .errors import printable
from .reading import FILE_SUFFIX, Secret, Unreadable, in_words, is_secret, text_of, value_of

SYSTEM_VARIABLES = frozenset(
    {
        *("HOME", "HOST", "HOSTNAME", "LANG", "LANGUAGE", "LC_ALL", "LOGNAME", "MAIL", "OLDPWD"),
        *("PATH", "PWD", "PYTHONPATH", "SHELL", "SHLVL", "TEMP", "TERM", "TMP", "TMPDIR", "TZ"),
        *("USER", "USERNAME", "_"),
    }
)
"""Variables that a system sets by itself: a setting of that name would silently read them."""


class SettingsError(Exception):
    """Some variables are missing or wrong.

    Attributes:
        problems: One readable line for each; a line names the variable, never its value.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Setting:
    """What a person needs to know about one setting.

    Attributes:
        field: The attribute of the settings class.
        variable: The environment variable.
        kind: The type in words.
        default: The default as a variable's text; None if the setting is required.
        secret: Whether the value is a secret, or JSON that holds one. It is then also read from
            the file that the variable with ``_FILE`` behind its name names.
        description: The text under the field in its class.
    """

    field: str
    variable: str
    kind: str
    default: str | None
    secret: bool
    description: str


@typing.dataclass_transform(kw_only_default=True, frozen_default=True)
@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of a connector's settings: each field is read from the variable of its name.

    ``notes_file: str`` is read from ``NOTES_FILE``. A string is taken as it is, a number or a bool
    is read from its text, every other type from JSON (a list of strings also from a comma-separated
    text). An empty variable counts as not set. Write a string under each field: it is shown when
    the variable is missing and in the documentation. Use ``Secret`` for what must not be shown;
    ``token: Secret`` is read from ``TOKEN``, or from the file that ``TOKEN_FILE`` names.
    A subclass is a frozen dataclass, whose fields are given by name.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, value in [*vars(cls).items()]:
            if name in cls.__annotations__ and isinstance(value, list | dict):
                # A dataclass refuses a default that all instances would share.
                setattr(cls, name, dataclasses.field(default_factory=value.copy))
        dataclass(frozen=True, kw_only=True)(cls)
        for field in dataclasses.fields(cls):
            if field.name.upper() in SYSTEM_VARIABLES:
                raise TypeError(
                    f"{cls.__name__}.{field.name} would read the system's own variable"
                    f" {field.name.upper()}; choose another name"
                )

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Args:
            environment: The variables; the process's own by default.

        Raises:
            SettingsError: Variables are missing or wrong, or do not fit together; lists them all.
        """
        variables = os.environ if environment is None else environment
        problems: list[str] = []
        values: dict[str, Any] = {}
        for setting, kind in zip(cls.describe(), cls._types(), strict=True):
            try:
                text = text_of(setting.variable, variables, secret=setting.secret)
                if text:
                    values[setting.field] = value_of(text, kind)
                elif setting.default is None:
                    problems.append(_missing(setting))
            except Unreadable as error:
                problems.append(str(error))
            except (ValueError, RecursionError):
                problems.append(_wrong(setting))
        if problems:
            raise SettingsError(problems)
        return cls._checked(values)

    @classmethod
    def _checked(cls, values: dict[str, Any]) -> Self:
        settings = cls(**values)
        problems = list(settings.problems())
        if problems:
            raise SettingsError(problems)
        return settings

    def problems(self) -> Iterable[str]:
        """Override to say what does not fit together, a line each. Called once, when read."""
        return ()

    @classmethod
    def describe(cls) -> list[Setting]:
        """Every setting of the class, in the order of its fields.

        Raises:
            TypeError: A field has the name that a secret's file has.
        """
        texts = _descriptions(cls)
        found = [
            Setting(
                field=field.name,
                variable=field.name.upper(),
                kind=in_words(kind),
                default=_default(field),
                secret=is_secret(kind),
                description=texts.get(field.name, ""),
            )
            for field, kind in zip(dataclasses.fields(cls), cls._types(), strict=True)
        ]
        files = {each.variable + FILE_SUFFIX for each in found if each.secret}
        for each in found:
            if each.variable in files:
                raise TypeError(
                    f"{cls.__name__}.{each.field} would read {each.variable}, which names the file"
                    " of a secret; choose another name"
                )
        return found

    @classmethod
    def _types(cls) -> list[Any]:
        hints = typing.get_type_hints(cls, include_extras=True)
        return [hints[field.name] for field in dataclasses.fields(cls)]


# What credentials may not hold (RFC 7617 section 2), and what no encoding has.
_NOT_SENT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
Bytes = Annotated[int, msgspec.Meta(ge=1)]
# A day is more than any answer is worth, and less than what a lock's clock can count.
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ServerSettings(Settings):
    """The settings that every connector has: its port, its limits, its log."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 5000
    """TCP port to listen on. 0 takes a free one; the log says which."""

    bind_address: str = "0.0.0.0"  # noqa: S104  # a container is reached from outside itself
    """Address to listen on. The default takes connections from everywhere, as a container must."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """Least severe level that is logged."""

    log_format: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object in each line for programs."""

    max_body_bytes: Bytes = 4 * 1024 * 1024
    """Largest request body in bytes."""

    max_memory_body_bytes: Bytes = 4 * 1024 * 1024
    """Largest request body in bytes that is held in memory; a larger one goes to a temporary file.
    No file is written unless MAX_BODY_BYTES is above this."""

    max_buffered_bytes: Bytes = 40 * 1024 * 1024
    """Bytes of bodies held at once, arriving or at work, in memory or in files: ten of the largest
    by default. A request that finds no room is answered 503, and the hub sends it again."""

    max_entity_bytes: Bytes = 1024 * 1024
    """Largest entity in bytes. Each request at work may hold this twice, beside its body."""

    max_depth: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100
    """Deepest nesting of an entity. Costs no memory; far below what the parser can take."""

    threads: Count = 12
    """Requests worked on at once; the hub sends up to 10. Each holds a body and an entity."""

    connections: Count = 200
    """Connections kept open at once; further ones wait. About 20 KB of memory each."""

    request_timeout: Seconds = 300.0
    """Seconds that a request may take. Sinks use it as the deadline for their target."""

    client_timeout: Seconds = 60.0
    """Seconds that a client may take to send a request, or take nothing of its answer, before its
    connection is closed."""

    shutdown_delay: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    """Seconds after SIGTERM in which /readyz says 503 and requests are still taken. For replicas
    behind a balancer: as long as it may take to notice. A second signal ends it."""

    drain_timeout: Seconds = 25.0
    """Seconds that requests get to finish after SIGTERM and SHUTDOWN_DELAY, before the process ends
    anyway."""

    authentication: Literal["none", "basic", "digest"] = "none"
    """How a request proves who sends it. ``none`` takes every request: keep the port inside the
    node then."""

    auth_username: str = ""
    """User name that ``basic`` and ``digest`` ask for."""

    auth_password: Secret = Secret("")
    """Password that goes with it."""

    metrics_open: bool = False
    """Answer /metrics without credentials, too."""

    check_interval: Seconds = 10.0
    """Seconds that the answer of a connector's check holds, before /readyz asks it again."""

    check_timeout: Seconds = 5.0
    """Seconds that a check may take before /readyz says that the connector is not ready."""

    def problems(self) -> Iterable[str]:
        """Say what does not fit together."""
        yield from self._authentication_problems()
        if self.max_buffered_bytes < self.max_body_bytes:
            yield (
                "MAX_BUFFERED_BYTES is below MAX_BODY_BYTES: a body of that size would never find"
                " room. Raise the one, or lower the other."
            )
        if self.max_body_bytes > self.max_memory_body_bytes and not _takes_files():
            yield (
                "MAX_BODY_BYTES is above MAX_MEMORY_BODY_BYTES, and there is no place for the"
                " temporary files of such bodies. Mount a writable /tmp, or raise"
                " MAX_MEMORY_BODY_BYTES and the container's memory."
            )

    def _authentication_problems(self) -> Iterable[str]:
        username, password = self.auth_username, self.auth_password.reveal()
        if self.authentication == "none":
            if username or password:
                yield "AUTH_USERNAME or AUTH_PASSWORD is set, but AUTHENTICATION is none."
            return
        for variable, text in (("AUTH_USERNAME", username), ("AUTH_PASSWORD", password)):
            if not text:
                yield f"{variable} is not set, but AUTHENTICATION is {self.authentication}."
            elif _NOT_SENT.search(text):
                yield f"{variable} has a control character, such as a line end, or is not UTF-8."
        if ":" in username:
            yield "AUTH_USERNAME has a colon, which in a header ends the user name."


def _takes_files() -> bool:
    """Whether temporary files can be made."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError:
        return False
    return True


_ENCODER = msgspec.json.Encoder(
    enc_hook=lambda value: "***" if value else "", decimal_format="number"
)


def _default(field: dataclasses.Field[Any]) -> str | None:
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return None
    if value is None:
        return ""
    if isinstance(value, Secret):
        return "***" if value else ""
    return value if isinstance(value, str) else _ENCODER.encode(value).decode()


def _missing(setting: Setting) -> str:
    or_file = f", and neither is {setting.variable}{FILE_SUFFIX}" if setting.secret else ""
    return f"{setting.variable} is not set{or_file}. {setting.description}".rstrip()


def _wrong(setting: Setting) -> str:
    # The value is not shown: it may be a secret that was put into the wrong variable.
    return f"{setting.variable} is not {_article(setting.kind)}. {setting.description}".rstrip()


def _article(kind: str) -> str:
    if kind.startswith(("one of", "true")) or kind == "JSON":
        return kind
    return f"{'an' if kind.startswith('i') else 'a'} {kind}"


def _descriptions(cls: type) -> dict[str, str]:
    """The string under each field, read from the source of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Settings) and base is not Settings:
            found |= _descriptions_of(base)
    return found


def _descriptions_of(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}  # a class made where there is no source has no descriptions
    body = typing.cast("ast.ClassDef", tree.body[0]).body
    return {
        field.target.id: printable(" ".join(text.value.value.split()), 1000)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
