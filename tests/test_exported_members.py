"""What the package exports."""

import sesam_connector_sdk
from sesam_connector_sdk import protocol, server, sink, source, transform, transit


def test_the_public_names_are_sorted_and_exact() -> None:
    """``__all__`` is sorted, and every public name of the package is in it or is a module."""
    names = sesam_connector_sdk.__all__
    modules = type(sesam_connector_sdk)
    public = {
        name
        for name, value in vars(sesam_connector_sdk).items()
        if not name.startswith("_") and not isinstance(value, modules)
    }

    assert names == sorted(names)
    assert {*names} - {"__version__"} == public


def test_the_public_names_are_these() -> None:
    """A name is added or removed on purpose only."""
    assert sesam_connector_sdk.__all__ == [
        "Batch",
        "CompositeSince",
        "ConnectorError",
        "Dataset",
        "DestinationNotAllowed",
        "Entity",
        "FullSync",
        "IntegerSince",
        "OutcomeUnknown",
        "PullParameters",
        "PullRequest",
        "PushParameters",
        "PushRequest",
        "Rejected",
        "Request",
        "Secret",
        "ServerSettings",
        "Settings",
        "SettingsError",
        "Since",
        "Sink",
        "Source",
        "TargetRefusedUs",
        "TargetUnavailable",
        "Throttled",
        "TimestampSince",
        "Transform",
        "UnknownSubset",
        "__version__",
        "serve",
        "wsgi_app",
    ]


def test_each_room_exports_sorted_names_that_exist() -> None:
    """The rooms' own doors are sorted, and nothing in them is missing."""
    for room in (protocol, server, sink, source, transform, transit):
        assert room.__all__ == sorted(room.__all__)
        assert all(hasattr(room, name) for name in room.__all__)
