"""Settings come typed from the environment; every problem at once, no value ever shown."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest

from sesam_connector_sdk import Secret, ServerSettings, Settings, SettingsError
from sesam_connector_sdk.settings import SYSTEM_VARIABLES


class Port(msgspec.Struct):
    """A type of an author's own, read from JSON."""

    number: int


class Everything(Settings):
    """One setting of each kind."""

    text: str
    """Any text."""

    number: int
    ratio: float = 0.5
    exact: Decimal = Decimal("0.50")
    flag: bool = False
    level: Literal["low", "high"] = "low"
    names: list[str] = dataclasses.field(default_factory=list)
    pair: tuple[str, ...] = ()
    few: Annotated[list[str], msgspec.Meta(max_length=2)] = dataclasses.field(default_factory=list)
    numbers: list[int] = dataclasses.field(default_factory=list)
    mapping: dict[str, int] = dataclasses.field(default_factory=dict)
    limited: Annotated[int, msgspec.Meta(ge=1, lt=10)] = 1
    maybe: int | None = None
    maybe_text: str | None = None
    port_of: Port | None = None
    password: Secret | None = None


class Base(Settings):
    """Settings that others build on."""

    first: str
    """The first,
    in two lines."""


class Derived(Base):
    """Settings built on others."""

    second: str = "2"
    """The second."""
    third: Secret = Secret("CANARY-default")
    fourth: int = 4


NEEDED = {"TEXT": "t", "NUMBER": "1"}


def everything(**variables: str) -> Everything:
    """Read settings that have what they need."""
    return Everything.from_env(NEEDED | variables)


def problems(kind: type[Settings], **variables: str) -> list[str]:
    """What is wrong with variables."""
    with pytest.raises(SettingsError) as caught:
        kind.from_env(variables)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("TEXT", "as it is, \\n ", "text", "as it is, \\n "),
        ("TEXT", "null", "text", "null"),
        ("TEXT", "17", "text", "17"),
        ("NUMBER", "-17", "number", -17),
        ("RATIO", "2", "ratio", 2.0),
        ("RATIO", "1e-3", "ratio", 0.001),
        ("EXACT", "1.10", "exact", Decimal("1.10")),
        ("EXACT", "1" * 40, "exact", Decimal("1" * 40)),
        ("FLAG", "true", "flag", True),
        ("FLAG", "True", "flag", True),
        ("FLAG", "FALSE", "flag", False),
        ("FLAG", "1", "flag", True),
        ("FLAG", "0", "flag", False),
        ("LEVEL", "high", "level", "high"),
        ("NAMES", "a, b,,c ", "names", ["a", "b", "c"]),
        ("NAMES", ' ["a,b", ""]', "names", ["a,b", ""]),
        ("NAMES", ",", "names", []),
        ("PAIR", "a,b", "pair", ("a", "b")),
        ("PAIR", '["a","b"]', "pair", ("a", "b")),
        ("FEW", "a,b", "few", ["a", "b"]),
        ("NUMBERS", "[1,2]", "numbers", [1, 2]),
        ("MAPPING", '{"a":1}', "mapping", {"a": 1}),
        ("LIMITED", "9", "limited", 9),
        ("MAYBE", "3", "maybe", 3),
        ("MAYBE_TEXT", "None", "maybe_text", "None"),
        ("PORT_OF", '{"number":5}', "port_of", Port(5)),
        ("PASSWORD", "s3cret", "password", Secret("s3cret")),
    ],
)
def test_a_setting_is_read_from_the_variable_of_its_name(
    variable: str, text: str, field: str, value: Any
) -> None:
    """Texts as they are, numbers and bools from their text, everything else from JSON."""
    assert getattr(everything(**{variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("NUMBER", "seven", "is not an integer."),
        ("NUMBER", "1.5", "is not an integer."),
        ("NUMBER", " 5", "is not an integer."),
        ("RATIO", "1e999", "is not a number."),
        ("EXACT", "ten", "is not a number."),
        ("EXACT", "NaN", "is not a number."),
        ("FLAG", "yes", "is not true or false."),
        ("LEVEL", "LOW", "is not one of low, high."),
        ("NAMES", "[1]", "is not a JSON array of texts, or texts with commas between them."),
        ("NAMES", '["a"', "is not a JSON array of texts, or texts with commas between them."),
        ("FEW", "a,b,c", "is not a JSON array of texts, or texts with commas between them."),
        ("NUMBERS", "1,2", "is not JSON."),
        ("NUMBERS", "[" * 100_000, "is not JSON."),
        ("MAPPING", "{", "is not JSON."),
        ("LIMITED", "0", "is not an integer from 1 below 10."),
        ("LIMITED", "10", "is not an integer from 1 below 10."),
        ("PORT_OF", '{"number":"x"}', "is not JSON."),
        ("NUMBERS", "\udcff", "is not JSON."),
    ],
)
def test_a_wrong_variable_is_named_with_what_it_should_be(
    variable: str, text: str, words: str
) -> None:
    """The line names the variable and its type, never the value: it may be a misplaced secret."""
    found = problems(Everything, **(NEEDED | {variable: text}))

    assert found == [f"{variable} {words}"]


def test_every_problem_is_reported_at_once() -> None:
    """Missing and wrong variables, each on a line of its own, with its description."""
    found = problems(Everything, RATIO="CANARY", FLAG="CANARY", MAPPING="CANARY")

    assert found == [
        "TEXT is not set. Any text.",
        "NUMBER is not set.",
        "RATIO is not a number.",
        "FLAG is not true or false.",
        "MAPPING is not JSON.",
    ]


def test_an_empty_variable_counts_as_not_set() -> None:
    """Compose files and charts set variables to nothing; that is the default, or missing."""
    assert everything(RATIO="", NAMES="", MAYBE="", PASSWORD="").ratio == 0.5
    assert problems(Base, FIRST="") == ["FIRST is not set. The first, in two lines."]


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping, the variables are those of the process."""
    monkeypatch.setenv("FIRST", "from the process")

    assert Base.from_env().first == "from the process"


def test_what_does_not_fit_together_is_reported_too() -> None:
    """A class can say what is wrong with values that are right one by one."""

    class Window(Settings):
        low: int
        high: int

        def problems(self) -> Iterable[str]:
            if self.low > self.high:
                yield "LOW is above HIGH."

    assert Window.from_env({"LOW": "1", "HIGH": "2"}).high == 2
    assert problems(Window, LOW="2", HIGH="1") == ["LOW is above HIGH."]


SECRET = "CANARY-secret"


def attempts(settings: Settings, secret: Secret) -> list[str]:
    """What a developer may try with settings, deliberately or not."""
    shown = [
        repr(settings),
        str(settings),
        f"{settings}",
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!s:>40}",
        f"{secret!r}",
        "%s" % secret,  # noqa: UP031  # the old way is what is tried
        "{}".format(secret),  # noqa: UP032  # and so is this one
        repr(dataclasses.asdict(settings)),
        repr(dataclasses.astuple(settings)),
        repr(dataclasses.replace(settings)),
        repr(copy.copy(settings)),
        repr(copy.deepcopy(settings)),
        repr(vars(settings)),
        repr([secret]),
        repr({secret: secret}),
        str(ValueError(secret)),
        json.dumps(vars(settings), default=str),
        logging.LogRecord("x", 0, "", 0, "%s %r", (secret, settings), None).getMessage(),
    ]
    for encode in (msgspec.to_builtins, msgspec.json.encode, json.dumps, pickle.dumps, copy.copy):
        for thing in (settings, secret):
            try:
                shown.append(repr(encode(thing)))
            except TypeError as error:  # refused, which is safe
                shown.append(str(error))
    return shown


def test_a_secret_never_shows_itself() -> None:
    """Neither text nor serialisation gives it away; only ``reveal`` does.

    Seen to fail when ``Secret`` has no ``__repr__``, and when it can be pickled.
    """
    settings = everything(PASSWORD=SECRET)
    assert settings.password is not None

    shown = attempts(settings, settings.password)

    assert SECRET not in " ".join(shown)
    assert "Secret('***')" in repr(settings)
    assert settings.password.reveal() == SECRET


def test_a_secret_is_a_value() -> None:
    """It compares by value with secrets only, and an empty one is false."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")


def test_a_description_does_not_show_a_secret_default() -> None:
    """The default of a secret is as secret as its value."""
    assert "CANARY" not in repr(Derived.describe())
    assert Derived.from_env({"FIRST": "1"}).third.reveal() == "CANARY-default"
    assert [each.default for each in Derived.describe()] == [None, "2", "***", "4"]


@pytest.mark.parametrize("name", sorted(SYSTEM_VARIABLES - {"_"}))
def test_a_setting_may_not_shadow_a_variable_of_the_system(name: str) -> None:
    """``path: str`` would silently read ``$PATH``. Seen to fail when the check is left out."""
    with pytest.raises(TypeError, match=f"would read the system's own variable {name}"):
        type("Mine", (Settings,), {"__annotations__": {name.lower(): str}})


def test_a_subclass_has_the_settings_of_its_base_too() -> None:
    """In order, the base's first, each with its description."""
    found = Derived.describe()

    assert [(each.field, each.variable) for each in found] == [
        ("first", "FIRST"),
        ("second", "SECOND"),
        ("third", "THIRD"),
        ("fourth", "FOURTH"),
    ]
    assert [each.description for each in found] == [
        "The first, in two lines.",
        "The second.",
        "",
        "",
    ]
    assert [each.secret for each in found] == [False, False, True, False]
    assert Derived.from_env({"FIRST": "1", "SECOND": "zwei"}).second == "zwei"


def test_a_class_without_source_has_no_descriptions() -> None:
    """A class that was made at run time is read all the same."""
    made: type[Settings] = type("Made", (Settings,), {"__annotations__": {"thing": str}})

    assert [each.description for each in made.describe()] == [""]
    assert vars(made.from_env({"THING": "x"})) == {"thing": "x"}


def test_settings_cannot_be_changed() -> None:
    """They are read once; every thread sees the same."""
    settings = Base(first="1")

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.first = "2"  # type: ignore[misc]  # that is what is tried


def test_the_kinds_are_said_in_words() -> None:
    """As a person reads them in a message and in the documentation."""
    assert {each.field: each.kind for each in Everything.describe()} == {
        "text": "text",
        "number": "integer",
        "ratio": "number",
        "exact": "number",
        "flag": "true or false",
        "level": "one of low, high",
        "names": "JSON array of texts, or texts with commas between them",
        "pair": "JSON array of texts, or texts with commas between them",
        "few": "JSON array of texts, or texts with commas between them",
        "numbers": "JSON",
        "mapping": "JSON",
        "limited": "integer from 1 below 10",
        "maybe": "integer",
        "maybe_text": "text",
        "port_of": "JSON",
        "password": "secret",
    }


def test_a_default_is_shown_as_the_text_that_gives_it() -> None:
    """What is read back from the shown defaults equals the defaults."""
    shown = {each.variable: each.default for each in Everything.describe()}
    texts = {name: text for name, text in shown.items() if text is not None}

    assert Everything.from_env(NEEDED | texts) == everything()
    assert shown["TEXT"] is None
    assert shown["MAYBE"] == ""
    assert shown["FLAG"] == "false"
    assert shown["EXACT"] == "0.50"


def test_the_server_settings_have_the_documented_defaults() -> None:
    """The limits in one place."""
    found = ServerSettings.from_env({})

    assert dataclasses.asdict(found) == {
        "port": 5000,
        "bind_address": "0.0.0.0",  # noqa: S104  # what a container needs
        "log_level": "INFO",
        "log_format": "text",
        "max_body_bytes": 4 * 1024 * 1024,
        "max_memory_body_bytes": 4 * 1024 * 1024,
        "max_buffered_bytes": 40 * 1024 * 1024,
        "max_entity_bytes": 1024 * 1024,
        "max_depth": 100,
        "threads": 12,
        "connections": 200,
        "request_timeout": 300.0,
        "client_timeout": 60.0,
        "shutdown_delay": 0.0,
        "drain_timeout": 25.0,
        "authentication": "none",
        "auth_username": "",
        "auth_password": Secret(""),
        "metrics_open": False,
        "check_interval": 10.0,
        "check_timeout": 5.0,
    }
    assert all(each.description for each in ServerSettings.describe())


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("LOG_LEVEL", "TRACE"),
        ("MAX_BODY_BYTES", "0"),
        ("MAX_DEPTH", "201"),
        ("THREADS", "0"),
        ("REQUEST_TIMEOUT", "0"),
        ("REQUEST_TIMEOUT", "inf"),
        ("REQUEST_TIMEOUT", "nan"),
        ("SHUTDOWN_DELAY", "-1"),
        ("DRAIN_TIMEOUT", "1e300"),
    ],
)
def test_a_limit_that_cannot_work_is_refused(variable: str, text: str) -> None:
    """At start-up, by name, rather than on the first request."""
    found = problems(ServerSettings, **{variable: text})

    assert len(found) == 1
    assert found[0].startswith(f"{variable} is not ")


def test_a_body_that_could_never_be_held_is_refused_at_the_start() -> None:
    """Less room for all bodies than one may take: each of that size would be 503 for ever.

    Seen to fail when the two are not compared, and when they may not be equal.
    """
    for body, room in (("2000", "1999"), ("41943041", ""), ("", "4194303")):
        found = problems(ServerSettings, MAX_BODY_BYTES=body, MAX_BUFFERED_BYTES=room)
        assert len(found) == 1
        assert found[0].startswith("MAX_BUFFERED_BYTES is below MAX_BODY_BYTES")
    equal = ServerSettings.from_env({"MAX_BODY_BYTES": "2000", "MAX_BUFFERED_BYTES": "2000"})
    assert equal.max_buffered_bytes == 2000


@pytest.mark.parametrize(
    ("variables", "starts"),
    [
        ({"AUTHENTICATION": "ntlm"}, ["AUTHENTICATION is not one of none, basic, digest."]),
        ({"AUTH_PASSWORD": "CANARY"}, ["AUTH_USERNAME or AUTH_PASSWORD is set, but"]),
        ({"AUTHENTICATION": "basic"}, ["AUTH_USERNAME is not set,", "AUTH_PASSWORD is not set,"]),
        (
            {"AUTHENTICATION": "digest", "AUTH_USERNAME": "a:b", "AUTH_PASSWORD": "CANARY\n"},
            ["AUTH_PASSWORD has a control character", "AUTH_USERNAME has a colon"],
        ),
        (
            {"AUTHENTICATION": "digest", "AUTH_USERNAME": "a\udcff", "AUTH_PASSWORD": "b"},
            ["AUTH_USERNAME has a control character, such as a line end, or is not UTF-8."],
        ),
    ],
)
def test_credentials_that_nobody_could_send_are_refused_at_the_start(
    variables: dict[str, str], starts: list[str]
) -> None:
    """So are those that are missing, or that would not be asked for; none is shown.

    Seen to fail when credentials without a scheme are taken for protection.
    """
    found = problems(ServerSettings, **variables)

    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts
    assert "CANARY" not in "".join(found)


def test_a_list_or_a_dict_as_default_is_each_instances_own() -> None:
    """A dataclass alone refuses it; here it works as it reads."""

    class Shared(Settings):
        names: list[str] = []  # noqa: RUF012  # the point of the test
        limits: dict[str, int] = {}  # noqa: RUF012

    one, other = Shared(), Shared.from_env({"NAMES": "a,b"})
    one.names.append("x")

    assert Shared().names == []
    assert other.names == ["a", "b"]
    assert Shared().limits == {}
