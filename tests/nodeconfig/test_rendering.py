"""What a node is given for a connector is made from its code, and a node can use it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import pytest

from sesam_connector_sdk import (
    Batch,
    Entity,
    IntegerSince,
    PullRequest,
    Secret,
    Settings,
    Since,
    Sink,
    Source,
    Transform,
    errors,
)
from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError, Retry
from sesam_connector_sdk.nodeconfig import rendering, schema

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


class Catalogue(Source[ShelfSettings]):
    """Lists books in no order."""

    route = "/catalogue"
    since: ClassVar[Since[Any] | None] = IntegerSince()

    def read(self, request: PullRequest) -> list[dict[str, Any]]:  # noqa: ARG002  # finds none
        """Find none."""
        return []


class Loans(Catalogue):
    """Lists loans in order; there may be none."""

    is_chronological = True
    may_be_empty = True


class Portraits(Catalogue):
    """Knows no changes."""

    since = None


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


def test_a_pipe_suits_the_source() -> None:
    """It says what the source can, keeps what it has if nothing comes, and rescans at night."""
    document = rendering.pipe(Catalogue, pipe_id="books", system_id="library")

    assert document == {
        "_id": "books",
        "type": "pipe",
        "source": {
            "type": "json",
            "system": "library",
            "url": "/catalogue",
            "supports_since": True,
            "is_since_comparable": True,
            "is_chronological": False,
            "if_source_empty": "fail",
        },
        "pump": {"schedule_interval": 60, "rescan_cron_expression": "0 3 * * ?"},
    }


def test_a_source_in_order_is_read_by_pages() -> None:
    """The hub's condition is that all three capabilities are there."""
    source = rendering.pipe(Loans, pipe_id="loans", system_id="library")["source"]

    assert source["page_size"] == rendering.PAGE_SIZE
    assert {name: source[name] for name in Loans.capabilities()} == Loans.capabilities()
    assert all(Loans.capabilities().values())


def test_only_what_may_be_empty_may_come_empty() -> None:
    """The hub deletes what a full run does not give it."""
    loans = rendering.pipe(Loans, pipe_id="loans", system_id="library")

    assert "if_source_empty" not in loans["source"]


def test_a_source_that_is_read_whole_is_read_seldom() -> None:
    """Each run costs a full read, so the hub's own interval for such sources is kept."""
    document = rendering.pipe(Portraits, pipe_id="portraits", system_id="library")

    assert document["pump"] == {"schedule_interval": 900}
    assert not any(document["source"][name] for name in Portraits.capabilities())
    assert "page_size" not in document["source"]


def test_a_source_reads_no_dataset_and_the_others_do() -> None:
    """What the pipe would not use, or cannot do without, is said at once."""
    with pytest.raises(ValueError, match="Catalogue is a source: its pipe reads no dataset"):
        rendering.pipe(Catalogue, pipe_id="a", system_id="b", dataset="c")
    for connector in (Shelf, Binder):
        with pytest.raises(ValueError, match="say which dataset its pipe reads"):
            rendering.pipe(connector, pipe_id="a", system_id="b")


@pytest.mark.parametrize(
    ("connector", "dataset"),
    [
        (Shelf, "all-books"),
        (Binder, "all-books"),
        (Catalogue, None),
        (Loans, None),
        (Portraits, None),
    ],
)
def test_the_files_have_the_shape_that_the_sdk_reads(
    connector: type[Connector[Any]], dataset: str | None
) -> None:
    """What is rendered passes the same schemas as a node's own files."""
    system = rendering.system(connector, system_id="shelf", image="me/shelf:1")
    pipe = rendering.pipe(connector, pipe_id="books", system_id="shelf", dataset=dataset)

    assert list(schema.problems(system, "systems")) == []
    assert list(schema.problems(pipe, "pipes")) == []


def test_rendering_needs_no_extra() -> None:
    """An image, and whoever bakes one, renders without what only checks and commands need."""
    code = """if True:
        import sys
        sys.modules |= dict.fromkeys(("click", "jsonschema", "requests"))  # None: not there
        from sesam_connector_sdk.nodeconfig import rendering
        print(len(rendering.retry_strategy()))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )

    assert done.stdout == f"{len(rendering.retry_strategy())}\n"


def test_what_is_no_kind_of_connector_has_no_pipe() -> None:
    """The base class alone says nothing of who sends what to whom."""

    class Neither(Connector[Settings]):
        pass

    with pytest.raises(TypeError, match="Neither is no sink"):
        rendering.pipe(Neither, pipe_id="a", system_id="b", dataset="c")
