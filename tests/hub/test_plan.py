"""What the local hub cannot do is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from sesam_connector_sdk.hub import NotPushable, Plan
from sesam_connector_sdk.nodeconfig import Pipe, System

BASE = "http://127.0.0.1:5000"
COPY_ALL = {"type": "dtl", "rules": {"default": [["copy", "*"]]}}


def plan(
    pipe: dict[str, Any] | None = None, system: dict[str, Any] | None = None, base: str = BASE
) -> Plan:
    """A pipe that can be pushed, but for what a test changes."""
    document = {
        "source": {"type": "embedded", "entities": [{"_id": "a"}]},
        "sink": {"type": "json", "system": "target", "url": "/q?x=1"},
        **(pipe or {}),
    }
    given = system or {}
    kind = given.get("type", "system:microservice")
    systems = {"target": System("target", kind, "systems/target.conf.json", given)}
    return Plan.of(Pipe("p", "pipes/p.conf.json", document), systems, base)


@pytest.mark.parametrize(
    ("pipe", "system", "says"),
    [
        ({"source": {"type": "dataset", "dataset": "d"}}, {}, "source is of type dataset"),
        ({"source": {"type": "conditional"}}, {}, "only embedded is pushed"),
        ({"sink": {"type": "dataset"}}, {}, "sink is of type dataset"),
        ({"sink": {}}, {}, "only json is pushed"),
        ({"transform": {"type": "http", "url": "/"}}, {}, "has a transform"),
        ({"transform": [COPY_ALL, {"type": "dtl"}]}, {}, "has a transform"),
        ({"sink": {"type": "json", "system": "other", "url": "/"}}, {}, "there is no system other"),
        ({}, {"type": "system:sql"}, "only a microservice"),
        ({}, {"authentication": "ntlm"}, "neither basic nor digest"),
        ({}, {"authentication": "basic", "username": "u"}, "needs username and password"),
        ({"sink": {"type": "json", "system": "target", "url": "http://x/"}}, {}, "names a host"),
        ({"sink": {"type": "json", "system": "target", "url": "//x/y"}}, {}, "names a host"),
        (
            {"sink": {"type": "json", "system": "target", "url": "/?is_full=true&request_id="}},
            {},
            "sets is_full, request_id itself",
        ),
        (
            {"source": {"type": "embedded", "entities": [], "if_source_empty": "fail"}},
            {},
            "the source is empty",
        ),
        (
            {"source": {"type": "embedded", "entities": [{"_id": "a"}, {"_id": "\ud800"}]}},
            {},
            "entity 1 holds half of a surrogate pair",
        ),
    ],
)
def test_a_pipe_that_cannot_be_pushed_is_refused(
    pipe: dict[str, Any], system: dict[str, Any], says: str
) -> None:
    """The text names the file and the reason."""
    with pytest.raises(NotPushable, match=says) as refused:
        plan(pipe, system)

    assert ".conf.json: " in str(refused.value)


@pytest.mark.parametrize(
    "base",
    ["", "127.0.0.1:5000", "ftp://x", "http://", "http://x?y=1", "http://x:99999", "http://["],
)
def test_an_address_must_be_one(base: str) -> None:
    """``http`` or ``https``, a host, perhaps a port and a path, nothing more."""
    with pytest.raises(NotPushable, match="no connector's address"):
        plan(base=base)


@pytest.mark.parametrize("transform", [None, [], COPY_ALL, [COPY_ALL]])
def test_a_transform_that_changes_nothing_is_accepted(transform: Any) -> None:
    """``copy *`` is what a pipe has that was made in the browser."""
    assert [item.json for item in plan({"transform": transform}).items] == [b'{"_id":"a"}']


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        (BASE, "/q?x=1", f"{BASE}/q?x=1"),
        (BASE, "q", f"{BASE}/q"),
        (BASE, "", f"{BASE}/"),
        (f"{BASE}/", "/q/", f"{BASE}/q/"),
        (f"{BASE}/proxy", "/q", f"{BASE}/proxy/q"),
    ],
)
def test_the_pipes_url_is_put_behind_the_address(base: str, url: str, joined: str) -> None:
    """With one slash between."""
    sink = {"type": "json", "system": "target", "url": url}

    assert plan({"sink": sink}, base=base).url == joined


def test_a_url_system_is_pushed_to_as_well() -> None:
    """It has the same timeouts, authentication and strategy."""
    assert plan(system={"type": "system:url"}).system.type == "system:url"


def test_a_retry_dataset_set_by_the_strategy_leaves_nothing_to_remark() -> None:
    """Dead letters then work for some statuses at least."""
    pump = {"dead_letter_dataset": "dead"}
    strategy = {"422": {"max_write_errors_in_retry_dataset": 9}}

    assert list(plan({"pump": pump}, {"retry_strategy": strategy}).remarks()) == []
    assert len(list(plan({"pump": pump}).remarks())) == 1
