"""What becomes of entities, by what the hub reads of the answer."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sesam_connector_sdk import Transform
from sesam_connector_sdk.testing import opened, running, transform

from {{ cookiecutter.package_name }}.transform import NotesSettings, NotesTransform

PRICED = b'{"_id":"1","_updated":7,"price":1.10,"big":100000000000000000001.5}'
WITH_TAX = PRICED.removesuffix(b"}") + b',"price_with_tax":1.375}'
UNPRICED = b'{"_id": "2", "text": "bl\xc3\xa5b\xc3\xa6r", "rate": 1E5}'
DELETED = b'{"_id": "3", "price": 8, "_deleted": true}'


@pytest.fixture
def taxed() -> Iterator[Transform[Any]]:
    """The transform, opened."""
    with opened(NotesTransform(NotesSettings(tax_percent=Decimal(25)))) as taxed:
        yield taxed


def test_a_price_gets_its_tax_and_the_rest_stays(taxed: Transform[Any]) -> None:
    """Every other value comes back as it was, and a number with the digits that it had."""
    (note,) = transform(taxed, b"[" + PRICED + b"]").entities

    assert note.pop("price_with_tax") == Decimal("1.375")
    assert note == {
        "_id": "1",
        "_updated": 7,
        "price": Decimal("1.10"),
        "big": Decimal("100000000000000000001.5"),
    }
    assert str(note["price"]) == "1.10"


def test_what_has_no_price_passes_byte_for_byte(taxed: Transform[Any]) -> None:
    """So does what is deleted: it stays deleted, and there is nothing to compute for it."""
    answer = transform(taxed, b"[" + UNPRICED + b", " + DELETED + b"]")

    assert answer.accepted
    assert answer.body == b"[" + UNPRICED + b"," + DELETED + b"]"


def test_the_order_stays(taxed: Transform[Any]) -> None:
    """Versions of one entity must not overtake each other."""
    notes = [{"_id": str(number % 7), "price": number} for number in range(250)]

    found = transform(taxed, notes).entities

    assert [(note["_id"], note["price"]) for note in found] == [
        (note["_id"], note["price"]) for note in notes
    ]


@pytest.mark.parametrize("price", ["1.10", True, [1], {"amount": 1}])
def test_a_price_that_is_no_number_is_named(taxed: Transform[Any], price: object) -> None:
    """The whole batch is refused, and the answer says which entity it is."""
    answer = transform(taxed, [{"_id": "1", "price": 1}, {"_id": "2", "price": price}])

    assert answer.status == 422
    assert [problem["_id"] for problem in answer.document["entities"]] == ["2"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[" + PRICED, b"[" + PRICED + b",]"])
def test_a_broken_body_is_refused(taxed: Transform[Any], body: bytes) -> None:
    """A body that is no array of objects is answered 400."""
    assert transform(taxed, body).status == 400


def test_an_empty_batch_stays_empty(taxed: Transform[Any]) -> None:
    """There is nothing to make of nothing."""
    assert transform(taxed, []).entities == []


def test_the_process_answers_and_ends_on_sigterm() -> None:
    """The connector as the image runs it: it answers, and stops when the node says so."""
    with running("{{ cookiecutter.package_name }}", TAX_PERCENT="25") as connector:
        status, body = connector.post(b"[" + PRICED + b"]")

        assert (status, body) == (200, b"[" + WITH_TAX + b"]")
