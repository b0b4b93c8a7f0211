"""What a class declares is refused where it could not work; its settings are its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sesam_connector_sdk import ServerSettings, Settings, Sink


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(ServerSettings)])
def test_no_setting_may_have_the_name_of_one_of_the_servers(name: str) -> None:
    """``port: int``, meant for the target, would be the port that the connector listens on.

    Seen to fail when the check is left out.
    """
    mine = type("Mine", (Settings,), {"__annotations__": {name: str}})
    derived = type("Derived", (mine,), {"__annotations__": {"more": str}})

    for settings in (mine, derived):
        with pytest.raises(TypeError, match=f"Mine.{name} would read {name.upper()}, a setting of"):

            class MySink(Sink[settings]):  # type: ignore[valid-type]  # made at run time
                pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("concurrency", each) for each in (0, -1, "1", True, 1.0)],
        *[("retryable", each) for each in ([OSError], ("OSError",), (OSError(),), None)],
    ],
)
def test_what_cannot_be_used_later_is_refused_when_the_class_is_made(name: str, value: Any) -> None:
    """A list of exceptions would do until the target is away, and be an error of its own then.

    Seen to fail when the check is left out.
    """
    with pytest.raises(TypeError, match=rf"MySink\.{name} is "):
        type("MySink", (Sink,), {name: value})


def test_a_connector_may_read_the_servers_settings_themselves() -> None:
    """A subclass of ServerSettings shares them on purpose; it may not change what they mean."""

    class Shared(ServerSettings):
        place: str = "here"

    class Changed(ServerSettings):
        port: int = 8080  # the server would go on with its own default

    class MySink(Sink[Shared]):
        pass

    assert MySink.settings_class is Shared
    with pytest.raises(TypeError, match=r"Changed\.port would read PORT"):

        class Other(Sink[Changed]):
            pass
