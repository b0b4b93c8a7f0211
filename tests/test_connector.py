"""A connector's settings are its own: none of them reads what the server's settings read."""

from __future__ import annotations

import dataclasses

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
