"""What a node is given for a connector is made from its code, and a node can use it."""

from __future__ import annotations

from typing import Any

import pytest

from sesam_connector_sdk import Batch, Entity, Secret, Settings, Sink, Transform, errors
from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError, Retry
from sesam_connector_sdk.nodeconfig import rendering, schema
from tests.sources import Table, Whole

CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, ConnectorError)
]


class ShelfSettings(Settings):
    """Where the books go."""

    shelf: str
    """The shelf."""

    shelf_key: Secret
    """Its key."""

    lamp: str = "off"
    """The lamp beside it."""


class Shelf(Sink[ShelfSettings]):
    """Takes books."""

    route = "/shelf/{row}"
    batch_size = 500

    def write(self, batch: Batch) -> None:
        """Take everything."""
        for _ in batch:
            pass


class Binder(Transform[ShelfSettings]):
    """Binds books."""

    route = "/bind"
    batch_size = 20
    side_effects = False

    def transform(self, entity: Entity) -> Entity:
        """Leave it as it is."""
        return entity


def statuses(key: str) -> list[int]:
    """The statuses that a key of ``retry_strategy`` names."""
    return [int(part) for part in key.split(",")]


def test_every_status_has_the_policy_of_its_class() -> None:
    """Each class with a policy is in exactly one entry, which is that policy's."""
    strategy = rendering.retry_strategy()

    for each in CLASSES:
        entries = [entry for key, entry in strategy.items() if each.status in statuses(key)]
        expected = [rendering.POLICIES[each.retry]] if each.retry in rendering.POLICIES else []
        assert entries == expected, each


def test_a_conflict_is_in_no_range() -> None:
    """The hub acts on 409 by itself; a range such as 400-428 would hold it."""
    assert all(409 not in statuses(key) for key in rendering.retry_strategy())


def test_what_nobody_can_mend_by_waiting_is_not_sent_again() -> None:
    """Neither the batch nor the entity, whose place is with the dead letters."""
    policy = rendering.POLICIES[Retry.NEVER]

    assert policy["batch_retries"] == policy["max_retries_per_entity"] == 0
    assert policy["max_write_errors_in_retry_dataset"] > 0


@pytest.mark.parametrize("retry", [Retry.WAIT, Retry.LATER])
def test_an_outage_makes_no_dead_letters(retry: Retry) -> None:
    """Nothing is kept aside for it, so the run ends there and the next one begins there."""
    policy = rendering.POLICIES[retry]

    assert policy["max_write_errors_in_retry_dataset"] == 0
    assert policy["batch_retries"] > 0 < policy["write_retry_delay"]


def test_a_system_passes_the_required_settings() -> None:
    """Secrets as secrets, the rest as variables; what has a default is left to the operator."""
    document = rendering.system(Shelf, system_id="shelf", image="me/shelf:1", port=8080)

    assert document["docker"] == {
        "image": "me/shelf:1",
        "port": 8080,
        "environment": {"SHELF": "$ENV(shelf)", "SHELF_KEY": "$SECRET(shelf_key)"},
    }
    assert document["retry_strategy"] == rendering.retry_strategy()


def test_a_pipe_suits_the_sink() -> None:
    """Its batch size and its path are the class's; the pump holds what the system cannot."""
    document = rendering.pipe(Shelf, pipe_id="books", system_id="shelf", dataset="all-books")

    assert document["source"] == {"type": "dataset", "dataset": "all-books"}
    assert document["sink"] == {
        "type": "json",
        "system": "shelf",
        "url": "/shelf/{row}",
        "batch_size": 500,
    }
    assert not {*document["pump"]} & {*rendering.POLICIES[Retry.FEW]}


def test_a_pipe_suits_the_transform() -> None:
    """It reads a dataset and fills its own; a preview may call what changes nothing."""
    document = rendering.pipe(Binder, pipe_id="bound", system_id="binder", dataset="all-books")

    assert document == {
        "_id": "bound",
        "type": "pipe",
        "source": {"type": "dataset", "dataset": "all-books"},
        "transform": {
            "type": "http",
            "system": "binder",
            "url": "/bind",
            "batch_size": 20,
            "side_effects": False,
        },
        "pump": rendering.pump("bound"),
    }


def test_a_pipe_says_what_a_source_can() -> None:
    """Its capabilities in the hub's words, and a rescan where only that finds what is missing."""
    assert rendering.pipe(Table, pipe_id="p", system_id="s", dataset="rows") == {
        "_id": "p",
        "type": "pipe",
        "source": {"type": "json", "system": "s", "url": "/", **Table.capabilities()},
        "pump": {**rendering.pump("p"), "rescan_cron_expression": "0 3 * * ?"},
    }
    whole = rendering.pipe(Whole, pipe_id="p", system_id="s", dataset="rows")
    assert whole["pump"] == rendering.pump("p")
    assert not whole["source"]["supports_since"]


@pytest.mark.parametrize("connector", [Shelf, Binder, Table])
def test_the_files_have_the_shape_that_the_sdk_reads(connector: type[Connector[Any]]) -> None:
    """What is rendered passes the same schemas as a node's own files."""
    system = rendering.system(connector, system_id="shelf", image="me/shelf:1")
    pipe = rendering.pipe(connector, pipe_id="books", system_id="shelf", dataset="all-books")

    assert list(schema.problems(system, "systems")) == []
    assert list(schema.problems(pipe, "pipes")) == []


def test_what_is_no_kind_of_connector_has_no_pipe() -> None:
    """The base class alone says nothing of who sends what to whom."""

    class Neither(Connector[Settings]):
        pass

    with pytest.raises(TypeError, match="Neither is no sink"):
        rendering.pipe(Neither, pipe_id="a", system_id="b", dataset="c")
