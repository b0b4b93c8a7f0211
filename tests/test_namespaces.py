"""Namespaces of ids, properties and identifiers: split, added, removed, and nothing lost."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sesam_connector_sdk import Rejected
from sesam_connector_sdk.namespaces import add_namespaces, remove_namespaces, split
from sesam_connector_sdk.transit import Ni

ENTITY: dict[str, Any] = {
    "_id": "crm:7",
    "_deleted": False,
    "$ids": ["~:crm:7", Ni("hr:7")],
    "crm:name": "Kari",
    "crm:manager": "~:crm:101",
    "crm:time": "10:30",
    "crm:uri": "~rhttp://x:80",
    "crm:child": {"_id": "crm:c", "crm:list": [{"crm:a": 1}, "~:a:b:2"]},
}
BARE: dict[str, Any] = {
    "_id": "7",
    "_deleted": False,
    "$ids": ["7", "7"],
    "name": "Kari",
    "manager": "101",
    "time": "10:30",
    "uri": "~rhttp://x:80",
    "child": {"_id": "crm:c", "list": [{"a": 1}, "2"]},
}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("crm:7", ("crm", "7")),
        ("a:b:7", ("a:b", "7")),
        ("7", (None, "7")),
        (":7", ("", "7")),
        ("crm:", ("crm", "")),
        ("", (None, "")),
        (Ni("crm:7"), ("crm", "7")),
    ],
)
def test_the_identifier_is_what_follows_the_last_colon(
    name: str, parts: tuple[str | None, str]
) -> None:
    """A namespace may hold colons. Seen to fail when the first colon splits."""
    assert split(name) == parts


def test_namespaces_are_removed_from_id_properties_and_identifiers() -> None:
    """At any depth; plain texts with a colon, URIs and a child's ``_id`` stay as they are."""
    before = copy.deepcopy(ENTITY)

    assert remove_namespaces(ENTITY) == BARE
    assert before == ENTITY


def test_namespaces_are_added_to_the_id_and_to_properties() -> None:
    """Not to reserved names, not to values, and not where there is one."""
    plain = {"_id": "7", "_ts": 1, "$ids": ["~:a:1"], "name": "x:y", "hr:a": [{"b": 1, "_c": 2}]}

    assert add_namespaces(plain, identity="crm", properties="person") == {
        "_id": "crm:7",
        "_ts": 1,
        "$ids": ["~:a:1"],
        "person:name": "x:y",
        "hr:a": [{"person:b": 1, "_c": 2}],
    }
    assert add_namespaces({"_id": "hr:7"}, identity="crm", properties="p")["_id"] == "hr:7"


def test_what_is_added_can_be_removed() -> None:
    """There and back again leaves an entity without namespaces as it was."""
    plain = {"_id": "7", "name": "Kari", "child": {"a": [1, {"b": None}]}}

    there = add_namespaces(plain, identity="a:b", properties="c")

    assert remove_namespaces(there) == plain


def test_two_properties_never_become_one() -> None:
    """One of the values would be lost in silence; the error names the property only.

    Seen to fail when the copy is a plain comprehension.
    """
    with pytest.raises(Rejected, match="Two properties become name") as caught:
        remove_namespaces({"_id": "1", "child": [{"crm:name": "CANARY", "hr:name": "b"}]})
    assert "CANARY" not in caught.value.detail

    with pytest.raises(Rejected, match="Two properties become crm:name"):
        add_namespaces({"_id": "1", "crm:name": 1, "name": 2}, identity="crm", properties="crm")
