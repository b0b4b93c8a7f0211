"""What an author subclasses: the settings are found, the hooks are optional."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Generic, TypeVar

import pytest

from sesam_connector_sdk import Batch, Settings, Sink
from sesam_connector_sdk.testing import push

SettingsT = TypeVar("SettingsT", bound=Settings)


class Mine(Settings):
    """Settings of the tests' sinks."""

    place: str = "here"


class Plain(Sink[Mine]):
    """The least a sink can be."""

    def write(self, batch: Batch) -> None:
        """Take everything."""
        for _ in batch:
            pass


def test_a_sink_finds_the_settings_it_was_declared_with() -> None:
    """Directly, through a subclass, and through a generic base."""

    class Between(Sink[SettingsT], Generic[SettingsT]):
        pass

    class Leaf(Between[Mine]):
        pass

    class Redeclared(Plain, Sink[Mine]):
        pass

    assert Plain.settings_class is Mine
    assert type("Sub", (Plain,), {}).settings_class is Mine  # type: ignore[attr-defined]
    assert Between.settings_class is Settings
    assert Leaf.settings_class is Mine
    assert Redeclared.settings_class is Mine


def test_a_sink_without_settings_has_the_base() -> None:
    """``class MySink(Sink)`` reads nothing from the environment."""

    class Bare(Sink):  # type: ignore[type-arg]  # what an author may write
        def write(self, batch: Batch) -> None:
            pass

    assert Bare.settings_class is Settings
    assert Bare.settings_class.describe() == []


@pytest.mark.parametrize("argument", ["Mine", int, dict[str, str], None])
def test_what_is_no_settings_class_is_refused_when_the_class_is_made(argument: Any) -> None:
    """A name in quotes cannot be found at run time, so it is refused loudly."""
    with pytest.raises(TypeError, match="needs the settings class itself"):

        class Wrong(Sink[argument]):
            pass


def test_a_sink_without_write_cannot_be_made() -> None:
    """The one method that an author must write."""

    class Forgetful(Sink[Mine]):
        pass

    with pytest.raises(TypeError, match="write"):
        Forgetful(Mine())  # type: ignore[abstract]  # that is what is tried


def test_open_and_close_are_optional() -> None:
    """A sink with ``write`` alone is a whole sink."""
    sink = Plain(Mine())
    sink.open()

    assert push(sink, [{"_id": "1"}]).accepted
    assert sink.settings.place == "here"
    sink.close()


def test_an_authors_class_needs_no_http_library() -> None:
    """Importing what an author subclasses loads neither Falcon nor waitress."""
    # The package's own door imports the server; an author's test may go by the room's.
    code = (
        "import importlib.util as u, pathlib, sys, types;"
        "p = pathlib.Path(u.find_spec('sesam_connector_sdk').origin).parent;"
        "m = types.ModuleType('sesam_connector_sdk'); m.__path__ = [str(p)];"
        "sys.modules['sesam_connector_sdk'] = m;"
        "import sesam_connector_sdk.sink.base as base;"
        "print(sorted({'falcon', 'waitress', 'azure'} & set(sys.modules)), base.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "[] sesam_connector_sdk.sink.base\n"
